//! Files that become unusable or disappear: the last good set for 5 s, then an error; a file that
//! is gone is a revocation.

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, SystemTime},
};

use hmac_auth::{
    AuthError, FileSecrets, SecretEncoding, SecretError, SecretSet, SecretStore, ValidateOptions,
    sign_request, validate_auth,
};
use http::StatusCode;
use tempfile::TempDir;

use crate::support::{
    recorder::{EVENTS, Recorder},
    request::{get, options, sign_options},
    secret::{NEW, OLD, is_set_of},
};

/// A directory with one secret, and a store that has read it.
struct Scene {
    directory: TempDir,
    secrets: FileSecrets,
    /// How many milliseconds the clock of the store is ahead.
    ahead: Arc<AtomicU64>,
}

impl Scene {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("a"), OLD).unwrap();
        let ahead = Arc::new(AtomicU64::new(0));
        let offset = Arc::clone(&ahead);
        let secrets = FileSecrets::new(directory.path()).clock(move || {
            SystemTime::now() + Duration::from_millis(offset.load(Ordering::Relaxed))
        });
        let scene = Self {
            directory,
            secrets,
            ahead,
        };
        assert!(is_set_of(&scene.look().unwrap(), &[OLD]));
        scene
    }

    fn wait(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap();
        self.ahead.fetch_add(millis, Ordering::Relaxed);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn look(&self) -> Result<SecretSet, SecretError> {
        self.secrets.lookup("a")
    }

    #[track_caller]
    fn assert_old(&self) {
        assert!(is_set_of(&self.look().unwrap(), &[OLD]));
    }

    /// The refusal of a request of a consumer who has the old secret.
    fn refusal(&self) -> (&'static str, StatusCode) {
        let error = self.validate().unwrap_err();
        (error.kind().as_str(), error.status())
    }

    fn validate(&self) -> Result<(), AuthError> {
        let store = Scene::new();
        let mut request = get();
        sign_request(
            &mut request,
            &store.secrets,
            &sign_options().secret_name("a"),
        )
        .unwrap();
        let options: ValidateOptions = options().secret_name("a");
        validate_auth(&request, &self.secrets, &options).map(drop)
    }
}

const A_MOMENT: Duration = Duration::from_secs(3);
const MORE_THAN_FIVE: Duration = Duration::from_millis(2_400);
const UNAVAILABLE: (&str, StatusCode) = ("secret_unavailable", StatusCode::SERVICE_UNAVAILABLE);
const REVOKED: (&str, StatusCode) = ("revoked", StatusCode::UNAUTHORIZED);

fn replace_by_directory(path: &Path) {
    fs::remove_file(path).unwrap();
    fs::create_dir(path).unwrap();
}

/// One way to spoil a file.
type Damage = fn(&Scene);

#[test]
fn a_good_set_outlives_an_unusable_file_by_five_seconds() {
    let damages: &[(&str, Damage)] = &[
        ("empty", |scene| fs::write(scene.path("a"), "").unwrap()),
        ("short", |scene| {
            fs::write(scene.path("a"), "short\n").unwrap();
        }),
        ("quoted", |scene| {
            fs::write(scene.path("a"), format!("\"{NEW}\"")).unwrap();
        }),
        ("no text", |scene| {
            fs::write(scene.path("a"), [0xfd; 32]).unwrap();
        }),
        ("too large", |scene| {
            fs::write(scene.path("a"), vec![b'x'; 65 * 1024]).unwrap();
        }),
        ("a directory", |scene| {
            replace_by_directory(&scene.path("a"));
        }),
        ("an empty previous secret", |scene| {
            fs::write(scene.path("a.previous"), "").unwrap();
        }),
        ("the new one, and a bad previous one", |scene| {
            fs::write(scene.path("a.previous-3"), "short").unwrap();
            fs::write(scene.path("a"), NEW).unwrap();
        }),
        #[cfg(unix)]
        ("a link to nowhere", |scene| {
            fs::remove_file(scene.path("a")).unwrap();
            std::os::unix::fs::symlink("nowhere", scene.path("a")).unwrap();
        }),
        #[cfg(unix)]
        ("a link to itself", |scene| {
            fs::remove_file(scene.path("a")).unwrap();
            std::os::unix::fs::symlink("a", scene.path("a")).unwrap();
        }),
    ];
    let scenes: Vec<Scene> = damages.iter().map(|_| Scene::new()).collect();
    // What can be read is accepted beside the last good set.
    let assert_kept = |what: &str, scene: &Scene| {
        let kept: &[&str] = if what.starts_with("the new one") {
            &[NEW, OLD]
        } else {
            &[OLD]
        };
        assert!(is_set_of(&scene.look().unwrap(), kept), "{what}");
    };
    for ((what, damage), scene) in damages.iter().zip(&scenes) {
        damage(scene);
        assert_kept(what, scene);
    }
    // A further failure in between, of another kind, does not begin anew.
    for ((what, _), scene) in damages.iter().zip(&scenes) {
        scene.wait(A_MOMENT);
        if *what == "short" {
            fs::write(scene.path("a"), "").unwrap();
        }
        assert_kept(what, scene);
        scene.validate().unwrap();
    }
    for ((what, _), scene) in damages.iter().zip(&scenes) {
        scene.wait(MORE_THAN_FIVE);
        let error = scene.look().unwrap_err();
        assert!(
            matches!(
                error,
                SecretError::Unusable { .. } | SecretError::Unreadable { .. }
            ),
            "{what}: {error:?}"
        );
        assert_eq!(scene.refusal(), UNAVAILABLE, "{what}");
    }
    // Each of them recovers.
    for ((what, _), scene) in damages.iter().zip(&scenes) {
        for name in ["a.previous", "a.previous-3"] {
            let _ = fs::remove_file(scene.path(name));
        }
        if fs::remove_dir(scene.path("a")).is_err() {
            fs::remove_file(scene.path("a")).unwrap();
        }
        fs::write(scene.path("a"), NEW).unwrap();
        assert!(is_set_of(&scene.look().unwrap(), &[NEW]), "{what}");
        // A new good set is kept in the same way.
        fs::write(scene.path("a"), "").unwrap();
        assert!(is_set_of(&scene.look().unwrap(), &[NEW]), "{what}");
    }
}

#[test]
fn a_file_that_is_gone_is_revoked_after_five_seconds() {
    let gone = Scene::new();
    fs::remove_file(gone.path("a")).unwrap();
    // Its previous secrets do not stand for it.
    fs::write(gone.path("a.previous"), OLD).unwrap();
    let replaced = Scene::new();
    fs::remove_file(replaced.path("a")).unwrap();
    let emptied = Scene::new();
    fs::remove_file(emptied.path("a")).unwrap();
    let unusable_before = Scene::new();
    fs::write(unusable_before.path("a"), "").unwrap();
    unusable_before.assert_old();
    fs::remove_file(unusable_before.path("a")).unwrap();
    let no_directory = Scene::new();
    fs::remove_dir_all(no_directory.directory.path()).unwrap();
    let never = Scene::new();

    for scene in [&gone, &replaced, &emptied, &unusable_before] {
        assert!(
            matches!(scene.look(), Err(SecretError::NotFound { .. })),
            "accepts nothing, and is not revoked yet"
        );
        assert_eq!(scene.refusal(), UNAVAILABLE);
    }
    assert_eq!(no_directory.refusal(), UNAVAILABLE);
    let absent = || never.secrets.lookup("never").unwrap_err();
    assert!(matches!(absent(), SecretError::NotFound { .. }));
    // What was gone is not accepted again because an empty file takes its place.
    fs::write(emptied.path("a"), "").unwrap();
    assert!(matches!(emptied.look(), Err(SecretError::Unusable { .. })));

    let all = [
        &gone,
        &replaced,
        &emptied,
        &unusable_before,
        &no_directory,
        &never,
    ];
    for scene in all {
        scene.wait(A_MOMENT);
    }
    assert_eq!(gone.refusal(), UNAVAILABLE);
    fs::write(replaced.path("a"), NEW).unwrap();
    assert!(is_set_of(&replaced.look().unwrap(), &[NEW]));
    fs::remove_file(replaced.path("a")).unwrap();
    assert_eq!(replaced.refusal(), UNAVAILABLE);

    for scene in all {
        scene.wait(MORE_THAN_FIVE);
    }
    for scene in [&gone, &unusable_before] {
        assert_eq!(scene.refusal(), REVOKED);
    }
    assert_eq!(replaced.refusal(), UNAVAILABLE, "gone for the second time");
    assert_eq!(emptied.refusal(), UNAVAILABLE, "there, but empty");
    assert_eq!(no_directory.refusal(), UNAVAILABLE);
    assert!(
        matches!(absent(), SecretError::NotFound { .. }),
        "missing since the start"
    );

    // The operator reads which file it was, and the peer reads nothing.
    let error = gone.validate().unwrap_err();
    let text = format!("{error:#}");
    let path = gone.path("a").display().to_string();
    assert!(text.contains(&path), "{text}");
    assert_eq!(
        error.public_body(),
        r#"{"error":"Invalid authentication token"}"#
    );
    // A file that is there again is accepted at once.
    fs::remove_file(gone.path("a.previous")).unwrap();
    fs::write(gone.path("a"), NEW).unwrap();
    assert!(is_set_of(&gone.look().unwrap(), &[NEW]));
}

#[test]
fn a_marker_revokes_at_once_and_survives_restarts() {
    let scene = Scene::new();
    fs::write(scene.path("a.revoked"), "").unwrap();
    assert_eq!(scene.refusal(), REVOKED);
    let restarted = Scene {
        secrets: FileSecrets::new(scene.directory.path()),
        ..scene
    };
    assert_eq!(restarted.refusal(), REVOKED);
    // Also where its secret is gone, or never was.
    fs::remove_file(restarted.path("a")).unwrap();
    assert_eq!(restarted.refusal(), REVOKED);
    let error = restarted.look().unwrap_err().to_string();
    assert!(error.contains("a.revoked"), "{error}");
    // Without the marker, the secret counts again.
    fs::write(restarted.path("a"), OLD).unwrap();
    assert_eq!(restarted.refusal(), REVOKED);
    fs::remove_file(restarted.path("a.revoked")).unwrap();
    restarted.validate().unwrap();
    // It is not for others whose names begin alike.
    fs::write(restarted.path("a.b"), NEW).unwrap();
    fs::write(restarted.path("a.b.revoked"), "").unwrap();
    restarted.validate().unwrap();
    assert!(restarted.secrets.lookup("a.b").is_err());
}

/// A marker that cannot be read, such as a link to nowhere, is a marker.
#[cfg(unix)]
#[test]
fn any_marker_revokes() {
    for make in [
        (|path: &Path| fs::create_dir(path).unwrap()) as fn(&Path),
        |path| std::os::unix::fs::symlink("nowhere", path).unwrap(),
        |path| fs::write(path, "no").unwrap(),
    ] {
        let scene = Scene::new();
        make(&scene.path("a.revoked"));
        assert_eq!(scene.refusal(), REVOKED);
    }
}

/// A FIFO blocked a thread for ever.
#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_an_error_that_names_it() {
    use std::{
        os::unix::{fs::symlink, net::UnixListener},
        process::Command,
        sync::mpsc,
    };

    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    for name in ["fifo", "in-use.previous"] {
        let made = Command::new("mkfifo").arg(path(name)).status().unwrap();
        assert!(made.success());
    }
    fs::write(path("in-use"), NEW).unwrap();
    fs::create_dir(path("directory")).unwrap();
    let _socket = UnixListener::bind(path("socket")).unwrap();
    symlink("/dev/zero", path("zero")).unwrap();
    symlink("/dev/null", path("null")).unwrap();

    let secrets = FileSecrets::new(directory.path());
    let (sender, results) = mpsc::channel();
    let names = ["fifo", "in-use", "directory", "socket", "zero", "null"];
    thread::spawn(move || {
        for name in names {
            sender.send(secrets.lookup(name)).unwrap();
        }
    });
    for (name, what) in
        names
            .into_iter()
            .zip(["FIFO", "FIFO", "directory", "socket", "device", "device"])
    {
        let result = results.recv_timeout(Duration::from_secs(10));
        let error = result.expect("never blocks").unwrap_err();
        assert!(
            matches!(error, SecretError::Unreadable { .. }),
            "{name}: {error:?}"
        );
        assert!(error.to_string().contains(name), "{error}");
        let source = error.source().unwrap().to_string();
        assert!(source.contains(what), "{name}: {source}");
    }
}

/// An emptied previous secret was an outage with the advice to generate one.
#[test]
fn an_emptied_previous_secret_is_to_be_removed() {
    for content in ["", "\n", "short"] {
        for name in ["a.previous", "a.previous-2", "a.previous-3"] {
            let directory = tempfile::tempdir().unwrap();
            fs::write(directory.path().join("a"), NEW).unwrap();
            fs::write(directory.path().join(name), content).unwrap();
            let secrets = FileSecrets::new(directory.path());
            let error = secrets.lookup("a").unwrap_err();
            let text = format!("{error}: {}", error.source().unwrap());
            let file = directory.path().join(name).display().to_string();
            assert!(text.contains(&file) && text.contains("remove"), "{text}");
            assert!(
                !text.contains("generate") && !text.contains("rand"),
                "{text}"
            );
        }
    }
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a"), "").unwrap();
    let secrets = FileSecrets::new(directory.path()).encoding(SecretEncoding::Hex);
    let error = secrets.lookup("a").unwrap_err().to_string();
    assert!(error.contains("openssl rand -hex 32"), "{error}");
}

/// The operator reads that a secret is unusable before requests are refused.
#[test]
fn the_first_failure_is_one_event() {
    Recorder::install();
    let scene = Scene::new();
    EVENTS.take();
    fs::write(scene.path("a"), "\"").unwrap();
    for _ in 0..10 {
        scene.assert_old();
    }
    fs::write(scene.path("a"), "").unwrap();
    scene.assert_old();
    let events = EVENTS.take();
    assert_eq!(events.len(), 1, "{events:?}");
    let event = &events[0];
    assert_eq!(event["secret_name"], "a");
    let path = scene.path("a").display().to_string();
    assert!(event["reason"].contains(&path), "{event:?}");
    assert!(event["source"].contains("quotation mark"), "{event:?}");
    // A good file, and a new failure.
    fs::write(scene.path("a"), NEW).unwrap();
    scene.look().unwrap();
    assert!(EVENTS.take().is_empty());
    fs::write(scene.path("a"), "").unwrap();
    scene.look().unwrap();
    assert_eq!(EVENTS.take().len(), 1);
    // What was never good, and what is gone, refuses at once: the refusal is the event.
    fs::write(scene.path("b"), "").unwrap();
    scene.secrets.lookup("b").unwrap_err();
    fs::remove_file(scene.path("a")).unwrap();
    scene.look().unwrap_err();
    assert!(EVENTS.take().is_empty());
}

/// A clock that is set back ends the time of grace: it never grows.
#[test]
fn a_clock_that_is_set_back_extends_nothing() {
    let scene = Scene::new();
    scene.wait(Duration::from_secs(3_600));
    fs::write(scene.path("a"), "").unwrap();
    scene.assert_old();
    scene.ahead.store(0, Ordering::Relaxed);
    assert!(matches!(scene.look(), Err(SecretError::Unusable { .. })));
}

/// Where the two threads below wait for each other.
#[derive(Default)]
struct Meeting {
    /// How many steps are done: the second thread begins after 1, the first one goes on after 2, the
    /// second one after 3.
    steps: Mutex<u8>,
    changed: Condvar,
}

impl Meeting {
    fn reach(&self, step: u8) {
        let mut steps = self.steps.lock().unwrap();
        *steps = step.max(*steps);
        self.changed.notify_all();
    }

    /// Waits, but not for ever: who reads the clock under a lock keeps the other thread out.
    fn wait_for(&self, step: u8) {
        let steps = self.steps.lock().unwrap();
        let patience = Duration::from_millis(300);
        let _ = self
            .changed
            .wait_timeout_while(steps, patience, |steps| *steps < step)
            .unwrap();
    }
}

/// Two threads fail to read the files. The one that began later reads the clock first, and takes
/// note last: the time of grace has not ended before it began.
#[test]
fn two_threads_that_fail_at_once_both_get_the_last_good_set() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a");
    fs::write(&file, OLD).unwrap();
    let meeting = Arc::new(Meeting::default());
    let of_clock = Arc::clone(&meeting);
    // Each reads the clock before it reads the files, and when it takes note.
    let readings = [AtomicU64::new(0), AtomicU64::new(0)];
    let secrets = FileSecrets::new(directory.path()).clock(move || {
        let reading = |thread: usize| readings[thread].fetch_add(1, Ordering::Relaxed);
        match thread::current().name() {
            Some("first") if reading(0) == 1 => {
                of_clock.reach(1);
                of_clock.wait_for(2);
                SystemTime::now()
            }
            Some("second") if reading(1) == 1 => {
                let now = SystemTime::now();
                of_clock.reach(2);
                of_clock.wait_for(3);
                now
            }
            _ => SystemTime::now(),
        }
    });
    assert!(is_set_of(&secrets.lookup("a").unwrap(), &[OLD]));
    fs::write(&file, "").unwrap();
    thread::scope(|scope| {
        let start = |name: &str| thread::Builder::new().name(name.to_owned());
        let first = start("first").spawn_scoped(scope, || {
            let set = secrets.lookup("a");
            meeting.reach(3);
            set
        });
        meeting.wait_for(1);
        let second = start("second").spawn_scoped(scope, || secrets.lookup("a"));
        for (thread, handle) in [("first", first), ("second", second)] {
            let set = handle.unwrap().join().unwrap();
            assert!(is_set_of(&set.expect(thread), &[OLD]), "{thread}");
        }
    });
    assert!(is_set_of(&secrets.lookup("a").unwrap(), &[OLD]), "later");
}
