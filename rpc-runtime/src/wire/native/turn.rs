//! Waiting before a call begins: for the peer to introduce itself, for room to write, and for one
//! of the places that the peer gives.

use std::future::poll_fn;
use std::task::Poll;

use tokio::sync::{Semaphore, TryAcquireError};
use tokio::time::Instant;

use super::connection::Shared;
use super::room::Wanted;
use crate::call::Request;
use crate::status::{Phase, Status};

/// A place among the calls at once, until a call has taken it over.
pub(super) struct Place<'a>(Option<&'a Semaphore>);

impl Place<'_> {
    /// Leaves the place to a call that has begun.
    pub(super) fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(places) = self.0 {
            places.add_permits(1);
        }
    }
}

/// Takes a place at once, if there is one.
pub(super) fn take_place(shared: &Shared) -> Option<Place<'_>> {
    shared.places.try_acquire().ok()?.forget();
    Some(Place(Some(&shared.places)))
}

/// Waits for room and for a place, no longer than the call or its acceptance may take.
pub(super) async fn wait_for_turn<'a>(
    shared: &'a Shared,
    request: &Request,
    wanted: Wanted,
) -> Result<Place<'a>, Status> {
    let end = request.first_deadline();
    wait_for_introduction(shared, end).await?;
    if !has_room(shared, wanted) {
        wait_for_room(shared, wanted, end).await?;
    }
    wait_for_place(shared, end).await?;
    Ok(Place(Some(&shared.places)))
}

/// Waits until the peer's settings are here: until then it gives no places. An error says why the
/// connection was closed before that.
pub(super) async fn introduced(shared: &Shared) -> Result<(), Status> {
    poll_fn(|cx| {
        let mut state = shared.state();
        if shared.peer_settings.get().is_some() {
            return Poll::Ready(Ok(()));
        }
        if let Some(reason) = &state.closed {
            return Poll::Ready(Err(reason.clone()));
        }
        state.room.push(Wanted::Any, cx.waker().clone());
        Poll::Pending
    })
    .await
}

async fn wait_for_introduction(shared: &Shared, deadline: Option<Instant>) -> Result<(), Status> {
    if shared.peer_settings.get().is_some() {
        return Ok(());
    }
    let introduced = match deadline {
        None => introduced(shared).await,
        Some(deadline) => tokio::time::timeout_at(deadline, introduced(shared))
            .await
            .unwrap_or_else(|_| {
                let text = "the deadline passed before the peer had introduced itself";
                Err(Status::deadline_exceeded(text))
            }),
    };
    introduced.map_err(|status| status.into_not_started().in_phase(Phase::Connect))
}

async fn wait_for_place(shared: &Shared, deadline: Option<Instant>) -> Result<(), Status> {
    let settings = shared.peer_settings.get();
    if settings.is_some_and(|it| it.max_calls == 0) {
        let text = "the other side of the connection serves nothing";
        return Err(Status::unimplemented(text).in_phase(Phase::Send));
    }
    match shared.places.try_acquire() {
        Ok(place) => {
            place.forget();
            return Ok(());
        }
        Err(TryAcquireError::Closed) => return Err(closed(shared)),
        Err(TryAcquireError::NoPermits) => {}
    }
    let acquired = match deadline {
        None => Ok(shared.places.acquire().await),
        Some(deadline) => tokio::time::timeout_at(deadline, shared.places.acquire()).await,
    };
    match acquired {
        Ok(Ok(place)) => {
            place.forget();
            Ok(())
        }
        Ok(Err(_)) => Err(closed(shared)),
        Err(_) => Err(Status::deadline_exceeded(
            "the deadline passed while the call waited for one of the peer's `max_calls` places",
        )
        .in_phase(Phase::Send)),
    }
}

/// Says whether the connection takes more to write.
pub(super) fn has_room(shared: &Shared, wanted: Wanted) -> bool {
    wanted.fits(&shared.state().outgoing, &shared.config.limits)
}

/// Waits until the connection takes more to write, or is closed.
pub(super) async fn room(shared: &Shared, wanted: Wanted) {
    poll_fn(|cx| {
        let mut state = shared.state();
        if state.closed.is_some() || wanted.fits(&state.outgoing, &shared.config.limits) {
            return Poll::Ready(());
        }
        state.room.push(wanted, cx.waker().clone());
        Poll::Pending
    })
    .await;
}

async fn wait_for_room(
    shared: &Shared,
    wanted: Wanted,
    deadline: Option<Instant>,
) -> Result<(), Status> {
    let Some(deadline) = deadline else {
        room(shared, wanted).await;
        return Ok(());
    };
    let waited = tokio::time::timeout_at(deadline, room(shared, wanted)).await;
    waited.map_err(|_| {
        let text = "the deadline passed while the call waited for the limit `max_outgoing`";
        Status::deadline_exceeded(text).in_phase(Phase::Send)
    })
}

fn closed(shared: &Shared) -> Status {
    let reason = shared.refusal(&shared.state());
    let reason = reason.unwrap_or_else(|| Status::unavailable("the connection is closed"));
    reason.into_not_started().in_phase(Phase::Send)
}
