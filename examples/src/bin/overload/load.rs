//! Callers that do not care how the server is.

use std::time::{Duration, Instant};

use rpc_runtime::{Channel, Code, Status};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep_until};

/// After so long nobody wants the answer any more.
const PATIENCE: Duration = Duration::from_secs(1);

/// How many callers find out how much the server can do.
const CALLERS: usize = 64;

/// What came of the calls of some time.
#[derive(Default)]
pub(crate) struct Outcome {
    time: Duration,
    /// How long those took that were answered, sorted.
    answered: Vec<Duration>,
    /// How long it took to refuse the others, sorted.
    refused: Vec<Duration>,
    /// How many were answered too late or not at all.
    late: usize,
}

impl Outcome {
    /// What the columns of a row are.
    pub(crate) const HEAD: &str = "offered                          goodput  of peak     p50     p99  refused  \
                            within    late";

    /// Returns the calls that were answered in time, a second.
    pub(crate) fn goodput(&self) -> f64 {
        self.answered.len() as f64 / self.time.as_secs_f64()
    }

    /// Returns the time in which 99 of 100 answered calls were.
    pub(crate) fn p99(&self) -> Duration {
        share(&self.answered, 0.99)
    }

    /// Returns a row of the table.
    pub(crate) fn row(&self, title: &str, peak: f64) -> String {
        let calls = self.answered.len() + self.refused.len() + self.late;
        let percent = |number: usize| 100.0 * number as f64 / calls.max(1) as f64;
        format!(
            "{title:<30} {:>7.0}/s  {:>6.0}%  {:>4.1}ms {:>5.1}ms  {:>6.1}% {:>5.1}ms  {:>5.1}%",
            self.goodput(),
            100.0 * self.goodput() / peak,
            milliseconds(share(&self.answered, 0.5)),
            milliseconds(self.p99()),
            percent(self.refused.len()),
            milliseconds(share(&self.refused, 0.99)),
            percent(self.late),
        )
    }

    fn note(&mut self, result: Result<(), Status>, took: Duration) {
        match result {
            Ok(()) => self.answered.push(took),
            Err(status) if status.code() == Code::ResourceExhausted => self.refused.push(took),
            Err(_) => self.late += 1,
        }
    }
}

fn share(sorted: &[Duration], share: f64) -> Duration {
    let at = (sorted.len() as f64 * share) as usize;
    sorted.get(at).copied().unwrap_or_default()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

async fn call(channel: Channel) -> (Result<(), Status>, Duration) {
    let start = Instant::now();
    let result = channel.call::<_, ()>("work", ()).timeout(PATIENCE).await;
    (result, start.elapsed())
}

/// Makes `rate` calls a second, whatever becomes of them, and waits for their ends.
pub(crate) async fn offer(channel: &Channel, rate: f64, time: Duration) -> Outcome {
    let mut ticks = interval(Duration::from_millis(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let start = Instant::now();
    let (mut begun, mut calls) = (0, JoinSet::new());
    let mut outcome = Outcome {
        time,
        ..Outcome::default()
    };
    while start.elapsed() < time {
        ticks.tick().await;
        let due = (start.elapsed().as_secs_f64() * rate) as usize;
        for _ in begun..due {
            calls.spawn(call(channel.clone()));
        }
        begun = due;
        while let Some(Ok((result, took))) = calls.try_join_next() {
            outcome.note(result, took);
        }
    }
    while let Some(Ok((result, took))) = calls.join_next().await {
        outcome.note(result, took);
    }
    outcome.answered.sort();
    outcome.refused.sort();
    outcome
}

/// Returns how many calls a second the server answers at most: callers that wait for their answers
/// find it out without overloading it much.
pub(crate) async fn peak(channel: &Channel, time: Duration) -> f64 {
    let end = tokio::time::Instant::now() + time;
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let channel = channel.clone();
        callers.spawn(async move {
            let mut answered = 0;
            while tokio::time::Instant::now() < end {
                match call(channel.clone()).await {
                    (Ok(()), _) => answered += 1,
                    (Err(_), _) => sleep_until(tokio::time::Instant::now() + PATIENCE / 100).await,
                }
            }
            answered
        });
    }
    let answered: u32 = callers.join_all().await.into_iter().sum();
    f64::from(answered) / time.as_secs_f64()
}
