//! The connection to Redis that all calls share, made anew when it is lost.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, Client};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::store::{PATIENCE, unavailable};
use crate::status::Status;

/// The connection there is, or the one that is being made.
#[derive(Default)]
pub(super) struct Shared(Mutex<Option<Arc<Connection>>>);

/// A connection, or what it became of making one. It is made in a task of its own, so that the attempt has its
/// whole time, however little the calls have left that wait for it, and fails all of them together.
pub(super) struct Connection {
    outcome: watch::Receiver<Option<Result<MultiplexedConnection, Status>>>,
    making: AbortHandle,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.making.abort();
    }
}

impl Shared {
    fn shared(&self) -> MutexGuard<'_, Option<Arc<Connection>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the connection that there is, or begins to make one.
    pub(super) fn get(&self, client: &Client) -> Arc<Connection> {
        let mut shared = self.shared();
        match &*shared {
            Some(connection) if !connection.has_failed() => Arc::clone(connection),
            _ => Arc::clone(shared.insert(Arc::new(Connection::make(client.clone())))),
        }
    }

    /// Forgets a connection that was lost; one that was made since then stays.
    pub(super) fn forget(&self, lost: &Arc<Connection>) {
        let mut shared = self.shared();
        if shared.as_ref().is_some_and(|it| Arc::ptr_eq(it, lost)) {
            *shared = None;
        }
    }
}

impl Connection {
    fn make(client: Client) -> Self {
        let (made, outcome) = watch::channel(None);
        let making = tokio::spawn(async move {
            // Calls have a time for their answers that is theirs.
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(PATIENCE))
                .set_response_timeout(None);
            let connection = client.get_multiplexed_async_connection_with_config(&config);
            made.send_replace(Some(connection.await.map_err(unavailable)));
        });
        Self {
            outcome,
            making: making.abort_handle(),
        }
    }

    /// Says whether there is nothing to wait for; also where the runtime ended in which it was made.
    fn has_failed(&self) -> bool {
        match &*self.outcome.borrow() {
            Some(outcome) => outcome.is_err(),
            None => self.outcome.has_changed().is_err(),
        }
    }

    /// Waits until it is made.
    pub(super) async fn made(&self) -> Result<MultiplexedConnection, Status> {
        let mut outcome = self.outcome.clone();
        match outcome.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(made)) => made.clone(),
            _ => Err(Status::unavailable("the connection to Redis was not made")),
        }
    }
}
