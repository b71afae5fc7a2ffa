//! The formats that users add to a process while it runs.

use std::error::Error as StdError;
use std::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};

use super::format::Format;

/// The most formats that a process can register. A bound, because a format is never dropped.
const MAX_FORMATS: usize = 32;

/// The longest name of a registered format.
const MAX_NAME_LENGTH: usize = 32;

/// The names that are taken in every build, so that a name means the same in all of them.
const BUILT_IN_NAMES: [&str; 4] = ["msgpack", "json", "postcard", "protobuf"];

/// The formats of this process.
pub(super) static REGISTRY: Registry = Registry::new();

/// Formats by index and by name.
pub(super) struct Registry {
    /// Filled from the front. Cells and no lock around them, because every call reads one.
    formats: [OnceLock<Registered>; MAX_FORMATS],
    /// Held while a format is added, so that two cannot take one name.
    adding: Mutex<()>,
}

/// A format, and the name that it had when it was registered.
pub(super) struct Registered {
    pub(super) name: &'static str,
    pub(super) format: Box<dyn Format>,
}

impl Registry {
    const fn new() -> Self {
        Self {
            formats: [const { OnceLock::new() }; MAX_FORMATS],
            adding: Mutex::new(()),
        }
    }

    /// Adds a format and returns its index.
    pub(super) fn add(&self, format: Box<dyn Format>) -> Result<u8, RegisterError> {
        let name = format.name();
        if !is_valid_name(name) {
            return Err(RegisterError {
                name,
                refusal: Refusal::BadName,
            });
        }
        // The lock guards no data, so one that a panic poisoned is as good as any.
        let _adding = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        if BUILT_IN_NAMES.contains(&name) || self.find(name).is_some() {
            return Err(RegisterError {
                name,
                refusal: Refusal::NameTaken,
            });
        }
        let mut entry = Registered { name, format };
        for (index, cell) in (0_u8..).zip(&self.formats) {
            match cell.set(entry) {
                Ok(()) => return Ok(index),
                Err(refused) => entry = refused,
            }
        }
        Err(RegisterError {
            name,
            refusal: Refusal::Full,
        })
    }

    pub(super) fn get(&self, index: u8) -> Option<&Registered> {
        self.formats.get(usize::from(index))?.get()
    }

    /// Returns the index of the format with this name.
    pub(super) fn find(&self, name: &str) -> Option<u8> {
        let mut formats = (0_u8..).zip(self.iter());
        formats
            .find(|(_, entry)| entry.name == name)
            .map(|(index, _)| index)
    }

    /// Returns all formats, in the order of their indices.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Registered> {
        self.formats.iter().map_while(OnceLock::get)
    }
}

/// A name goes into headers and error messages, so it has the characters of a media subtype.
fn is_valid_name(name: &str) -> bool {
    let is_allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'+' | b'.' | b'-');
    (1..=MAX_NAME_LENGTH).contains(&name.len()) && name.bytes().all(is_allowed)
}

/// Why a format could not be registered.
#[derive(Debug)]
pub struct RegisterError {
    name: &'static str,
    refusal: Refusal,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Refusal {
    BadName,
    NameTaken,
    Full,
}

impl RegisterError {
    /// Returns whether another format has the name: harmless where one format is registered twice.
    pub fn is_name_taken(&self) -> bool {
        self.refusal == Refusal::NameTaken
    }
}

impl fmt::Display for RegisterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name;
        match self.refusal {
            Refusal::BadName => write!(
                f,
                "{name:?} cannot name a format: \
                 write 1 to {MAX_NAME_LENGTH} of `a-z`, `0-9`, `+`, `.` and `-`"
            ),
            Refusal::NameTaken => write!(f, "there is a format named `{name}` already"),
            Refusal::Full => write!(
                f,
                "no room for the format `{name}`: {MAX_FORMATS} formats are registered already"
            ),
        }
    }
}

impl StdError for RegisterError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{AnySeed, AnyValue};

    struct Named(&'static str);

    impl Format for Named {
        fn name(&self) -> &'static str {
            self.0
        }

        fn serialize(
            &self,
            _value: AnyValue<'_>,
            _out: &mut Vec<u8>,
        ) -> Result<(), Box<dyn StdError + Send + Sync>> {
            Ok(())
        }

        fn deserialize<'de>(
            &self,
            _bytes: &'de [u8],
            _seed: AnySeed<'_, 'de>,
        ) -> Result<(), Box<dyn StdError + Send + Sync>> {
            Ok(())
        }
    }

    #[test]
    fn the_number_of_formats_is_bounded() {
        let registry = Registry::new();
        let letters = "abcdefghijklmnopqrstuvwxyz012345";
        for (index, start) in (0_u8..).zip(0..letters.len()) {
            let name = &letters[start..=start];
            assert_eq!(registry.add(Box::new(Named(name))).unwrap(), index);
            assert_eq!(registry.find(name), Some(index));
            assert_eq!(registry.get(index).unwrap().name, name);
        }
        let error = registry
            .add(Box::new(Named("z33")))
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "no room for the format `z33`: 32 formats are registered already"
        );
        assert!(
            registry
                .add(Box::new(Named("a")))
                .unwrap_err()
                .is_name_taken()
        );
        assert!(registry.get(32).is_none() && registry.find("z33").is_none());
        assert_eq!(registry.iter().count(), 32);
    }
}
