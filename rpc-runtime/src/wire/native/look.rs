//! What the driver looks at once in a turn, under one lock.

use tokio::time::Instant;

use super::connection::Shared;

/// What the driver looks at after it has read.
pub(super) struct Look {
    /// The open calls of both sides.
    pub(super) calls: usize,
    /// [`State::has_company`](super::state::State::has_company)
    pub(super) has_company: bool,
    /// The bytes that wait to be written.
    pub(super) outgoing: usize,
    /// The earliest moment at which some call must be looked at.
    pub(super) next_sweep: Option<Instant>,
}

impl Look {
    pub(super) fn at(shared: &Shared) -> Self {
        let mut state = shared.state();
        // It was woken by what came; nobody needs to do that now.
        state.driver = None;
        Self {
            calls: state.calls.len() + state.peers_calls.len(),
            has_company: state.has_company(),
            outgoing: state.outgoing.len(),
            next_sweep: state.next_sweep,
        }
    }
}
