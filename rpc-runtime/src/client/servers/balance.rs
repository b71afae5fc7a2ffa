//! Which of several servers a call goes to.

use http::HeaderName;

use super::hash::{mix, of_text};
use super::node::Node;
use super::weighted;
use crate::call::Request;

/// What a call costs, in seconds, that waits for the first answer of its server.
const UNANSWERED: f64 = 86_400.0;

/// How the calls of a channel are spread over its servers.
///
/// Whatever the way, a call goes to a server that is connected while there is one, and not to one
/// that [failed too often](crate::client::Connect::eject_after) or said that it shuts down; and while
/// servers of a lower [priority](crate::client::Instance::priority) number can be reached, to none of a
/// higher one.
///
/// Servers whose [weights](crate::client::Instance::weight) differ get calls in proportion to them, as far
/// as the way leaves that open: `LeastRequests` compares calls on their way by weight, and idle servers
/// take turns by weight; so does `RoundRobin`. `Random` draws by weight, and so does `PeakEwma` the two of
/// which it takes the better. To `ConsistentHash` a server belong as many values as it has weight.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Balance {
    /// To the server with the fewest calls on their way, taking turns among equals.
    #[default]
    LeastRequests,
    /// To one after the other.
    RoundRobin,
    /// To any.
    Random,
    /// To the better of two that are drawn: the one with the lower product of its calls on their
    /// way and how long it takes. A slow answer counts at once and is forgotten in seconds
    /// (peak EWMA, as Finagle has it). For servers that differ, or change, in speed.
    PeakEwma,
    /// To the server that the value of this metadata belongs to, as long as that is ready. When
    /// servers come and go, only their own values move. A call without it goes where
    /// `LeastRequests` would send it.
    ConsistentHash(HeaderName),
}

/// A server that a call may go to.
pub(super) struct Candidate<'a> {
    pub(super) node: &'a Node,
    pub(super) place: usize,
    pub(super) calls: usize,
    pub(super) weight: u32,
}

impl Balance {
    /// Picks one of the candidates; `None` if there is none. `turn` counts the calls, and is
    /// asked where that counts.
    pub(super) fn pick<'a>(
        &self,
        candidates: &'a [Candidate<'a>],
        request: &Request,
        turn: impl FnOnce() -> usize,
    ) -> Option<&'a Candidate<'a>> {
        if candidates.len() <= 1 {
            return candidates.first();
        }
        if weighted::differ(candidates) {
            return weighted::pick(self, candidates, request, turn);
        }
        match self {
            Self::LeastRequests => least_requests(candidates, turn),
            Self::RoundRobin => candidates.get(turn() % candidates.len()),
            Self::Random => candidates.get(fastrand::usize(..candidates.len())),
            Self::PeakEwma => better_of_two(candidates),
            Self::ConsistentHash(name) => match request.metadata().get(name) {
                None => least_requests(candidates, turn),
                Some(value) => {
                    let value = of_text(value.as_bytes());
                    // The highest of random weights: a server that goes takes only its own along.
                    candidates.iter().max_by_key(|it| mix(it.node.hash, value))
                }
            },
        }
    }
}

fn least_requests<'a>(
    candidates: &'a [Candidate<'a>],
    turn: impl FnOnce() -> usize,
) -> Option<&'a Candidate<'a>> {
    let start = turn() % candidates.len();
    let (before, from) = candidates.split_at(start);
    from.iter().chain(before).min_by_key(|it| it.calls)
}

/// Draws two and returns the better: nearly as good as the best of all, and no herd runs to it
/// (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001).
fn better_of_two<'a>(candidates: &'a [Candidate<'a>]) -> Option<&'a Candidate<'a>> {
    let first = fastrand::usize(..candidates.len());
    let second = (first + fastrand::usize(1..candidates.len())) % candidates.len();
    Some(better(candidates.get(first)?, candidates.get(second)?))
}

/// Returns the one with the lower product of its calls on their way and how long it takes.
pub(super) fn better<'a>(first: &'a Candidate<'a>, second: &'a Candidate<'a>) -> &'a Candidate<'a> {
    let cost = |it: &Candidate<'_>| match it.node.latency() {
        Some(latency) => latency * (it.calls as f64 + 1.0),
        // Nobody knows how slow it is: who calls it first finds out, and others wait for that elsewhere.
        None => UNANSWERED * it.calls as f64,
    };
    if cost(second) < cost(first) {
        second
    } else {
        first
    }
}
