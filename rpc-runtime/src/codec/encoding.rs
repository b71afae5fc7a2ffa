//! Which form bytes have: [`Encoding`], and the formats that users register.

use std::fmt;

use super::format::Format;
use super::registry::{REGISTRY, RegisterError};

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
    #[cfg(feature = "protobuf")]
    Protobuf,
    /// An index into the [`REGISTRY`], whose entry is set.
    Registered(u8),
}

impl Encoding {
    /// MessagePack, with the names of fields: compact, and open to new fields and variants.
    pub const MESSAGE_PACK: Self = Self(Kind::MessagePack);

    /// JSON, as serde_json writes it.
    ///
    /// Integers of 64 bits survive between peers of this library. JSON has no NaN and no
    /// infinity: serde_json writes them as `null`, which cannot be read back as a number. Under the
    /// codec `Protobuf` it is the canonical JSON of protobuf.
    pub const JSON: Self = Self(Kind::Json);

    /// Postcard: values without names, smallest and fastest, for peers that are built together and
    /// trust each other. See [`SerdeWithPostcard`](super::SerdeWithPostcard).
    #[cfg(feature = "postcard")]
    pub const POSTCARD: Self = Self(Kind::Postcard);

    /// Protobuf, binary: what the codec [`Protobuf`](super::Protobuf) writes unless asked for JSON.
    #[cfg(feature = "protobuf")]
    pub const PROTOBUF: Self = Self(Kind::Protobuf);

    /// Returns the name: `msgpack`, `json`, `postcard`, `protobuf`, or the one a format was
    /// registered under.
    pub fn name(self) -> &'static str {
        match self.0 {
            Kind::MessagePack => "msgpack",
            Kind::Json => "json",
            #[cfg(feature = "postcard")]
            Kind::Postcard => "postcard",
            #[cfg(feature = "protobuf")]
            Kind::Protobuf => "protobuf",
            // Only `register` makes this kind, and after it has filled the entry.
            Kind::Registered(index) => REGISTRY.get(index).map_or("unknown", |entry| entry.name),
        }
    }

    /// Returns the number on the wire: 1 for MessagePack, 2 for JSON, 3 for Postcard, 4 for
    /// Protobuf, `None` for a registered format, which travels by name.
    pub const fn number(self) -> Option<u8> {
        match self.0 {
            Kind::MessagePack => Some(1),
            Kind::Json => Some(2),
            #[cfg(feature = "postcard")]
            Kind::Postcard => Some(3),
            #[cfg(feature = "protobuf")]
            Kind::Protobuf => Some(4),
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
            #[cfg(feature = "protobuf")]
            4 => Some(Self::PROTOBUF),
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
            #[cfg(feature = "protobuf")]
            "protobuf" => Some(Self::PROTOBUF),
            _ => REGISTRY
                .find(name)
                .map(|index| Self(Kind::Registered(index))),
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
        REGISTRY
            .add(Box::new(format))
            .map(|index| Self(Kind::Registered(index)))
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
