//! Masking: RFC 6455, section 5.3.

use std::hash::{BuildHasher, RandomState};

use super::Side;

/// Masks bytes that stand `offset` bytes behind the beginning of the payload, or unmasks them.
pub(super) fn mask(bytes: &mut [u8], key: [u8; 4], offset: u64) {
    let mut turned = key;
    turned.rotate_left((offset % 4) as usize);
    let [a, b, c, d] = turned;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(turned.iter().cycle()) {
        *byte ^= key;
    }
}

/// Makes the keys that a client masks its frames with.
///
/// A page that chooses what is sent must not know what goes over the line, where it could be made
/// to look like a request to a proxy that does not know WebSocket (section 10.3). A key is a
/// counter, hashed by SipHash under a key that the standard library draws from the system.
pub(super) struct MaskKeys(Option<(RandomState, u64)>);

impl MaskKeys {
    pub(super) fn of(side: Side) -> Self {
        Self((side == Side::Client).then(|| (RandomState::new(), 0)))
    }

    /// The key for the next frame; a server has none.
    pub(super) fn next(&mut self) -> Option<[u8; 4]> {
        let (state, counter) = self.0.as_mut()?;
        *counter += 1;
        Some((state.hash_one(*counter) as u32).to_ne_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_part_is_masked_as_the_whole() {
        let key = [1, 2, 3, 4];
        let plain: Vec<u8> = (0..100).collect();
        let expected: Vec<u8> = (0_usize..100).map(|at| at as u8 ^ key[at % 4]).collect();
        for split in 0..=plain.len() {
            let mut bytes = plain.clone();
            let (first, second) = bytes.split_at_mut(split);
            mask(first, key, 0);
            mask(second, key, split as u64);
            assert_eq!(bytes, expected, "{split}");
        }
    }

    #[test]
    fn only_a_client_masks_and_never_twice_with_one_key() {
        assert_eq!(MaskKeys::of(Side::Server).next(), None);
        let mut keys = MaskKeys::of(Side::Client);
        let mut other = MaskKeys::of(Side::Client);
        let drawn: std::collections::HashSet<_> =
            (0..100).flat_map(|_| [keys.next(), other.next()]).collect();
        assert!(drawn.len() > 190, "{}", drawn.len());
    }
}
