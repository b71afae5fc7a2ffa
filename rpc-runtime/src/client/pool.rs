//! The connections to one address: mostly one, and more while none has a place for a call.

#![allow(
    clippy::result_large_err,
    reason = "nothing failed: the request comes back"
)]

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;
use std::time::Duration;

use tokio::time::sleep;

use super::endpoint::{Attempt, Endpoint};
use crate::call::{Request, Response};
use crate::service::BoxFuture;
use crate::status::Status;
use crate::wire::Connection;

/// A further connection that had no calls at this many looks in a row is closed.
const IDLE_LOOKS: u32 = 3;
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);

/// One address, with its connections.
pub(super) struct Pool {
    first: Arc<Endpoint>,
    /// Those beside the first, while there are calls for them.
    further: Mutex<Vec<Arc<Endpoint>>>,
    max_connections: usize,
}

impl Pool {
    pub(super) fn new(first: Arc<Endpoint>, max_connections: usize) -> Arc<Self> {
        Arc::new(Self {
            first,
            further: Mutex::default(),
            max_connections,
        })
    }

    /// Returns the endpoint that every connection is like.
    pub(super) fn first(&self) -> &Arc<Endpoint> {
        &self.first
    }

    /// Returns the calls on their way to this address; `None` while it is out of reach.
    pub(super) fn load(&self) -> Option<usize> {
        let further = self.further();
        let further = further.iter().filter_map(|it| it.open_connection());
        Some(self.first.load()? + further.map(|it| it.calls()).sum::<usize>())
    }

    fn further(&self) -> MutexGuard<'_, Vec<Arc<Endpoint>>> {
        self.further.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a call: at once where there is a place for it.
    pub(super) fn start(
        self: &Arc<Self>,
        request: Request,
    ) -> BoxFuture<'static, Result<Response, Status>> {
        match self.try_start(request) {
            Ok(future) => future,
            Err(request) => {
                let pool = Arc::clone(self);
                Box::pin(async move { pool.wait_and_start(request).await })
            }
        }
    }

    fn try_start(
        &self,
        request: Request,
    ) -> Result<BoxFuture<'static, Result<Response, Status>>, Request> {
        let started = if let Some(connection) = self.first.first_connection() {
            connection.try_start(request)
        } else if let Some(connection) = self.first.open_connection() {
            connection.try_start(request)
        } else {
            return Err(request);
        };
        started.or_else(|request| self.try_start_further(request))
    }

    fn try_start_further(
        &self,
        mut request: Request,
    ) -> Result<BoxFuture<'static, Result<Response, Status>>, Request> {
        for endpoint in self.further().iter() {
            if let Some(connection) = endpoint.open_connection() {
                request = match connection.try_start(request) {
                    Ok(future) => return Ok(future),
                    Err(request) => request,
                };
            }
        }
        Err(request)
    }

    /// Waits for a connection, for a place on any that is open, and for a further one that is made.
    async fn wait_and_start(self: &Arc<Self>, mut request: Request) -> Result<Response, Status> {
        let end = request.first_deadline();
        loop {
            let first = self.first.connected(end).await?;
            let started = first.try_start(request);
            request = match started.or_else(|request| self.try_start_further(request)) {
                Ok(future) => return future.await,
                Err(request) => request,
            };
            let grown = self.grow();
            let open = self.connections(first);
            let grown = async {
                match &grown {
                    Some(attempt) => attempt.over().await,
                    None => std::future::pending().await,
                }
            };
            let place = first_of(
                open.iter()
                    .map(|it| async move { (it, it.place(end).await) }),
            );
            tokio::select! {
                (connection, place) = place => {
                    return connection.start_at(place?, request).await;
                }
                () = grown => {}
            }
        }
    }

    fn connections(&self, first: Arc<Connection>) -> Vec<Arc<Connection>> {
        let further = self.further();
        let further = further.iter().filter_map(|it| it.open_connection());
        std::iter::once(first).chain(further).collect()
    }

    /// Has one connection more made, if there may be one, and none is on its way already.
    fn grow(self: &Arc<Self>) -> Option<Arc<Attempt>> {
        let mut further = self.further();
        for endpoint in further.iter() {
            match endpoint.connection_or_attempt() {
                Ok(_) => {}
                Err(Ok(attempt)) => return Some(attempt),
                Err(Err(reason)) => {
                    tracing::debug!(%reason, "no further connection can be made now");
                    return None;
                }
            }
        }
        if further.len() + 1 >= self.max_connections {
            return None;
        }
        let endpoint = self.first.sibling();
        let attempt = endpoint.connection_or_attempt().err()?.ok();
        tokio::spawn(retire(Arc::downgrade(self), Arc::downgrade(&endpoint)));
        further.push(endpoint);
        attempt
    }
}

/// Lets a further connection go when there are no calls for it.
async fn retire(pool: Weak<Pool>, endpoint: Weak<Endpoint>) {
    let mut idle = 0;
    loop {
        sleep(BETWEEN_LOOKS).await;
        let (Some(pool), Some(endpoint)) = (pool.upgrade(), endpoint.upgrade()) else {
            return;
        };
        let has_calls = endpoint.load().is_some_and(|calls| calls > 0);
        idle = if has_calls { 0 } else { idle + 1 };
        if idle >= IDLE_LOOKS {
            pool.further().retain(|it| !Arc::ptr_eq(it, &endpoint));
            return;
        }
    }
}

/// Waits for the first of some futures.
async fn first_of<F: Future>(futures: impl Iterator<Item = F>) -> F::Output {
    let mut futures: Vec<_> = futures.map(Box::pin).collect();
    poll_fn(|cx| {
        let ready = |it: &mut std::pin::Pin<Box<F>>| match it.as_mut().poll(cx) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        };
        futures
            .iter_mut()
            .find_map(ready)
            .map_or(Poll::Pending, Poll::Ready)
    })
    .await
}
