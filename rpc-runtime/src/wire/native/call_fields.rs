//! The fields of everything that concerns a call: REQUEST, RESPONSE, END, ERROR, CANCEL, GO_AWAY.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
#[cfg(test)]
use http::HeaderMap;

use super::field::{
    FieldError, FieldProblem, FieldType, Fields, metadata_value, put_varint_field, split_block,
    varint_value,
};
#[cfg(test)]
use super::field::{put_field, put_metadata};
use super::resume::{ResumeFields, token_value};
#[cfg(test)]
use super::schema::put_schema;
use super::schema::schema_value;
use crate::call::{METADATA_ENTRIES, Metadata, Schema};

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
            max_metadata: METADATA_ENTRIES,
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
    pub(crate) metadata: Metadata,
    pub(crate) code: Option<u64>,
    pub(crate) text: Option<String>,
    /// The method's own error, in the encoding of the call.
    pub(crate) details: Option<Bytes>,
    pub(crate) last_call: Option<u64>,
    pub(crate) message_length: Option<u64>,
    pub(crate) attempt: Option<u64>,
    pub(crate) pushback: Option<u64>,
    /// In a box, because few frames have it.
    pub(crate) schema: Option<Box<Schema>>,
    /// The same.
    pub(crate) resume: Option<Box<ResumeFields>>,
}

impl CallFields {
    /// Reads a block of fields. Numbers cost no allocation, the method and details share its memory.
    ///
    /// # Errors
    ///
    /// A limit is exceeded, a field is malformed or repeated, or one is unknown and may not be
    /// ignored.
    pub(crate) fn parse(block: &Bytes, limits: &FieldLimits) -> Result<Self, FieldError> {
        let mut fields = Self::default();
        fields.read_block(block, block, limits)?;
        Ok(fields)
    }

    /// Reads the payload of a REQUEST or RESPONSE, a block of fields, and returns the message behind
    /// it. The fields are read into where they stay, as they are large and each call has some.
    ///
    /// # Errors
    ///
    /// As for [`parse`](Self::parse), and the payload ends before the fields do.
    pub(crate) fn read_payload(
        &mut self,
        mut payload: Bytes,
        limits: &FieldLimits,
    ) -> Result<Bytes, FieldError> {
        let (block, message) = split_block(&payload)?;
        let length = payload.len() - message.len();
        self.read_block(&payload, block, limits)?;
        payload.advance(length);
        Ok(payload)
    }

    /// Reads a block that is all or a part of `memory`.
    fn read_block(
        &mut self,
        memory: &Bytes,
        block: &[u8],
        limits: &FieldLimits,
    ) -> Result<(), FieldError> {
        if block.len() > limits.max_bytes {
            return Err(FieldError::block(FieldProblem::TooManyBytes {
                length: block.len() as u64,
                limit: limits.max_bytes as u64,
            }));
        }
        for field in Fields::new(block) {
            let (field, value) = field?;
            self.read(field, value, memory, limits)?;
        }
        Ok(())
    }

    fn read(
        &mut self,
        field: FieldType,
        value: &[u8],
        memory: &Bytes,
        limits: &FieldLimits,
    ) -> Result<(), FieldError> {
        let number = || varint_value(field, value);
        let text = || {
            let text = Text::new(memory.slice_ref(value));
            text.ok_or_else(|| FieldError::of(field, FieldProblem::NotUtf8))
        };
        match field {
            FieldType::METHOD => once(&mut self.method, field, text()?),
            FieldType::METHOD_NUMBER => once(&mut self.method_number, field, number()?),
            FieldType::TIMEOUT => once(&mut self.timeout, field, Duration::from_micros(number()?)),
            FieldType::ENCODING => once(&mut self.encoding, field, number()?),
            FieldType::ENCODING_NAME => once(&mut self.encoding_name, field, text()?),
            FieldType::METADATA => self.read_metadata(value, limits),
            FieldType::CODE => once(&mut self.code, field, number()?),
            FieldType::TEXT => once(&mut self.text, field, text()?.as_str().to_owned()),
            FieldType::DETAILS => once(&mut self.details, field, memory.slice_ref(value)),
            FieldType::LAST_CALL => once(&mut self.last_call, field, number()?),
            FieldType::MESSAGE_LENGTH => once(&mut self.message_length, field, number()?),
            FieldType::ATTEMPT => once(&mut self.attempt, field, number()?),
            FieldType::PUSHBACK => once(&mut self.pushback, field, number()?),
            FieldType::SCHEMA => once(&mut self.schema, field, Box::new(schema_value(value)?)),
            FieldType::RESUME => once(&mut self.resume().token, field, token_value(value)?),
            FieldType::GAP => once(&mut self.resume().gap, field, number()?),
            FieldType::RESUMABLE => once(&mut self.resume().able, field, ()),
            _ if field.may_ignore() => Ok(()),
            _ => Err(FieldError::of(field, FieldProblem::Unknown)),
        }
    }

    fn resume(&mut self) -> &mut ResumeFields {
        self.resume.get_or_insert_default()
    }

    fn read_metadata(&mut self, value: &[u8], limits: &FieldLimits) -> Result<(), FieldError> {
        let too_many = |_| {
            let limit = limits.max_metadata;
            FieldError::of(FieldType::METADATA, FieldProblem::TooManyMetadata { limit })
        };
        if self.metadata.len() >= limits.max_metadata {
            return Err(too_many(()));
        }
        let (name, value) = metadata_value(value)?;
        let appended = self.metadata.try_append(name, value);
        appended.map(drop).map_err(|_| too_many(()))
    }

    /// Writes what is there, in the order of the field types; the opposite of what tests read.
    #[cfg(test)]
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
        put_number(out, FieldType::ATTEMPT, self.attempt);
        put_number(out, FieldType::PUSHBACK, self.pushback);
        if let Some(schema) = &self.schema {
            put_schema(out, schema);
        }
        if let Some(resume) = &self.resume {
            resume.write(out);
        }
    }
}

/// Writes a timeout. One beyond what fits is as good as the longest there is.
pub(crate) fn put_timeout(out: &mut BytesMut, timeout: Duration) {
    let microseconds = u64::try_from(timeout.as_micros()).unwrap_or(u64::MAX);
    put_varint_field(out, FieldType::TIMEOUT, microseconds);
}

#[cfg(test)]
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

#[cfg(test)]
mod tests {
    use bytes::BufMut;
    use http::{HeaderName, HeaderValue};

    use super::*;
    use crate::wire::native::field::varint_length;

    fn everything() -> CallFields {
        let mut metadata = HeaderMap::new();
        metadata.append("x-trace", HeaderValue::from_static("abc"));
        metadata.append("x-trace", HeaderValue::from_static(""));
        metadata.append(
            "content-language",
            HeaderValue::from_bytes(b"\xC3\xA9").unwrap(),
        );
        CallFields {
            method: Some("math.v1.Math/add".into()),
            method_number: Some(7),
            timeout: Some(Duration::from_micros(30_000_000)),
            encoding: Some(1),
            encoding_name: Some(String::from("cbor").into()),
            metadata: metadata.into(),
            code: Some(3),
            text: Some("no such thing".to_owned()),
            details: Some(Bytes::from_static(b"\x81\x01")),
            last_call: Some(u64::MAX),
            message_length: Some(1 << 40),
            attempt: Some(2),
            pushback: Some(u64::MAX),
            schema: Schema::from_peer(u64::MAX, "1.10").map(Box::new),
            resume: Some(Box::new(ResumeFields {
                token: Some((300, Bytes::from_static(&[7; 16]))),
                gap: Some(5),
                able: Some(()),
            })),
        }
    }

    fn written(fields: &CallFields) -> BytesMut {
        let mut out = BytesMut::new();
        fields.write(&mut out);
        out
    }

    fn parse(block: impl Into<Bytes>) -> Result<CallFields, FieldError> {
        CallFields::parse(&block.into(), &FieldLimits::default())
    }

    fn message_of(block: impl Into<Bytes>) -> String {
        parse(block).unwrap_err().to_string()
    }

    fn block_of(field: FieldType, value: &[u8]) -> BytesMut {
        let mut out = BytesMut::new();
        put_field(&mut out, field, value);
        out
    }

    fn metadata_block(name: &[u8], value: &[u8]) -> BytesMut {
        let mut entry = BytesMut::new();
        entry.put_u8(u8::try_from(name.len()).unwrap());
        entry.put_slice(name);
        entry.put_slice(value);
        block_of(FieldType::METADATA, &entry)
    }

    #[test]
    fn everything_survives() {
        assert_eq!(parse(written(&everything())), Ok(everything()));
        assert_eq!(parse(Bytes::new()), Ok(CallFields::default()));
    }

    #[test]
    fn names_and_details_share_the_memory_that_was_read() {
        let block = written(&everything()).freeze();
        let range = block.as_ptr_range();
        let fields = parse(block.clone()).unwrap();
        let within = |bytes: &[u8]| range.contains(&bytes.as_ptr());
        assert!(within(fields.method.unwrap().as_str().as_bytes()));
        assert!(within(&fields.details.unwrap()));
        // Metadata may live much longer, and must not keep that memory.
        assert!(!within(fields.metadata["content-language"].as_bytes()));
    }

    #[test]
    fn every_truncation_is_an_error_or_ends_between_fields() {
        let block = written(&everything()).freeze();
        let mut whole = 0;
        for length in 0..block.len() {
            let cut = block.slice(..length);
            let fields = Fields::new(&cut).filter(Result::is_ok).count();
            let clean = Fields::new(&cut).all(|field| field.is_ok());
            assert_eq!(parse(cut).is_ok(), clean, "{length}");
            whole = whole.max(fields);
        }
        assert_eq!(whole, 18);
    }

    #[test]
    fn random_mutations_never_panic() {
        let mut random = fastrand::Rng::with_seed(0x46_49_45_4C_44);
        let block = written(&everything());
        let mut outcomes = [0; 2];
        for _ in 0..20_000 {
            let mut block = block.clone();
            for _ in 0..random.usize(1..4) {
                let position = random.usize(..block.len());
                block[position] = random.u8(..);
            }
            block.truncate(random.usize(..=block.len()));
            match parse(block) {
                Ok(fields) => {
                    outcomes[0] += 1;
                    assert_eq!(parse(written(&fields)), Ok(fields));
                }
                Err(error) => {
                    outcomes[1] += 1;
                    assert!(!error.to_string().is_empty());
                }
            }
        }
        assert!(outcomes.iter().all(|&count| count > 100), "{outcomes:?}");
    }

    #[test]
    fn each_singular_field_may_be_there_once() {
        let singular = [
            FieldType::METHOD,
            FieldType::METHOD_NUMBER,
            FieldType::TIMEOUT,
            FieldType::ENCODING,
            FieldType::ENCODING_NAME,
            FieldType::CODE,
            FieldType::TEXT,
            FieldType::DETAILS,
            FieldType::LAST_CALL,
            FieldType::MESSAGE_LENGTH,
            FieldType::ATTEMPT,
            FieldType::PUSHBACK,
        ];
        for field in singular {
            let mut block = block_of(field, &[1]);
            put_field(&mut block, field, &[2]);
            let expected = format!("field {field} is there more than once");
            assert_eq!(message_of(block), expected);
        }
    }

    #[test]
    fn unknown_fields_are_skipped_or_refused_by_their_high_bit() {
        for byte in 0..=u8::MAX {
            let field = FieldType(byte);
            if field.name().is_some_and(|name| !name.starts_with("MAX_")) {
                continue;
            }
            let mut block = block_of(field, b"whatever");
            put_varint_field(&mut block, FieldType::CODE, 5);
            match field.may_ignore() {
                true => assert_eq!(parse(block).unwrap().code, Some(5)),
                false => assert!(parse(block).unwrap_err().is_unknown(), "{byte:#x}"),
            }
        }
    }

    #[test]
    fn metadata_is_checked_and_the_error_says_which() {
        let name = "field `METADATA` has a name that is not a lower-case header name";
        for bad in [b"".as_slice(), b"Upper", b"sp ace", b"\xC3\xA9", b":status"] {
            assert_eq!(message_of(metadata_block(bad, b"v")), name);
        }
        for bad in [b"\n".as_slice(), b"a\0b", b"\x7F", b"a\r\nx-admin: 1"] {
            let expected = "field `METADATA` `x-a` has a value with control characters";
            assert_eq!(message_of(metadata_block(b"x-a", bad)), expected);
        }
        let opaque: Vec<u8> = (0x20..0x7F).chain(0x80..=0xFF).collect();
        let fields = parse(metadata_block(b"x-a", &opaque)).unwrap();
        assert_eq!(fields.metadata["x-a"].as_bytes(), opaque);
        let cut = block_of(FieldType::METADATA, b"\x05abc");
        assert_eq!(message_of(cut), "field `METADATA` is cut short");
    }

    /// The set that `docs/wire.md` lists.
    #[test]
    fn metadata_names_have_the_specified_characters() {
        let specified = b"abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_|~`";
        for byte in 0..=u8::MAX {
            let accepted = parse(metadata_block(&[byte], b"")).is_ok();
            assert_eq!(accepted, specified.contains(&byte), "{byte:#x}");
        }
    }

    #[test]
    fn limits_are_checked_at_their_edge() {
        let limits = FieldLimits {
            max_bytes: 60,
            max_metadata: 3,
        };
        let mut block = BytesMut::new();
        for number in 0..3 {
            let name: HeaderName = format!("x-{number}").parse().unwrap();
            let map = HeaderMap::from_iter([(name, HeaderValue::from_static("v"))]);
            put_metadata(&mut block, &map);
        }
        let parsed = CallFields::parse(&block.clone().freeze(), &limits).unwrap();
        assert_eq!(parsed.metadata.len(), 3);
        block.unsplit(metadata_block(b"x-2", b"again"));
        let error = CallFields::parse(&block.freeze(), &limits).unwrap_err();
        assert!(error.is_limit());
        let expected = "field `METADATA` is there too often, the limit `max_metadata` is 3 entries";
        assert_eq!(error.to_string(), expected);

        let exact = block_of(FieldType(0x80), &[0; 58]).freeze();
        assert!(CallFields::parse(&exact, &limits).is_ok());
        let over = block_of(FieldType(0x80), &[0; 59]).freeze();
        let error = CallFields::parse(&over, &limits).unwrap_err();
        assert!(error.is_limit());
    }

    #[test]
    fn text_must_be_utf8() {
        for field in [FieldType::METHOD, FieldType::ENCODING_NAME, FieldType::TEXT] {
            let expected = format!("field {field} is not valid UTF-8");
            assert_eq!(message_of(block_of(field, b"\xFFx")), expected);
        }
    }

    #[test]
    fn the_longest_timeout_stays_the_longest() {
        let mut block = BytesMut::new();
        put_timeout(&mut block, Duration::MAX);
        assert_eq!(block.len(), 2 + varint_length(u64::MAX));
        let timeout = parse(block).unwrap().timeout;
        assert_eq!(timeout, Some(Duration::from_micros(u64::MAX)));
    }
}
