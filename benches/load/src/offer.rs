//! Calls that come at a rate, however the server is, and what became of them.

use std::time::{Duration, Instant};

use rpc_runtime::{Code, Status};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::service::LoadClient;

/// After so long nobody wants the answer any more.
const PATIENCE: Duration = Duration::from_secs(1);

/// How many callers find out how much the server can do.
const CALLERS: usize = 64;

/// What a call is short of at the server.
#[derive(Clone, Copy)]
pub(crate) enum Short {
    /// Something shared, such as connections to a database: each call holds one of some places.
    Places,
    /// Processors: each call computes, and awaits nothing.
    Processors,
    /// Processors, by calls that compute on threads of their own (`#[rpc(blocking)]`).
    ProcessorsApart,
}

/// One call that has ended.
pub(crate) struct Ended {
    /// When it was made, since the begin.
    pub(crate) at: Duration,
    pub(crate) took: Duration,
    pub(crate) result: Result<(), Code>,
}

/// What came of the calls of some time.
pub(crate) struct Outcome {
    pub(crate) time: Duration,
    pub(crate) calls: Vec<Ended>,
}

impl Outcome {
    /// Returns the calls that were answered in time, a second.
    pub(crate) fn goodput(&self) -> f64 {
        self.took(|result| result.is_ok()).len() as f64 / self.time.as_secs_f64()
    }

    /// Returns the time within which so many of the calls ended that ended like this, in milliseconds.
    pub(crate) fn quantile(&self, quantile: f64, like: fn(&Result<(), Code>) -> bool) -> f64 {
        let mut took = self.took(like);
        took.sort();
        let at = (took.len() as f64 * quantile) as usize;
        took.get(at).map_or(0.0, |took| took.as_secs_f64() * 1e3)
    }

    /// Returns the share of calls that ended like this, in percent.
    pub(crate) fn share(&self, like: fn(&Result<(), Code>) -> bool) -> f64 {
        100.0 * self.took(like).len() as f64 / self.calls.len().max(1) as f64
    }

    /// Returns what was called in the second half of the time.
    pub(crate) fn second_half(self) -> Self {
        let half = self.time / 2;
        let calls = self.calls.into_iter().filter(|call| call.at >= half);
        let calls = calls.collect();
        Self { time: half, calls }
    }

    fn took(&self, like: fn(&Result<(), Code>) -> bool) -> Vec<Duration> {
        let calls = self.calls.iter().filter(|call| like(&call.result));
        calls.map(|call| call.took).collect()
    }
}

pub(crate) fn is_refused(result: &Result<(), Code>) -> bool {
    *result == Err(Code::ResourceExhausted)
}

async fn call(client: LoadClient, short: Short) -> Result<(), Status> {
    match short {
        Short::Places => client.wait().timeout(PATIENCE).await,
        Short::Processors => client.compute().timeout(PATIENCE).await,
        Short::ProcessorsApart => client.compute_apart().timeout(PATIENCE).await,
    }
}

/// Makes `rate` calls a second, whatever becomes of them, and waits for their ends.
pub(crate) async fn offer(client: &LoadClient, short: Short, rate: f64, time: Duration) -> Outcome {
    let mut ticks = interval(Duration::from_millis(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let start = Instant::now();
    let (mut begun, mut running) = (0, JoinSet::new());
    let mut calls = Vec::new();
    while start.elapsed() < time {
        ticks.tick().await;
        let due = (start.elapsed().as_secs_f64() * rate) as usize;
        for _ in begun..due {
            let client = client.clone();
            running.spawn(async move {
                let at = start.elapsed();
                let result = call(client, short).await;
                let result = result.map_err(|status| status.code());
                let took = start.elapsed() - at;
                Ended { at, took, result }
            });
        }
        begun = due;
        while let Some(Ok(ended)) = running.try_join_next() {
            calls.push(ended);
        }
    }
    calls.extend(running.join_all().await);
    Outcome { time, calls }
}

/// Returns how many calls a second the server answers at most: callers that wait for their answers find it
/// out without overloading it much.
pub(crate) async fn peak(client: &LoadClient, short: Short, time: Duration) -> f64 {
    let start = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let client = client.clone();
        callers.spawn(async move {
            let mut answered = 0;
            while start.elapsed() < time {
                match call(client.clone(), short).await {
                    Ok(()) => answered += 1,
                    Err(_) => tokio::time::sleep(PATIENCE / 100).await,
                }
            }
            answered
        });
    }
    let answered: u32 = callers.join_all().await.into_iter().sum();
    f64::from(answered) / start.elapsed().as_secs_f64()
}
