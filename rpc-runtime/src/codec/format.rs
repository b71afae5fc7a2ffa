//! A user's own format: [`Format`].

use std::error::Error as StdError;

use serde::de::{DeserializeSeed, Deserializer, Error as _};
use serde::{Serialize, Serializer};

/// A serialization format that this library does not know, such as CBOR.
///
/// [`Encoding::register`](super::Encoding::register) adds it, and every service with the codec
/// [`Serde`](super::Serde) speaks it from then on.
///
/// # Bytes from a peer
///
/// **A format must itself bound how deep input nests and how long it claims to be**, since it cannot
/// be scanned by someone who does not know it: a message that nests deep enough to overflow the stack
/// ends the process. It must also refuse bytes after the value, and must not panic.
///
/// # Examples
///
/// ```
/// use std::error::Error;
/// use rpc_runtime::codec::{AnySeed, AnyValue, Encoding, Format};
/// use serde::{Serialize, de::DeserializeSeed};
///
/// /// JSON that people can read.
/// struct PrettyJson;
///
/// impl Format for PrettyJson {
///     fn name(&self) -> &'static str {
///         "pretty-json"
///     }
///
///     fn serialize(
///         &self,
///         value: AnyValue<'_>,
///         out: &mut Vec<u8>,
///     ) -> Result<(), Box<dyn Error + Send + Sync>> {
///         Ok(serde_json::to_writer_pretty(out, &value)?)
///     }
///
///     fn deserialize<'de>(
///         &self,
///         bytes: &'de [u8],
///         seed: AnySeed<'_, 'de>,
///     ) -> Result<(), Box<dyn Error + Send + Sync>> {
///         let mut deserializer = serde_json::Deserializer::from_slice(bytes);
///         seed.deserialize(&mut deserializer)?;
///         Ok(deserializer.end()?)
///     }
/// }
///
/// let encoding = Encoding::register(PrettyJson)?;
/// assert_eq!(Encoding::from_name("pretty-json"), Some(encoding));
/// # Ok::<(), Box<dyn Error>>(())
/// ```
pub trait Format: Send + Sync + 'static {
    /// Returns the name that the format has on the wire, which both peers must agree on.
    ///
    /// It is asked for once, when the format is registered.
    fn name(&self) -> &'static str;

    /// Appends the encoded value to `out`.
    ///
    /// # Errors
    ///
    /// When the value has no form in this format.
    fn serialize(
        &self,
        value: AnyValue<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Box<dyn StdError + Send + Sync>>;

    /// Reads the one value that `bytes` hold and gives it to `seed`.
    ///
    /// # Errors
    ///
    /// When `bytes` are not one value of this format, or the value does not fit.
    fn deserialize<'de>(
        &self,
        bytes: &'de [u8],
        seed: AnySeed<'_, 'de>,
    ) -> Result<(), Box<dyn StdError + Send + Sync>>;
}

/// A value of a type that the [`Format`] need not know: a [`Serialize`] like any other.
#[derive(Clone, Copy)]
pub struct AnyValue<'a>(&'a dyn erased_serde::Serialize);

impl<'a> AnyValue<'a> {
    pub(super) fn new(value: &'a dyn erased_serde::Serialize) -> Self {
        Self(value)
    }
}

impl Serialize for AnyValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        erased_serde::serialize(self.0, serializer)
    }
}

/// What deserializes the value and keeps it, without the erased type.
type ReadFn<'a, 'de> =
    dyn FnMut(&mut dyn erased_serde::Deserializer<'de>) -> Result<(), erased_serde::Error> + 'a;

/// A place for a value of a type that the [`Format`] need not know: a [`DeserializeSeed`] that
/// yields nothing, because it keeps what it reads.
pub struct AnySeed<'a, 'de>(&'a mut ReadFn<'a, 'de>);

impl<'a, 'de> AnySeed<'a, 'de> {
    pub(super) fn new(read: &'a mut ReadFn<'a, 'de>) -> Self {
        Self(read)
    }
}

impl<'de> DeserializeSeed<'de> for AnySeed<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let mut erased = <dyn erased_serde::Deserializer<'_>>::erase(deserializer);
        (self.0)(&mut erased).map_err(D::Error::custom)
    }
}
