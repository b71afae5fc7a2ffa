//! What was measured, as one line of JSON on standard output.

use serde_json::json;

use crate::process::CpuTime;
use crate::{Latencies, Result};

/// Where the figures of one workload of one peer go.
#[derive(Clone, Copy)]
pub(crate) struct Recorder {
    pub(crate) peer: &'static str,
    pub(crate) workload: &'static str,
    /// The point of a sweep, such as the number of callers.
    pub(crate) x: Option<u64>,
}

impl Recorder {
    pub(crate) fn at(self, x: u64) -> Self {
        Self { x: Some(x), ..self }
    }

    pub(crate) fn value(&self, metric: &str, value: f64) {
        self.line(json!({ "metric": metric, "value": value }));
    }

    /// Says that there is no figure, and why.
    pub(crate) fn none(&self, why: &str) {
        self.line(json!({ "none": why }));
    }

    pub(crate) fn cpu(&self, start: CpuTime, calls: u64) -> Result<()> {
        let spent = start.since()?;
        self.value("cpu_us", spent.total() / calls as f64);
        self.value("user_us", spent.user / calls as f64);
        Ok(())
    }

    pub(crate) fn latencies(&self, mut latencies: Latencies) {
        latencies.sort();
        self.value("p50_us", latencies.quantile(0.5));
        self.value("p99_us", latencies.quantile(0.99));
        self.value("p999_us", latencies.quantile(0.999));
        self.value("mean_us", latencies.mean());
    }

    fn line(&self, mut line: serde_json::Value) {
        let round = std::env::var("ROUND")
            .ok()
            .and_then(|round| round.parse().ok())
            .unwrap_or(1_u64);
        line["round"] = round.into();
        line["peer"] = self.peer.into();
        line["workload"] = self.workload.into();
        if let Some(x) = self.x {
            line["x"] = x.into();
        }
        println!("{line}");
    }
}
