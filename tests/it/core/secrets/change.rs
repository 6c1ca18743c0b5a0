//! Changes of secret files: each of them is noticed, and a file at rest is not read again.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, SystemTime},
};

use hmac_auth::{FileSecrets, SecretStore};

use crate::support::secret::{NEW, OLD, is_set_of};

/// Writes a file in place and gives it this time of modification, as `cp -p` does.
fn write_dated(path: &Path, content: &str, modified: SystemTime) {
    fs::write(path, content).unwrap();
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(modified).unwrap();
}

/// A file of the same length with an old time was never read again.
#[cfg(unix)]
#[test]
pub(crate) fn pitfall_35_a_replaced_file_with_an_old_time_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    let secrets = FileSecrets::new(directory.path());
    let an_hour_ago = SystemTime::now() - Duration::from_secs(3_600);
    assert_eq!(OLD.len(), NEW.len());

    // In place, with the time of the file that was read.
    write_dated(&path, OLD, an_hour_ago);
    thread::sleep(Duration::from_millis(200));
    for _ in 0..2 {
        assert!(is_set_of(&secrets.lookup("a").unwrap(), &[OLD]));
    }
    write_dated(&path, NEW, an_hour_ago);
    assert!(is_set_of(&secrets.lookup("a").unwrap(), &[NEW]));

    // A file that was made before and is moved there: only its own inode and its change tell.
    let beside = directory.path().join(".a.tmp");
    write_dated(&beside, OLD, an_hour_ago);
    thread::sleep(Duration::from_millis(200));
    assert!(is_set_of(&secrets.lookup("a").unwrap(), &[NEW]));
    fs::rename(&beside, &path).unwrap();
    assert!(is_set_of(&secrets.lookup("a").unwrap(), &[OLD]));

    // The same for a previous secret.
    let previous = directory.path().join("a.previous");
    write_dated(&previous, OLD, an_hour_ago);
    thread::sleep(Duration::from_millis(200));
    assert!(is_set_of(&secrets.lookup("a").unwrap(), &[OLD, OLD]));
    write_dated(&previous, NEW, an_hour_ago);
    assert!(is_set_of(&secrets.lookup("a").unwrap(), &[OLD, NEW]));
}

/// How often this thread has read from a file.
#[cfg(target_os = "linux")]
fn reads() -> u64 {
    let counters = fs::read_to_string("/proc/thread-self/io").unwrap();
    let line = counters
        .lines()
        .find_map(|line| line.strip_prefix("syscr: "));
    line.unwrap().parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_at_rest_is_not_read_again_whatever_its_date() {
    let hour = Duration::from_secs(3_600);
    let now = SystemTime::now();
    let stores = [
        ("an hour ago", now - hour),
        ("now", now),
        ("in an hour", now + hour),
        ("in a year", now + 24 * 365 * hour),
    ]
    .map(|(what, modified)| {
        let directory = tempfile::tempdir().unwrap();
        write_dated(&directory.path().join("a"), OLD, modified);
        write_dated(&directory.path().join("a.previous"), NEW, modified);
        (what, FileSecrets::new(directory.path()), directory)
    });
    thread::sleep(Duration::from_millis(2_200));
    for (what, secrets, _directory) in stores {
        secrets.lookup("a").unwrap();
        let before = reads();
        for _ in 0..1_000 {
            assert!(is_set_of(&secrets.lookup("a").unwrap(), &[OLD, NEW]));
        }
        let count = reads() - before;
        assert!(count < 100, "dated {what}: {count} reads");
    }
}

/// A file that changes during each reading does not hold up a request for ever.
#[test]
fn a_file_that_never_rests_is_read_a_few_times() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    let at = SystemTime::now();
    let readings = Arc::new(AtomicUsize::new(0));
    let secrets = FileSecrets::new(directory.path()).clock({
        let (path, readings) = (path.clone(), Arc::clone(&readings));
        // The store looks at the clock once for each reading.
        move || {
            let reading = readings.fetch_add(1, Ordering::Relaxed);
            assert!(reading < 20, "no end");
            fs::write(&path, OLD.repeat(reading + 2)).unwrap();
            at
        }
    });
    fs::write(&path, OLD).unwrap();
    secrets.lookup("a").unwrap();
    assert!(readings.load(Ordering::Relaxed) > 2);
}
