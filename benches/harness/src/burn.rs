//! Work for handlers that compute.

use std::hint::black_box;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Keeps a core busy for `time`.
///
/// It counts steps and does not look at the clock: a thread that was interrupted has not worked.
pub fn burn(time: Duration) {
    static STEPS_PER_MICROSECOND: OnceLock<f64> = OnceLock::new();
    let steps = *STEPS_PER_MICROSECOND.get_or_init(calibrate);
    walk((time.as_secs_f64() * 1e6 * steps) as u64);
}

fn calibrate() -> f64 {
    const STEPS: u64 = 200_000;
    let fastest = (0..20)
        .map(|_| {
            let start = Instant::now();
            walk(STEPS);
            start.elapsed()
        })
        .min()
        .unwrap_or(Duration::from_micros(1));
    STEPS as f64 / (fastest.as_secs_f64() * 1e6)
}

fn walk(steps: u64) {
    let mut state = black_box(88_172_645_463_325_252_u64);
    for _ in 0..steps {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    black_box(state);
}
