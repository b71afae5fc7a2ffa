//! Metadata as people write it.

use std::borrow::Cow;
use std::error::Error as StdError;

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
