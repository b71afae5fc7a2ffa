//! Which form bytes have: [`Encoding`], and the formats that users register.

use std::error::Error as StdError;
use std::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};

use super::format::Format;

/// The most formats that a process can register. A bound, because a format is never dropped.
const MAX_REGISTERED: usize = 32;

/// The longest name of a registered format.
const MAX_NAME_LENGTH: usize = 32;

/// The names that are taken in every build, so that a name means the same in all of them.
const BUILT_IN_NAMES: [&str; 3] = ["msgpack", "json", "postcard"];

/// The form in which a value travels, such as JSON.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Encoding(Kind);

/// What an [`Encoding`] stands for.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    MessagePack,
    Json,
    #[cfg(feature = "postcard")]
    Postcard,
    /// An index into [`REGISTERED`], whose entry is set.
    Registered(u8),
}

struct Registered {
    name: &'static str,
    format: Box<dyn Format>,
}

/// The registered formats, filled from the front. Cells and no lock, because every call reads one.
static REGISTERED: [OnceLock<Registered>; MAX_REGISTERED] =
    [const { OnceLock::new() }; MAX_REGISTERED];

/// Held while a format is added, so that two cannot take one name.
static REGISTRATION: Mutex<()> = Mutex::new(());

impl Encoding {
    /// MessagePack, with the names of fields: compact, and open to new fields and variants.
    pub const MESSAGE_PACK: Self = Self(Kind::MessagePack);

    /// JSON, as serde_json writes it.
    ///
    /// Integers of 64 bits survive between peers of this library. JSON has no NaN and no
    /// infinity: serde_json writes them as `null`, which cannot be read back as a number.
    pub const JSON: Self = Self(Kind::Json);

    /// Postcard: values without names, smallest and fastest, for peers that are built together and
    /// trust each other. See [`SerdeWithPostcard`](super::SerdeWithPostcard).
    #[cfg(feature = "postcard")]
    pub const POSTCARD: Self = Self(Kind::Postcard);

    /// Returns the name: `msgpack`, `json`, `postcard`, or the one a format was registered under.
    pub fn name(self) -> &'static str {
        match self.0 {
            Kind::MessagePack => "msgpack",
            Kind::Json => "json",
            #[cfg(feature = "postcard")]
            Kind::Postcard => "postcard",
            // Only `register` makes this kind, and after it has filled the entry.
            Kind::Registered(index) => registered(index).map_or("unknown", |entry| entry.name),
        }
    }

    /// Returns the number on the wire: 1 for MessagePack, 2 for JSON, 3 for Postcard, `None` for a
    /// registered format, which travels by name.
    pub const fn number(self) -> Option<u8> {
        match self.0 {
            Kind::MessagePack => Some(1),
            Kind::Json => Some(2),
            #[cfg(feature = "postcard")]
            Kind::Postcard => Some(3),
            Kind::Registered(_) => None,
        }
    }

    /// Returns the encoding with this number on the wire, if this build has it.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::MESSAGE_PACK),
            2 => Some(Self::JSON),
            #[cfg(feature = "postcard")]
            3 => Some(Self::POSTCARD),
            _ => None,
        }
    }

    /// Returns the encoding of this name, if this build has it or it has been registered.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "msgpack" => Some(Self::MESSAGE_PACK),
            "json" => Some(Self::JSON),
            #[cfg(feature = "postcard")]
            "postcard" => Some(Self::POSTCARD),
            _ => all_registered()
                .find(|(_, entry)| entry.name == name)
                .map(|(encoding, _)| encoding),
        }
    }

    /// Adds a format to those that this process can speak, until it ends.
    ///
    /// # Errors
    ///
    /// When the name is not 1 to 32 characters out of `a-z`, `0-9`, `+`, `.` and `-`, when it is
    /// taken, or when 32 formats are registered already.
    ///
    /// # Examples
    ///
    /// See [`Format`].
    pub fn register(format: impl Format) -> Result<Self, RegisterError> {
        let name = format.name();
        if !is_valid_name(name) {
            return Err(RegisterError::new(name, Refusal::BadName));
        }
        // The lock guards no data, so one that a panic poisoned is as good as any.
        let _registration = REGISTRATION.lock().unwrap_or_else(PoisonError::into_inner);
        if BUILT_IN_NAMES.contains(&name) || Self::from_name(name).is_some() {
            return Err(RegisterError::new(name, Refusal::NameTaken));
        }
        let mut entry = Registered {
            name,
            format: Box::new(format),
        };
        for (index, cell) in (0_u8..).zip(&REGISTERED) {
            match cell.set(entry) {
                Ok(()) => return Ok(Self(Kind::Registered(index))),
                Err(refused) => entry = refused,
            }
        }
        Err(RegisterError::new(name, Refusal::Full))
    }

    pub(super) const fn kind(self) -> Kind {
        self.0
    }

    /// Returns whether this is a format that a user registered.
    pub(super) const fn is_registered(self) -> bool {
        matches!(self.0, Kind::Registered(_))
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Encoding({})", self.name())
    }
}

fn registered(index: u8) -> Option<&'static Registered> {
    REGISTERED.get(usize::from(index))?.get()
}

fn all_registered() -> impl Iterator<Item = (Encoding, &'static Registered)> {
    (0_u8..)
        .zip(&REGISTERED)
        .map_while(|(index, cell)| Some((Encoding(Kind::Registered(index)), cell.get()?)))
}

/// Returns the format with this index of [`Kind::Registered`].
pub(super) fn registered_format(index: u8) -> Option<&'static dyn Format> {
    registered(index).map(|entry| &*entry.format)
}

/// Appends the names of all registered formats to a list such as `msgpack, json`.
pub(super) fn append_registered_names(list: &mut String) {
    for (_, entry) in all_registered() {
        list.push_str(", ");
        list.push_str(entry.name);
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
    fn new(name: &'static str, refusal: Refusal) -> Self {
        Self { name, refusal }
    }

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
                "no room for the format `{name}`: {MAX_REGISTERED} formats are registered already"
            ),
        }
    }
}

impl StdError for RegisterError {}
