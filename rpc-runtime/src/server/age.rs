//! How old a connection may become.

use std::pin::pin;
use std::time::Duration;

use tokio::time::timeout;

use crate::call::FAR_AHEAD;
use crate::status::Status;
use crate::wire::Draining;

/// How much earlier or later a connection ends than it is set to, as a share of its age: those that
/// were made together, as after a restart, do not end together.
const JITTER: f64 = 0.1;

/// How old a connection may become, and how long its calls may go on then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Age {
    pub(super) age: Duration,
    pub(super) grace: Duration,
}

impl Age {
    /// Serves a connection, and ends it when it is old.
    pub(super) async fn bound(
        self,
        serving: impl Future<Output = Result<(), Status>>,
        draining: &Draining,
    ) -> Result<(), Status> {
        let mut serving = pin!(serving);
        let age = self
            .age
            .min(FAR_AHEAD)
            .mul_f64(1.0 + JITTER * (2.0 * fastrand::f64() - 1.0));
        if let Ok(ended) = timeout(age, &mut serving).await {
            return ended;
        }
        draining.begin();
        match timeout(self.grace, serving).await {
            Ok(ended) => ended,
            Err(_) => Err(Status::unavailable(
                "calls were open longer than the grace of `max_connection_age`",
            )),
        }
    }
}
