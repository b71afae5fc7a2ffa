//! What the whole process costs: client, server, and the kernel's work for both.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

use crate::Result;

/// CPU time of the process so far, in microseconds.
#[derive(Clone, Copy)]
pub(crate) struct CpuTime {
    pub(crate) user: f64,
    pub(crate) system: f64,
}

impl CpuTime {
    pub(crate) fn now() -> Result<Self> {
        let usage = getrusage(UsageWho::RUSAGE_SELF)?;
        Ok(Self {
            user: usage.user_time().num_microseconds() as f64,
            system: usage.system_time().num_microseconds() as f64,
        })
    }

    pub(crate) fn since(self) -> Result<Self> {
        let now = Self::now()?;
        Ok(Self {
            user: now.user - self.user,
            system: now.system - self.system,
        })
    }

    pub(crate) fn total(self) -> f64 {
        self.user + self.system
    }
}

/// Resident memory of the process. The kernel's socket buffers are not in it.
pub(crate) fn resident_kib() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number
        .ok_or_else(|| anyhow::anyhow!("no VmRSS in /proc/self/status"))?
        .parse()?)
}
