use std::time::{Duration, Instant};

/// The median of the turns of each contender. All take turns for `time`, once at least, so that what else the machine does hits them
/// alike.
pub(crate) fn medians<T>(
    contenders: &mut [T],
    time: Duration,
    mut take_turn: impl FnMut(&mut T) -> Duration,
) -> Vec<Duration> {
    let mut times = vec![Vec::new(); contenders.len()];
    let start = Instant::now();
    loop {
        for (contender, times) in contenders.iter_mut().zip(&mut times) {
            times.push(take_turn(contender));
        }
        if start.elapsed() >= time {
            break;
        }
    }
    let median = |mut times: Vec<Duration>| {
        times.sort_unstable();
        times[times.len() / 2]
    };
    times.into_iter().map(median).collect()
}
