//! A table whose keys are secret.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

/// A map from secrets; how long a look-up takes says nothing about the secrets.
///
/// Both sides are hashed under keys that are random and never leave the process, and the hashes
/// are compared. A guess therefore cannot get nearer to a secret one byte at a time. The secrets
/// themselves are compared only after 128 bits of hash agree.
pub(super) struct SecretMap<T> {
    keys: [RandomState; 2],
    entries: HashMap<u128, (String, T)>,
}

impl<T> SecretMap<T> {
    pub(super) fn new(entries: impl IntoIterator<Item = (String, T)>) -> Self {
        let mut map = Self {
            keys: [RandomState::new(), RandomState::new()],
            entries: HashMap::new(),
        };
        for (secret, value) in entries {
            let hash = map.hash(&secret);
            map.entries.insert(hash, (secret, value));
        }
        map
    }

    pub(super) fn get(&self, secret: &str) -> Option<&T> {
        let (known, value) = self.entries.get(&self.hash(secret))?;
        (known == secret).then_some(value)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    fn hash(&self, secret: &str) -> u128 {
        let [high, low] = &self.keys;
        u128::from(high.hash_one(secret)) << 64 | u128::from(low.hash_one(secret))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_secret_finds_its_value() {
        let map = SecretMap::new([("abc".to_owned(), 1), ("abd".to_owned(), 2)]);
        assert_eq!(map.get("abc"), Some(&1));
        assert_eq!(map.get("abd"), Some(&2));
        for wrong in ["", "ab", "abcd", "ABC"] {
            assert_eq!(map.get(wrong), None);
        }
    }
}
