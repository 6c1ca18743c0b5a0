//! What the operator of a host may say to it while it runs: here as lines on its standard input.

use std::{
    io, thread,
    time::{Duration, UNIX_EPOCH},
};

use hmac_auth::RedisReplayGuard;

/// Each line is a time in seconds since 1970: what was signed earlier is refused from now on.
pub(crate) fn listen(guard: RedisReplayGuard) {
    thread::spawn(move || {
        for line in io::stdin().lines().map_while(Result::ok) {
            let seconds = line.parse().expect("seconds since 1970");
            guard.distrust_before(UNIX_EPOCH + Duration::from_secs_f64(seconds));
        }
    });
}
