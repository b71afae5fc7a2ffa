//! Which calls of the peer are let in.

use super::connection::Shared;
use super::room::Wanted;
use super::state::State;
use crate::call::Limits;
use crate::status::Status;
use crate::wire::config::{RunningCall, Served};

/// What the state held when REQUESTs came.
#[derive(Clone, Copy)]
pub(super) struct Load {
    /// There is room for an answer.
    pub(super) room: bool,
    /// Bytes that wait to be written outside of large messages.
    pub(super) small: usize,
    calls: usize,
    draining: bool,
}

impl Load {
    pub(super) fn of(state: &State, limits: &Limits) -> Self {
        Self {
            room: Wanted::Any.fits(&state.outgoing, limits),
            small: state.outgoing.small_len(),
            calls: state.peers_calls.len(),
            draining: state.draining,
        }
    }
}

/// Counts the call, if the limits let it in.
pub(super) fn admit(shared: &Shared, served: &Served, load: Load) -> Result<RunningCall, Status> {
    if load.draining {
        return Err(Status::unavailable(
            "the server is shutting down and takes no new calls",
        ));
    }
    let limit = shared.config.limits.max_calls;
    let places = usize::try_from(limit).unwrap_or(usize::MAX);
    if load.calls >= places {
        make_place(shared, limit, places)?;
    }
    served.running.begin()
}

/// Lets a call in if only calls that were given up are too many.
fn make_place(shared: &Shared, limit: u32, places: usize) -> Result<(), Status> {
    let mut state = shared.state();
    if state.open_calls_of_peer() >= places {
        return Err(Status::resource_exhausted(format!(
            "the connection has the limit `max_calls` of {limit} calls open already"
        )));
    }
    let shortened = if state.peers_calls.len() >= places.saturating_mul(2) {
        state.take_oldest_silenced()
    } else {
        None
    };
    drop(state);
    if let Some(call) = shortened {
        shared.drop_peers_call(call, &Status::cancelled("the call was cancelled"));
    }
    Ok(())
}
