//! The fields of everything that concerns a call: REQUEST, RESPONSE, END, ERROR, CANCEL, GO_AWAY.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use super::field::{
    FieldError, FieldProblem, FieldType, Fields, metadata_value, put_field, put_metadata,
    put_varint_field, varint_value,
};

/// How much a block of fields may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FieldLimits {
    pub(crate) max_bytes: usize,
    pub(crate) max_metadata: usize,
}

impl Default for FieldLimits {
    fn default() -> Self {
        Self {
            max_bytes: 16 * 1024,
            max_metadata: 128,
        }
    }
}

/// Bytes that were found to be UTF-8, still in the memory that was read into.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Text(Bytes);

impl Text {
    fn new(bytes: Bytes) -> Option<Self> {
        std::str::from_utf8(&bytes).is_ok().then_some(Self(bytes))
    }

    /// Checks the bytes again, as the price of neither copying nor `unsafe`; these are short.
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl From<&'static str> for Text {
    fn from(text: &'static str) -> Self {
        Self(Bytes::from_static(text.as_bytes()))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl std::fmt::Debug for Text {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_str().fmt(formatter)
    }
}

/// What a block of fields says. A field that means nothing in its frame is read and not looked at.
#[derive(Clone, PartialEq, Default, Debug)]
pub(crate) struct CallFields {
    pub(crate) method: Option<Text>,
    pub(crate) method_number: Option<u64>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) encoding: Option<u64>,
    pub(crate) encoding_name: Option<Text>,
    pub(crate) metadata: HeaderMap,
    pub(crate) code: Option<u64>,
    pub(crate) text: Option<String>,
    /// The method's own error, in the encoding of the call.
    pub(crate) details: Option<Bytes>,
    pub(crate) last_call: Option<u64>,
    pub(crate) message_length: Option<u64>,
}

impl CallFields {
    /// Reads a block of fields. Numbers cost no allocation, names and details share `block`.
    ///
    /// # Errors
    ///
    /// A limit is exceeded, a field is malformed or repeated, or one is unknown and may not be
    /// ignored.
    pub(crate) fn parse(block: Bytes, limits: &FieldLimits) -> Result<Self, FieldError> {
        if block.len() > limits.max_bytes {
            return Err(FieldError::block(FieldProblem::TooManyBytes {
                length: block.len() as u64,
                limit: limits.max_bytes as u64,
            }));
        }
        let mut fields = Self::default();
        for field in Fields::new(&block) {
            let (field, value) = field?;
            fields.read(field, value, &block, limits)?;
        }
        Ok(fields)
    }

    fn read(
        &mut self,
        field: FieldType,
        value: &[u8],
        block: &Bytes,
        limits: &FieldLimits,
    ) -> Result<(), FieldError> {
        let number = || varint_value(field, value);
        let text = || {
            let text = Text::new(block.slice_ref(value));
            text.ok_or_else(|| FieldError::of(field, FieldProblem::NotUtf8))
        };
        match field {
            FieldType::METHOD => once(&mut self.method, field, text()?),
            FieldType::METHOD_NUMBER => once(&mut self.method_number, field, number()?),
            FieldType::TIMEOUT => once(&mut self.timeout, field, Duration::from_micros(number()?)),
            FieldType::ENCODING => once(&mut self.encoding, field, number()?),
            FieldType::ENCODING_NAME => once(&mut self.encoding_name, field, text()?),
            FieldType::METADATA => self.read_metadata(value, block, limits),
            FieldType::CODE => once(&mut self.code, field, number()?),
            FieldType::TEXT => once(&mut self.text, field, text()?.as_str().to_owned()),
            FieldType::DETAILS => once(&mut self.details, field, block.slice_ref(value)),
            FieldType::LAST_CALL => once(&mut self.last_call, field, number()?),
            FieldType::MESSAGE_LENGTH => once(&mut self.message_length, field, number()?),
            _ if field.may_ignore() => Ok(()),
            _ => Err(FieldError::of(field, FieldProblem::Unknown)),
        }
    }

    fn read_metadata(
        &mut self,
        value: &[u8],
        block: &Bytes,
        limits: &FieldLimits,
    ) -> Result<(), FieldError> {
        let too_many = |_| {
            let limit = limits.max_metadata;
            FieldError::of(FieldType::METADATA, FieldProblem::TooManyMetadata { limit })
        };
        if self.metadata.len() >= limits.max_metadata {
            return Err(too_many(()));
        }
        let (name, value) = metadata_value(block, value)?;
        let appended = self.metadata.try_append(name, value);
        appended.map(drop).map_err(|_| too_many(()))
    }

    /// Writes what is there, in the order of the field types.
    pub(crate) fn write(&self, out: &mut BytesMut) {
        if let Some(method) = &self.method {
            put_field(out, FieldType::METHOD, method.as_str().as_bytes());
        }
        put_number(out, FieldType::METHOD_NUMBER, self.method_number);
        if let Some(timeout) = self.timeout {
            put_timeout(out, timeout);
        }
        put_number(out, FieldType::ENCODING, self.encoding);
        if let Some(name) = &self.encoding_name {
            put_field(out, FieldType::ENCODING_NAME, name.as_str().as_bytes());
        }
        put_metadata(out, &self.metadata);
        put_number(out, FieldType::CODE, self.code);
        if let Some(text) = &self.text {
            put_field(out, FieldType::TEXT, text.as_bytes());
        }
        if let Some(details) = &self.details {
            put_field(out, FieldType::DETAILS, details);
        }
        put_number(out, FieldType::LAST_CALL, self.last_call);
        put_number(out, FieldType::MESSAGE_LENGTH, self.message_length);
    }
}

/// Writes a timeout. One beyond what fits is as good as the longest there is.
pub(crate) fn put_timeout(out: &mut BytesMut, timeout: Duration) {
    let microseconds = u64::try_from(timeout.as_micros()).unwrap_or(u64::MAX);
    put_varint_field(out, FieldType::TIMEOUT, microseconds);
}

fn put_number(out: &mut BytesMut, field: FieldType, number: Option<u64>) {
    if let Some(number) = number {
        put_varint_field(out, field, number);
    }
}

fn once<T>(slot: &mut Option<T>, field: FieldType, value: T) -> Result<(), FieldError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(FieldError::of(field, FieldProblem::Repeated)),
    }
}
