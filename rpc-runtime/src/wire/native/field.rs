//! Fields: type, length, value. What frames other than MESSAGE, CREDIT and PING are made of.

use std::fmt;

use bytes::{BufMut, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};

#[allow(unused_imports)]
pub(crate) use super::call_fields::{CallFields, FieldLimits, Text, put_timeout};
use super::varint::Encoded;
pub(crate) use super::varint::varint;
pub(crate) use super::varint::{get_varint, put_varint, varint_length};

/// What a field says.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct FieldType(pub(crate) u8);

impl FieldType {
    pub(crate) const METHOD: Self = Self(0x01);
    pub(crate) const METHOD_NUMBER: Self = Self(0x02);
    pub(crate) const TIMEOUT: Self = Self(0x03);
    pub(crate) const ENCODING: Self = Self(0x04);
    pub(crate) const ENCODING_NAME: Self = Self(0x05);
    pub(crate) const METADATA: Self = Self(0x06);
    pub(crate) const CODE: Self = Self(0x07);
    pub(crate) const TEXT: Self = Self(0x08);
    pub(crate) const DETAILS: Self = Self(0x09);
    pub(crate) const LAST_CALL: Self = Self(0x0A);
    pub(crate) const RESUME: Self = Self(0x0D);
    pub(crate) const GAP: Self = Self(0x0F);
    pub(crate) const MAX_FRAME: Self = Self(0x10);
    pub(crate) const MAX_MESSAGE: Self = Self(0x11);
    pub(crate) const MAX_FIELDS: Self = Self(0x12);
    pub(crate) const STREAM_WINDOW: Self = Self(0x13);
    pub(crate) const MAX_CALLS: Self = Self(0x14);
    pub(crate) const MESSAGE_LENGTH: Self = Self(0x8B);
    pub(crate) const ATTEMPT: Self = Self(0x8C);
    pub(crate) const PUSHBACK: Self = Self(0x8D);
    pub(crate) const SCHEMA: Self = Self(0x8F);
    pub(crate) const RESUMABLE: Self = Self(0xA1);

    /// Returns whether a receiver that does not know this type may skip the field.
    pub(crate) fn may_ignore(self) -> bool {
        self.0 & 0x80 != 0
    }

    /// Returns the name in the specification, if the type is one of it.
    pub(crate) fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::METHOD => "METHOD",
            Self::METHOD_NUMBER => "METHOD_NUMBER",
            Self::TIMEOUT => "TIMEOUT",
            Self::ENCODING => "ENCODING",
            Self::ENCODING_NAME => "ENCODING_NAME",
            Self::METADATA => "METADATA",
            Self::CODE => "CODE",
            Self::TEXT => "TEXT",
            Self::DETAILS => "DETAILS",
            Self::LAST_CALL => "LAST_CALL",
            Self::RESUME => "RESUME",
            Self::GAP => "GAP",
            Self::MAX_FRAME => "MAX_FRAME",
            Self::MAX_MESSAGE => "MAX_MESSAGE",
            Self::MAX_FIELDS => "MAX_FIELDS",
            Self::STREAM_WINDOW => "STREAM_WINDOW",
            Self::MAX_CALLS => "MAX_CALLS",
            Self::MESSAGE_LENGTH => "MESSAGE_LENGTH",
            Self::ATTEMPT => "ATTEMPT",
            Self::PUSHBACK => "PUSHBACK",
            Self::SCHEMA => "SCHEMA",
            Self::RESUMABLE => "RESUMABLE",
            _ => return None,
        })
    }
}

impl fmt::Display for FieldType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(formatter, "`{name}`"),
            None => write!(formatter, "{:#04x}", self.0),
        }
    }
}

/// Why fields could not be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct FieldError {
    field: Option<FieldType>,
    problem: FieldProblem,
}

/// What is wrong with a field, or with a block of them.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub(crate) enum FieldProblem {
    /// The bytes end too early.
    Truncated,
    /// There is more than belongs there.
    TrailingBytes,
    /// A number does not fit 64 bits.
    NumberTooLarge,
    /// A number is smaller than it may be.
    NumberTooSmall {
        least: u64,
    },
    NotUtf8,
    /// The value is no fingerprint with a revision behind it.
    NoSchema,
    /// The value is no number with a token behind it.
    NoToken,
    /// The field may be there once.
    Repeated,
    /// The type is unknown, and must be understood.
    Unknown,
    MetadataName,
    MetadataValue(HeaderName),
    TooManyMetadata {
        limit: usize,
    },
    TooManyBytes {
        length: u64,
        limit: u64,
    },
}

impl FieldError {
    pub(crate) fn of(field: FieldType, problem: FieldProblem) -> Self {
        let field = Some(field);
        Self { field, problem }
    }

    /// An error of the block of fields as such.
    pub(crate) fn block(problem: FieldProblem) -> Self {
        let field = None;
        Self { field, problem }
    }

    /// Returns the field that the error is about, if it is about one.
    #[cfg(test)]
    pub(crate) fn field(&self) -> Option<FieldType> {
        self.field
    }

    #[cfg(test)]
    pub(crate) fn problem(&self) -> &FieldProblem {
        &self.problem
    }

    /// Returns whether the peer asks for something that this side does not know.
    pub(crate) fn is_unknown(&self) -> bool {
        self.problem == FieldProblem::Unknown
    }

    /// Returns whether a limit of this side was exceeded.
    pub(crate) fn is_limit(&self) -> bool {
        matches!(
            self.problem,
            FieldProblem::TooManyMetadata { .. } | FieldProblem::TooManyBytes { .. }
        )
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field {
            Some(field) => write!(formatter, "field {field} ")?,
            None => formatter.write_str("the payload ")?,
        }
        match &self.problem {
            FieldProblem::Truncated => formatter.write_str("is cut short"),
            FieldProblem::TrailingBytes => formatter.write_str("has bytes after its end"),
            FieldProblem::NumberTooLarge => formatter.write_str("has a number beyond 64 bits"),
            FieldProblem::NumberTooSmall { least } => {
                write!(formatter, "is below {least}, the least that is allowed")
            }
            FieldProblem::NoSchema => formatter.write_str("is no fingerprint and revision"),
            FieldProblem::NoToken => {
                formatter.write_str("is no number with a token of 16 to 64 bytes behind it")
            }
            FieldProblem::NotUtf8 => formatter.write_str("is not valid UTF-8"),
            FieldProblem::Repeated => formatter.write_str("is there more than once"),
            FieldProblem::Unknown => formatter.write_str("is unknown here and must be understood"),
            FieldProblem::MetadataName => {
                formatter.write_str("has a name that is not a lower-case header name")
            }
            FieldProblem::MetadataValue(name) => {
                write!(formatter, "`{name}` has a value with control characters")
            }
            FieldProblem::TooManyMetadata { limit } => write!(
                formatter,
                "is there too often, the limit `max_metadata` is {limit} entries"
            ),
            FieldProblem::TooManyBytes { length, limit } => write!(
                formatter,
                "has {length} bytes of fields, the limit `max_metadata` is {limit}"
            ),
        }
    }
}

impl std::error::Error for FieldError {}

pub(crate) fn put_field(out: &mut BytesMut, field: FieldType, value: &[u8]) {
    put_field_start(out, field, value.len());
    out.put_slice(value);
}

pub(crate) fn put_varint_field(out: &mut BytesMut, field: FieldType, value: u64) {
    out.put_slice(&varint_field(field, value));
}

/// Encodes a field that is a number.
pub(crate) fn varint_field(field: FieldType, value: u64) -> Encoded {
    // The length is at most ten, which is one byte.
    Encoded::behind([field.0, varint_length(value) as u8], value)
}

/// Encodes the type and the length of a field, which its value follows.
pub(crate) fn field_start(field: FieldType, length: usize) -> Encoded {
    Encoded::behind([field.0], length as u64)
}

/// Writes each value of each name as one METADATA field.
pub(crate) fn put_metadata(out: &mut BytesMut, metadata: &HeaderMap) {
    // Most calls have none, and to iterate costs more than to look.
    if metadata.is_empty() {
        return;
    }
    for (name, value) in metadata {
        let (name, value) = (name.as_str(), value.as_bytes());
        let name_length = name.len() as u64;
        let length = varint_length(name_length) + name.len() + value.len();
        put_field_start(out, FieldType::METADATA, length);
        put_varint(out, name_length);
        out.put_slice(name.as_bytes());
        out.put_slice(value);
    }
}

fn put_field_start(out: &mut BytesMut, field: FieldType, length: usize) {
    out.put_slice(&field_start(field, length));
}

/// Leaves room for the length of a REQUEST's or RESPONSE's fields, and returns where;
/// [`finish_block`] fills it in.
pub(crate) fn begin_block(out: &mut BytesMut) -> usize {
    let start = out.len();
    out.put_u8(0);
    start
}

/// Writes the length of the block of fields that began at `start` and reaches to the end of `out`.
pub(crate) fn finish_block(out: &mut BytesMut, start: usize) {
    let length = out.len().saturating_sub(start + 1);
    if let (Ok(byte @ 0..0x80), Some(place)) = (u8::try_from(length), out.get_mut(start)) {
        *place = byte;
        return;
    }
    // Rare: only metadata and details make a block so long. The fields move up to make room.
    let mut prefix = BytesMut::with_capacity(varint_length(length as u64));
    put_varint(&mut prefix, length as u64);
    out.put_bytes(0, prefix.len() - 1);
    if let Some(block) = out.get_mut(start..) {
        block.copy_within(1..=length, prefix.len());
        if let Some(place) = block.get_mut(..prefix.len()) {
            place.copy_from_slice(&prefix);
        }
    }
}

/// Splits the payload of a REQUEST or RESPONSE into its fields and what follows them.
///
/// # Errors
///
/// The payload ends before the fields do.
pub(crate) fn split_block(mut payload: &[u8]) -> Result<(&[u8], &[u8]), FieldError> {
    let length = get_varint(&mut payload)?;
    let length = usize::try_from(length).ok();
    let split = length.and_then(|it| payload.split_at_checked(it));
    split.ok_or_else(|| FieldError::block(FieldProblem::Truncated))
}

/// The fields of a block, in order, without copying. Ends after the first error.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'block> {
    rest: &'block [u8],
}

impl<'block> Fields<'block> {
    pub(crate) fn new(block: &'block [u8]) -> Self {
        Self { rest: block }
    }

    fn split_field(&mut self, field: u8) -> Result<(FieldType, &'block [u8]), FieldError> {
        let field = FieldType(field);
        let length = get_varint(&mut self.rest).map_err(|error| error.within(field))?;
        let (value, rest) = usize::try_from(length)
            .ok()
            .and_then(|length| self.rest.split_at_checked(length))
            .ok_or_else(|| FieldError::of(field, FieldProblem::Truncated))?;
        self.rest = rest;
        Ok((field, value))
    }
}

impl<'block> Iterator for Fields<'block> {
    type Item = Result<(FieldType, &'block [u8]), FieldError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (&field, rest) = self.rest.split_first()?;
        self.rest = rest;
        let item = self.split_field(field);
        if item.is_err() {
            self.rest = &[];
        }
        Some(item)
    }
}

impl FieldError {
    /// Says in which field a number was read.
    fn within(self, field: FieldType) -> Self {
        Self::of(field, self.problem)
    }
}

/// Reads the whole value of a field as a number.
///
/// # Errors
///
/// The value is cut short, too large, or longer than the number.
pub(crate) fn varint_value(field: FieldType, mut value: &[u8]) -> Result<u64, FieldError> {
    let number = get_varint(&mut value).map_err(|error| error.within(field))?;
    match value {
        [] => Ok(number),
        _ => Err(FieldError::of(field, FieldProblem::TrailingBytes)),
    }
}

/// Reads the value of a METADATA field. Copies it: metadata may live as long as its call, and would
/// keep the whole memory that was read into.
///
/// # Errors
///
/// The name is not a lower-case header name, or the value not a header value.
pub(crate) fn metadata_value(mut value: &[u8]) -> Result<(HeaderName, HeaderValue), FieldError> {
    let error = |problem| FieldError::of(FieldType::METADATA, problem);
    let length = get_varint(&mut value).map_err(|error| error.within(FieldType::METADATA))?;
    let (name, value) = usize::try_from(length)
        .ok()
        .and_then(|length| value.split_at_checked(length))
        .ok_or_else(|| error(FieldProblem::Truncated))?;
    // `http` lets a quotation mark pass, which RFC 9110 does not, nor would an HTTP peer later.
    let name = Some(name)
        .filter(|name| !name.contains(&b'"'))
        .and_then(|name| HeaderName::from_lowercase(name).ok())
        .ok_or_else(|| error(FieldProblem::MetadataName))?;
    match HeaderValue::from_bytes(value) {
        Ok(value) => Ok((name, value)),
        Err(_) => Err(error(FieldProblem::MetadataValue(name))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(block: &[u8]) -> Result<Vec<(u8, Vec<u8>)>, FieldError> {
        Fields::new(block)
            .map(|field| field.map(|(field, value)| (field.0, value.to_vec())))
            .collect()
    }

    #[test]
    fn fields_come_back_in_order() {
        let mut out = BytesMut::new();
        put_field(&mut out, FieldType::METHOD, b"m.S/f");
        put_varint_field(&mut out, FieldType::TIMEOUT, 300);
        put_field(&mut out, FieldType(0xFF), &[9; 200]);
        let expected = [
            (0x01, b"m.S/f".to_vec()),
            (0x03, vec![0xAC, 0x02]),
            (0xFF, vec![9; 200]),
        ];
        assert_eq!(read_all(&out).unwrap(), expected);
    }

    #[test]
    fn a_cut_field_is_an_error_and_the_last_item() {
        let mut out = BytesMut::new();
        put_field(&mut out, FieldType::TEXT, &[b'x'; 130]);
        for length in 1..out.len() {
            let mut fields = Fields::new(&out[..length]);
            let error = fields.next().unwrap().unwrap_err();
            assert_eq!(error.to_string(), "field `TEXT` is cut short");
            assert!(fields.next().is_none());
        }
    }

    #[test]
    fn blocks_of_every_length_are_split_where_they_end() {
        for length in [0, 1, 126, 127, 128, 129, 16_383, 16_384, 40_000] {
            let mut out = BytesMut::from(b"before".as_slice());
            let start = begin_block(&mut out);
            out.put_bytes(7, length);
            finish_block(&mut out, start);
            out.put_slice(b"message");
            let payload = out.freeze().slice(6..);
            let (fields, message) = split_block(&payload).unwrap();
            assert_eq!(fields, vec![7; length]);
            assert_eq!(message, b"message".as_slice());
            for cut in 0..payload.len() - 7 {
                let error = split_block(&payload[..cut]).unwrap_err();
                assert_eq!(error.problem(), &FieldProblem::Truncated);
                // Each length of a long block would take long and tell nothing.
                if length > 200 && cut > 8 {
                    break;
                }
            }
        }
    }

    #[test]
    fn a_number_must_fill_its_field() {
        let field = FieldType::CODE;
        assert_eq!(varint_value(field, &[0xAC, 0x02]), Ok(300));
        let problem = |value| varint_value(field, value).unwrap_err().problem().clone();
        assert_eq!(problem(&[5, 0]), FieldProblem::TrailingBytes);
        assert_eq!(problem(&[]), FieldProblem::Truncated);
        assert_eq!(problem(&[0xFF; 11]), FieldProblem::NumberTooLarge);
    }

    #[test]
    fn errors_name_the_field() {
        let unknown = FieldError::of(FieldType(0x33), FieldProblem::Unknown);
        assert!(unknown.is_unknown() && !unknown.is_limit());
        let text = unknown.to_string();
        assert_eq!(text, "field 0x33 is unknown here and must be understood");
        let problem = FieldProblem::TooManyBytes {
            length: 20,
            limit: 10,
        };
        let text = FieldError::block(problem).to_string();
        let expected = "the payload has 20 bytes of fields, the limit `max_metadata` is 10";
        assert_eq!(text, expected);
    }
}
