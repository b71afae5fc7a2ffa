//! The calls of the last minutes, so that none is accepted twice.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::status::Status;

/// Which key and which nonce: the first half of a SHA-256 of both.
type Seen = [u8; 16];

/// The nonces that were used and could still be used again.
#[derive(Default)]
pub(super) struct Replays(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    seen: HashSet<Seen>,
    /// The same by when they can be forgotten, in milliseconds since 1970.
    by_expiry: BTreeSet<(u64, Seen)>,
    /// The latest expiry that was forgotten; what expires by then may have been seen.
    forgotten: u64,
}

/// A nonce, and until when a call that carries it would be accepted.
pub(super) struct Use<'a> {
    pub(super) key_id: &'a str,
    pub(super) nonce: &'a [u8],
    pub(super) expiry: u64,
}

impl Replays {
    /// Notes a nonce, or refuses one that is known already or for which there is no room.
    pub(super) fn note(&self, used: &Use<'_>, now: u64, capacity: usize) -> Result<(), Status> {
        let entry = entry(used);
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.forget(now);
        // A call can be held up between the check of its time and here, and clocks can go back.
        if used.expiry <= inner.forgotten {
            return Err(Status::unauthenticated(
                "the call was signed too long ago to know whether it is a replay",
            ));
        }
        if inner.seen.contains(&entry) {
            return Err(Status::unauthenticated(
                "the call was replayed: its nonce was used before",
            ));
        }
        if inner.seen.len() >= capacity {
            return Err(Status::resource_exhausted(format!(
                "{capacity} signed calls came within the window, which is the limit of \
                 `HmacAuth::max_nonces`"
            )));
        }
        inner.seen.insert(entry);
        inner.by_expiry.insert((used.expiry, entry));
        Ok(())
    }
}

impl Inner {
    /// Forgets the nonces of calls that are too old to be accepted anyway.
    fn forget(&mut self, now: u64) {
        while let Some((expiry, entry)) = self.by_expiry.first().copied() {
            if expiry >= now {
                break;
            }
            self.by_expiry.pop_first();
            self.seen.remove(&entry);
            self.forgotten = expiry;
        }
    }
}

fn entry(used: &Use<'_>) -> Seen {
    let mut hash = Sha256::new();
    // The nonce is of one length, so the two cannot run into each other.
    hash.update(used.nonce);
    hash.update(used.key_id);
    let hash: [u8; 32] = hash.finalize().into();
    let (first, _) = hash.split_at(16);
    first.try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Code;

    fn used(key_id: &'static str, expiry: u64) -> Use<'static> {
        Use {
            key_id,
            nonce: &[7; 16],
            expiry,
        }
    }

    #[test]
    fn a_nonce_is_used_once_by_each_key_and_forgotten_after_its_time() {
        let replays = Replays::default();
        assert!(replays.note(&used("a", 10), 0, 9).is_ok());
        assert!(replays.note(&used("b", 10), 0, 9).is_ok());
        let status = replays.note(&used("a", 20), 10, 9).unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated);
        // Held up for longer than its nonce was kept.
        let status = replays.note(&used("a", 10), 11, 9).unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated);
        assert!(replays.note(&used("a", 20), 11, 9).is_ok());
        assert_eq!(replays.0.lock().unwrap().by_expiry.len(), 1);
    }

    #[test]
    fn the_memory_is_bounded_and_makes_room_as_nonces_expire() {
        let replays = Replays::default();
        assert!(replays.note(&used("a", 10), 0, 1).is_ok());
        let status = replays.note(&used("b", 10), 10, 1).unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert!(status.message().contains("`HmacAuth::max_nonces`"));
        assert!(replays.note(&used("b", 20), 11, 1).is_ok());
    }
}
