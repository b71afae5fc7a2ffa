//! How long each call took.

use std::time::Duration;

/// Nanoseconds, one entry a call. All are kept, so a quantile is exact.
#[derive(Default)]
pub struct Latencies(Vec<u32>);

impl Latencies {
    pub fn push(&mut self, latency: Duration) {
        self.0
            .push(u32::try_from(latency.as_nanos()).unwrap_or(u32::MAX));
    }

    pub(crate) fn with_capacity(calls: usize) -> Self {
        Self(Vec::with_capacity(calls))
    }

    pub(crate) fn add(&mut self, mut other: Self) {
        if self.0.is_empty() {
            self.0 = other.0;
        } else {
            self.0.append(&mut other.0);
        }
    }

    pub(crate) fn sort(&mut self) {
        self.0.sort_unstable();
    }

    /// Returns microseconds; the latencies must have been sorted.
    pub(crate) fn quantile(&self, quantile: f64) -> f64 {
        let Some(last) = self.0.len().checked_sub(1) else {
            return f64::NAN;
        };
        let index = (self.0.len() as f64 * quantile) as usize;
        f64::from(self.0[index.min(last)]) / 1e3
    }

    pub(crate) fn mean(&self) -> f64 {
        let sum: u64 = self.0.iter().map(|&nanos| u64::from(nanos)).sum();
        sum as f64 / self.0.len() as f64 / 1e3
    }
}
