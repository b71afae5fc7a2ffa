//! What the driver looks at once in a turn, under one lock.

use tokio::time::Instant;

use super::connection::Shared;

/// What the driver looks at after it has read.
pub(super) struct Look {
    /// The open calls of both sides.
    pub(super) calls: usize,
    /// [`State::has_company`](super::state::State::has_company)
    pub(super) has_company: bool,
    pub(super) has_outgoing: bool,
    /// The earliest moment at which some call must be looked at.
    pub(super) next_sweep: Option<Instant>,
}

impl Look {
    pub(super) fn at(shared: &Shared) -> Self {
        let state = shared.state();
        Self {
            calls: state.calls.len() + state.peers_calls.len(),
            has_company: state.has_company(),
            has_outgoing: !state.outgoing.is_empty(),
            next_sweep: state.next_sweep,
        }
    }
}
