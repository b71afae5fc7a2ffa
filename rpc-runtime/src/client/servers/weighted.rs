//! Picking among servers whose weights differ.

use super::balance::{Balance, Candidate, better};
use super::hash::{mix, of_text};
use crate::call::Request;

/// 2⁶⁴ by the golden ratio: its multiples, the whole ones left away, fill any interval evenly.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Says whether there is anything to weigh.
pub(super) fn differ(candidates: &[Candidate<'_>]) -> bool {
    let first = candidates.first().map(|it| it.weight);
    candidates.iter().any(|it| Some(it.weight) != first)
}

/// Picks as [`Balance`] says.
pub(super) fn pick<'a>(
    balance: &Balance,
    candidates: &'a [Candidate<'a>],
    request: &Request,
    turn: impl FnOnce() -> usize,
) -> Option<&'a Candidate<'a>> {
    let picked = match balance {
        Balance::LeastRequests => least_requests(candidates, turn),
        Balance::RoundRobin => in_turn(candidates, turn),
        Balance::Random => at(candidates.iter(), fastrand::f64()),
        Balance::PeakEwma => better_of_two(candidates),
        Balance::ConsistentHash(name) => match request.metadata().get(name) {
            None => least_requests(candidates, turn),
            Some(value) => closest(candidates, of_text(value.as_bytes())),
        },
    };
    picked.or_else(|| candidates.first())
}

/// Returns the server that so much of the sum of all weights falls to, from 0 to 1.
fn at<'a>(
    mut candidates: impl Iterator<Item = &'a Candidate<'a>> + Clone,
    share: f64,
) -> Option<&'a Candidate<'a>> {
    let sum: u64 = candidates.clone().map(|it| u64::from(it.weight)).sum();
    let mut left = (share * sum as f64) as u64;
    candidates.find(|it| match left.checked_sub(it.weight.into()) {
        Some(rest) => {
            left = rest;
            false
        }
        None => true,
    })
}

/// Returns each as often as its weight says, and as evenly spread as can be.
fn in_turn<'a>(
    candidates: &'a [Candidate<'a>],
    turn: impl FnOnce() -> usize,
) -> Option<&'a Candidate<'a>> {
    at(
        candidates.iter(),
        unit((turn() as u64).wrapping_mul(GOLDEN)),
    )
}

/// Makes a number from 0 to 1, without the 1, of all numbers.
fn unit(number: u64) -> f64 {
    (number >> 11) as f64 / (1_u64 << 53) as f64
}

fn least_requests<'a>(
    candidates: &'a [Candidate<'a>],
    turn: impl FnOnce() -> usize,
) -> Option<&'a Candidate<'a>> {
    let first = in_turn(candidates, turn)?;
    let cost = |it: &Candidate<'_>| it.calls as f64 / f64::from(it.weight);
    let others = candidates.iter().filter(|it| it.weight > 0);
    Some(others.fold(
        first,
        |least, it| {
            if cost(it) < cost(least) { it } else { least }
        },
    ))
}

fn better_of_two<'a>(candidates: &'a [Candidate<'a>]) -> Option<&'a Candidate<'a>> {
    let first = at(candidates.iter(), fastrand::f64())?;
    let others = candidates.iter().filter(|it| it.place != first.place);
    let second = at(others, fastrand::f64());
    Some(second.map_or(first, |second| better(first, second)))
}

/// Returns whose value it is: as for equal weights, a server that goes takes only its own along, and one
/// whose weight changes gets or gives only of its own.
fn closest<'a>(candidates: &'a [Candidate<'a>], value: u64) -> Option<&'a Candidate<'a>> {
    // Exponentially distributed with the weight as rate, so the least is each one's in proportion.
    let distance = |it: &Candidate<'_>| -unit(mix(it.node.hash, value)).ln() / f64::from(it.weight);
    let some = candidates.iter().filter(|it| it.weight > 0);
    some.min_by(|left, right| distance(left).total_cmp(&distance(right)))
}
