//! Further connections to an address, while those that are there have no place for a call.

#![allow(
    clippy::result_large_err,
    reason = "nothing failed: the request comes back"
)]

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::endpoint::{Attempt, Endpoint};
use crate::call::{Request, Response};
use crate::service::ResponseFuture;
use crate::status::Status;
use crate::wire::{Connection, Place, may_go_again};

/// A further connection that had no calls at this many looks in a row is closed.
const IDLE_LOOKS: u32 = 3;
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);

/// The connections of an endpoint beside its own, each an endpoint by itself.
#[derive(Default)]
pub(super) struct Further(Mutex<Vec<Arc<Endpoint>>>);

impl Further {
    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Endpoint>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> Vec<Arc<Connection>> {
        let endpoints = self.lock();
        let open = endpoints.iter().filter_map(|it| it.open_connection());
        open.collect()
    }

    /// Returns the calls that are on their way.
    pub(super) fn calls(&self) -> usize {
        self.open().iter().map(|it| it.calls()).sum()
    }

    /// Begins a call where there is a place for it; else the request comes back.
    pub(super) fn start(&self, mut request: Request) -> Result<ResponseFuture, Request> {
        for connection in self.open() {
            request = match connection.try_start(request) {
                Ok(future) => return Ok(future),
                Err(request) => request,
            };
        }
        Err(request)
    }
}

impl Endpoint {
    /// Makes a call: waits for a connection, for a place on any that is open, and for a further one
    /// that is made.
    pub(super) async fn call(self: &Arc<Self>, mut request: Request) -> Result<Response, Status> {
        let end = request.first_deadline();
        loop {
            let own = self.connected(end).await?;
            let spare = match own.may_end_when_idle() {
                true => request.try_clone(),
                false => None,
            };
            let started = own.try_start(request);
            let call = match started.or_else(|request| self.further().start(request)) {
                Ok(call) => call,
                Err(waiting) => match self.place(own, end).await? {
                    Some((connection, place)) => connection.start_at(place, waiting),
                    None => {
                        request = waiting;
                        continue;
                    }
                },
            };
            match ended(call, spare).await {
                Ok(result) => return result,
                Err(again) => request = again,
            }
        }
    }

    /// Waits for a place on any connection; `None` when there is another reason to look again.
    async fn place(
        self: &Arc<Self>,
        own: Arc<Connection>,
        end: Option<Instant>,
    ) -> Result<Option<(Arc<Connection>, Place)>, Status> {
        // Where the endpoint's own is lost, that is made again, and not one beside it.
        let grown = own.is_open().then(|| self.grow()).flatten();
        let mut open = self.further().open();
        open.push(own);
        let grown = async {
            match &grown {
                Some(attempt) => attempt.over().await,
                None => std::future::pending().await,
            }
        };
        let places = open
            .into_iter()
            .map(|it| async move { (it.place(end).await, it) });
        tokio::select! {
            // A place that is there is taken, whatever else was made meanwhile.
            biased;
            (place, connection) = first_of(places) => match place {
                Ok(place) => Ok(Some((connection, place))),
                // Another connection may have one, or be made.
                Err(status) if status.is_not_started() && !connection.is_open() => Ok(None),
                Err(status) => Err(status),
            },
            () = grown => Ok(None),
        }
    }

    /// Has one connection more made, if there may be one, and none is on its way already.
    fn grow(self: &Arc<Self>) -> Option<Arc<Attempt>> {
        let mut further = self.further().lock();
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
        if further.len() + 1 >= self.max_connections() {
            return None;
        }
        let endpoint = self.sibling();
        let attempt = endpoint.connection_or_attempt().err()?.ok();
        tokio::spawn(retire(Arc::downgrade(self), Arc::downgrade(&endpoint)));
        further.push(endpoint);
        attempt
    }
}

/// Waits for the end of a call; one that can be made on another connection comes back.
async fn ended(
    call: impl Future<Output = Result<Response, Status>>,
    spare: Option<Request>,
) -> Result<Result<Response, Status>, Request> {
    match (call.await, spare) {
        (Err(status), Some(spare)) => {
            let descriptor = spare.method().descriptor();
            let is_idempotent = descriptor.is_some_and(|it| it.is_idempotent());
            match may_go_again(&status, is_idempotent) {
                true => Err(spare),
                false => Ok(Err(status)),
            }
        }
        (result, _) => Ok(result),
    }
}

/// Lets a further connection go when there are no calls for it.
async fn retire(of: Weak<Endpoint>, endpoint: Weak<Endpoint>) {
    let mut idle = 0;
    loop {
        sleep(BETWEEN_LOOKS).await;
        let (Some(of), Some(endpoint)) = (of.upgrade(), endpoint.upgrade()) else {
            return;
        };
        let connection = endpoint.open_connection();
        let has_calls = connection.is_some_and(|it| it.calls() > 0);
        idle = if has_calls { 0 } else { idle + 1 };
        if idle >= IDLE_LOOKS {
            let mut further = of.further().lock();
            further.retain(|it| !Arc::ptr_eq(it, &endpoint));
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
