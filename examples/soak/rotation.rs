//! New secrets once a minute, for the host and for its consumers.

use std::{
    io::{Read, Write},
    process::Child,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use hmac_auth::{MemorySecrets, Secret, generate_secret};

use crate::host::SITES;

/// When in a minute: in the only one of a short run, too.
const ROTATE_AT: u64 = 26;
/// From here on, nobody signs with a previous secret.
const STOP_AT: u64 = 34;
/// Slow requests have ended.
const RETIRE_AT: u64 = 40;

/// The secrets of a consumer. A clone is a second handle on the same ones.
#[derive(Clone)]
pub(crate) struct Keys(Arc<Mutex<All>>);

pub(crate) struct All {
    pub(crate) current: MemorySecrets,
    /// Still accepted.
    pub(crate) previous: Option<MemorySecrets>,
    /// No longer accepted.
    pub(crate) retired: Option<MemorySecrets>,
}

impl Keys {
    pub(crate) fn new(current: MemorySecrets) -> Self {
        Self(Arc::new(Mutex::new(All {
            current,
            previous: None,
            retired: None,
        })))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, All> {
        self.0.lock().expect("no panic")
    }
}

pub(crate) struct Rotation {
    keys: Keys,
    /// What was current before the last rotation.
    replaced: Option<MemorySecrets>,
    /// The steps that are done.
    done: u64,
}

impl Rotation {
    pub(crate) fn new(keys: Keys) -> Self {
        Self {
            keys,
            replaced: None,
            done: 0,
        }
    }

    /// Takes each step whose time has come.
    pub(crate) fn go_on(&mut self, elapsed: Duration, host: &mut Child) {
        const STEPS: [u64; 3] = [ROTATE_AT, STOP_AT, RETIRE_AT];
        loop {
            let (minute, step) = (self.done / 3, self.done % 3);
            let index = usize::try_from(step).expect("below 3");
            if elapsed.as_secs() < 60 * minute + STEPS[index] {
                return;
            }
            match step {
                0 => self.rotate(host),
                1 => self.keys.lock().previous = None,
                _ => {
                    for name in SITES {
                        tell(host, &format!("retire {name}"));
                    }
                    self.keys.lock().retired = self.replaced.take();
                }
            }
            self.done += 1;
        }
    }

    fn rotate(&mut self, host: &mut Child) {
        let new = MemorySecrets::new();
        for name in SITES {
            let text = generate_secret().expect("the system has random numbers");
            tell(host, &format!("rotate {name} {text}"));
            new.insert(name, Secret::from_text(&text).expect("long enough"));
        }
        let mut keys = self.keys.lock();
        let replaced = std::mem::replace(&mut keys.current, new);
        keys.previous = Some(replaced.clone());
        self.replaced = Some(replaced);
    }
}

/// Waits until it is done.
fn tell(host: &mut Child, order: &str) {
    const DONE: &[u8] = b"done\n";
    let input = host.stdin.as_mut().expect("piped");
    writeln!(input, "{order}").expect("the host reads");
    let mut answer = [0; DONE.len()];
    let output = host.stdout.as_mut().expect("piped");
    output.read_exact(&mut answer).expect("the host answers");
    assert_eq!(answer, DONE);
}
