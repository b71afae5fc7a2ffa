//! Metadata as people write it, and as the runtime keeps it.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::ops::{Deref, DerefMut};
use std::sync::LazyLock;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::status::Status;

pub(crate) type BoxError = Box<dyn StdError + Send + Sync>;

/// The value of an entry of metadata: text, a number, or a [`HeaderValue`], which can be any bytes
/// that HTTP allows, and can be marked as sensitive.
pub trait IntoMetadataValue {
    /// Makes the value.
    #[doc(hidden)]
    fn into_value(self) -> Result<HeaderValue, Box<dyn StdError + Send + Sync>>;
}

impl<V: TryInto<HeaderValue, Error: Into<BoxError>>> IntoMetadataValue for V {
    fn into_value(self) -> Result<HeaderValue, BoxError> {
        self.try_into().map_err(Into::into)
    }
}

/// Adds an entry, or says what is wrong with it. The value is not said, as it may be a secret.
pub(crate) fn append_metadata(
    metadata: &mut HeaderMap,
    name: &str,
    value: Result<HeaderValue, BoxError>,
) -> Result<(), Status> {
    let key = HeaderName::try_from(name)
        .map_err(|error| mistake(format!("`{name}` is not a metadata name"), error))?;
    let value = value.map_err(|error| {
        let text = format!("the value of metadata `{name}` is not allowed");
        mistake(text, error)
    })?;
    let added = metadata.try_append(key, value);
    added.map_err(|error| mistake("there is too much metadata", error))?;
    Ok(())
}

fn mistake(message: impl Into<Cow<'static, str>>, source: impl Into<BoxError>) -> Status {
    Status::invalid_argument(message).with_source(source)
}

/// A [`HeaderMap`] that is a null pointer while it was never written to. A map itself takes 96
/// bytes, which a call would copy a dozen times on its way.
#[derive(Clone, Default, Debug)]
pub(crate) struct Metadata(Option<Box<HeaderMap>>);

static EMPTY: LazyLock<HeaderMap> = LazyLock::new(HeaderMap::new);

impl Metadata {
    /// Takes the map out and leaves an empty one.
    pub(crate) fn take(&mut self) -> Self {
        Self(self.0.take())
    }

    pub(crate) fn into_map(self) -> HeaderMap {
        self.0.map_or_else(HeaderMap::new, |map| *map)
    }
}

impl Deref for Metadata {
    type Target = HeaderMap;

    fn deref(&self) -> &HeaderMap {
        self.0.as_deref().unwrap_or_else(|| &EMPTY)
    }
}

impl DerefMut for Metadata {
    fn deref_mut(&mut self) -> &mut HeaderMap {
        self.0.get_or_insert_default()
    }
}

impl From<HeaderMap> for Metadata {
    fn from(map: HeaderMap) -> Self {
        Self((!map.is_empty()).then(|| Box::new(map)))
    }
}

impl PartialEq for Metadata {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}
