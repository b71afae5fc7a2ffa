//! What a process costs.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use serde::{Deserialize, Serialize};

/// What a process takes.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Usage {
    /// Resident memory. The kernel's socket buffers are not in it.
    pub(crate) resident_kib: f64,
    /// CPU time so far, in milliseconds.
    pub(crate) cpu_ms: f64,
}

impl Usage {
    /// Returns what this process takes; what the system does not tell is 0.
    pub(crate) fn now() -> Self {
        let cpu = getrusage(UsageWho::RUSAGE_SELF)
            .map(|usage| usage.user_time() + usage.system_time())
            .map_or(0, |time| time.num_milliseconds());
        Self {
            resident_kib: resident_kib().unwrap_or_default(),
            cpu_ms: cpu as f64,
        }
    }

    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            resident_kib: self.resident_kib - before.resident_kib,
            cpu_ms: self.cpu_ms - before.cpu_ms,
        }
    }
}

fn resident_kib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}
