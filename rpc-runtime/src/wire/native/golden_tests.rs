//! The examples of `docs/wire.md`: what this implementation writes is compared with them, and
//! what it reads from them with what they say.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::call_fields::{CallFields, FieldLimits};
use super::field::{
    FieldError, Fields, begin_block, finish_block, get_varint, put_field, put_varint, split_block,
};
use super::frame::{Flags, Frame, FrameHeader, FrameReader, FrameType, begin_frame, finish_frame};
use super::preface::{self, PREFACE};
use super::resume::ResumeFields;
use super::settings::WireSettings;
use crate::call::Schema;
use crate::wire::detect::Detect;

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/wire")
}

fn golden(name: &str) -> Vec<u8> {
    bytes_of(&read(directory().join(format!("{name}.hex"))))
}

fn read(path: PathBuf) -> String {
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Reads hexadecimal bytes; `#` begins a comment.
fn bytes_of(text: &str) -> Vec<u8> {
    text.lines()
        .flat_map(|line| {
            line.split('#')
                .next()
                .unwrap_or_default()
                .split_whitespace()
        })
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect()
}

/// The payload of one example frame.
#[derive(Clone, PartialEq, Debug)]
enum Payload {
    Settings(WireSettings),
    /// A length, that many bytes of fields, and a message.
    Block(CallFields, &'static [u8]),
    Fields(CallFields),
    /// Also of SKIPPED: a number.
    Credit(u64),
    Raw(&'static [u8]),
}

/// One example frame: what it is made of.
struct Example {
    frame_type: FrameType,
    flags: Flags,
    call: u64,
    payload: Payload,
    /// A field beyond those of this version, after the others.
    extra: Option<u8>,
}

fn example(frame_type: FrameType, flags: Flags, call: u64, payload: Payload) -> Example {
    Example {
        frame_type,
        flags,
        call,
        payload,
        extra: None,
    }
}

impl Example {
    fn encode(&self, out: &mut BytesMut) {
        if let Payload::Settings(settings) = &self.payload {
            return settings.encode(out);
        }
        let start = begin_frame(out);
        match &self.payload {
            Payload::Block(fields, message) => {
                let block = begin_block(out);
                self.put_fields(fields, out);
                finish_block(out, block);
                out.put_slice(message);
            }
            Payload::Fields(fields) => self.put_fields(fields, out),
            Payload::Credit(amount) => put_varint(out, *amount),
            Payload::Raw(bytes) => out.put_slice(bytes),
            Payload::Settings(_) => unreachable!(),
        }
        let header = FrameHeader::new(self.frame_type, self.flags, self.call);
        finish_frame(out, start, header);
    }

    fn put_fields(&self, fields: &CallFields, out: &mut BytesMut) {
        fields.write(out);
        if let Some(extra) = self.extra {
            put_field(out, super::field::FieldType(extra), b"\xCA\xFE");
        }
    }
}

/// Reads a payload as the frame's type says, and returns it with the message's bytes.
fn decode(frame: &Frame) -> Result<(Payload, Bytes), FieldError> {
    let limits = FieldLimits::default();
    let none = Bytes::new();
    Ok(match frame.frame_type {
        FrameType::SETTINGS => {
            let settings = WireSettings::decode(&frame.payload)?;
            (Payload::Settings(settings), none)
        }
        FrameType::REQUEST | FrameType::RESPONSE => {
            let payload = frame.payload.clone();
            let mut fields = CallFields::default();
            let message = fields.read_payload(payload, &limits)?;
            (Payload::Block(fields, b""), message)
        }
        FrameType::END | FrameType::ERROR | FrameType::CANCEL | FrameType::GO_AWAY => {
            let fields = CallFields::parse(&frame.payload, &limits)?;
            (Payload::Fields(fields), none)
        }
        FrameType::CREDIT | FrameType::SKIPPED => {
            let amount = get_varint(&mut frame.payload.as_ref())?;
            (Payload::Credit(amount), none)
        }
        _ => (Payload::Raw(b""), frame.payload.clone()),
    })
}

fn metadata(entries: &[(&'static str, &'static str)]) -> HeaderMap {
    let entries = entries.iter().map(|&(name, value)| {
        let name = HeaderName::from_static(name);
        (name, HeaderValue::from_static(value))
    });
    entries.collect()
}

fn schema(fingerprint: u64, revision: &str) -> Option<Box<Schema>> {
    Schema::from_peer(fingerprint, revision).map(Box::new)
}

/// Fields that say of a stream: a token behind this number, or none, and how many items are lost.
fn resume(token: Option<u64>, gap: Option<u64>) -> Option<Box<ResumeFields>> {
    let bytes = Bytes::from_iter(0xC0..0xD0);
    Some(Box::new(ResumeFields {
        able: token.is_none().then_some(()),
        token: token.map(|number| (number, bytes)),
        gap,
    }))
}

const ADD_ARGUMENTS: &[u8] = b"\x82\xA1a\x02\xA1b\x03";

fn numbered() -> CallFields {
    CallFields {
        method_number: Some(4),
        encoding: Some(1),
        ..CallFields::default()
    }
}

fn requests() -> Vec<(&'static str, Vec<Example>)> {
    let whole = Flags::BODY | Flags::END;
    let request = |flags, call, fields, message| {
        example(
            FrameType::REQUEST,
            flags,
            call,
            Payload::Block(fields, message),
        )
    };
    let timeout = Some(Duration::from_secs(30));
    let by_name = CallFields {
        method: Some("math.v1.Math/add".into()),
        timeout,
        encoding: Some(1),
        ..CallFields::default()
    };
    let by_number = CallFields {
        timeout,
        ..numbered()
    };
    let with_metadata = CallFields {
        method: Some("math.v1.Math/divide".into()),
        timeout: Some(Duration::from_millis(50)),
        encoding: Some(2),
        metadata: metadata(&[("x-request-id", "7f3a"), ("accept-language", "de")]).into(),
        ..CallFields::default()
    };
    let fragmented = CallFields {
        method: Some("text.v1.Text/count".into()),
        encoding: Some(2),
        message_length: Some(24),
        ..CallFields::default()
    };
    let with_schema = CallFields {
        method: Some("users.v1.Users/Archive".into()),
        encoding: Some(4),
        schema: schema(0x0123_4567_89ab_cdef, "1.2"),
        ..CallFields::default()
    };
    let again = CallFields {
        attempt: Some(2),
        ..numbered()
    };
    let streamed = |resume| CallFields {
        method_number: Some(6),
        encoding: Some(1),
        resume,
        ..CallFields::default()
    };
    let message =
        |flags, call, bytes| example(FrameType::MESSAGE, flags, call, Payload::Raw(bytes));
    let with_unknown = |call, extra| Example {
        extra: Some(extra),
        ..request(whole, call, numbered(), ADD_ARGUMENTS)
    };
    vec![
        (
            "request_by_name",
            vec![request(whole, 1, by_name, ADD_ARGUMENTS)],
        ),
        (
            "request_by_number",
            vec![request(whole, 3, by_number, ADD_ARGUMENTS)],
        ),
        (
            "request_with_metadata",
            vec![request(whole, 5, with_metadata, b"[1.0,0.0]")],
        ),
        (
            "request_with_schema",
            vec![request(whole, 17, with_schema, b"\x08\x07")],
        ),
        (
            "request_again",
            vec![request(whole, 19, again, ADD_ARGUMENTS)],
        ),
        (
            "request_resumable",
            vec![request(
                whole,
                23,
                streamed(resume(None, None)),
                b"\x81\xA5up_to\x0A",
            )],
        ),
        (
            "request_resume",
            vec![request(whole, 1, streamed(resume(Some(2), None)), b"")],
        ),
        (
            "fragmented_request",
            vec![
                request(Flags::BODY | Flags::MORE, 9, fragmented, b"{\"text\":\""),
                message(Flags::NONE, 7, b"\x03"),
                message(Flags::MORE, 9, b"one two "),
                message(Flags::END, 9, b"three\"}"),
            ],
        ),
        ("unknown_field_may_ignore", vec![with_unknown(13, 0xA0)]),
        (
            "unknown_field_must_understand",
            vec![with_unknown(15, 0x20)],
        ),
    ]
}

fn answers() -> Vec<(&'static str, Vec<Example>)> {
    let response = CallFields {
        method_number: Some(2),
        metadata: metadata(&[("x-served-by", "a1")]).into(),
        ..CallFields::default()
    };
    let kept = |gap| CallFields {
        resume: resume(Some(30_000), gap),
        ..CallFields::default()
    };
    let reply = CallFields {
        method_number: Some(4),
        ..CallFields::default()
    };
    let trailers = CallFields {
        metadata: metadata(&[("x-count", "25")]).into(),
        ..CallFields::default()
    };
    let failure = |code, text: &str| CallFields {
        code: Some(code),
        text: Some(text.to_owned()),
        ..CallFields::default()
    };
    let with_details = CallFields {
        details: Some(Bytes::from_static(b"\"DivisionByZero\"")),
        ..failure(3, "division by zero")
    };
    let text = "the service `users.v1.Users` has no method `Archive`";
    let with_schema = CallFields {
        schema: schema(0xfedc_ba98_7654_3210, "1.1"),
        ..failure(12, text)
    };
    let with_pushback = CallFields {
        pushback: Some(250),
        ..failure(8, "overloaded")
    };
    let block = |flags, call, fields, message| {
        example(
            FrameType::RESPONSE,
            flags,
            call,
            Payload::Block(fields, message),
        )
    };
    let fields =
        |frame_type, flags, call, fields| example(frame_type, flags, call, Payload::Fields(fields));
    let none = Flags::NONE;
    let not_started = failure(8, "too many calls");
    let cancel = failure(4, "the deadline passed");
    let single = |name, example| (name, vec![example]);
    vec![
        single("response", block(none, 7, response, b"")),
        single("response_with_token", block(none, 23, kept(None), b"")),
        single("response_with_gap", block(none, 1, kept(Some(3)), b"")),
        single(
            "unary_reply",
            block(Flags::BODY | Flags::END, 1, reply, b"\x05"),
        ),
        single(
            "end_with_trailers",
            fields(FrameType::END, none, 7, trailers),
        ),
        single(
            "error_with_details",
            fields(FrameType::ERROR, none, 5, with_details),
        ),
        single(
            "error_with_schema",
            fields(FrameType::ERROR, none, 17, with_schema),
        ),
        single(
            "error_with_pushback",
            fields(FrameType::ERROR, none, 21, with_pushback),
        ),
        single(
            "error_not_started",
            fields(FrameType::ERROR, Flags::NOT_STARTED, 11, not_started),
        ),
        single("cancel", fields(FrameType::CANCEL, none, 7, cancel)),
    ]
}

fn others() -> Vec<(&'static str, Vec<Example>)> {
    let ping = b"\x01\x02\x03\x04\x05\x06\x07\x08";
    let go_away = CallFields {
        code: Some(14),
        text: Some("shutting down".to_owned()),
        last_call: Some(9),
        ..CallFields::default()
    };
    let none = Flags::NONE;
    let settings = Payload::Settings(WireSettings::default());
    let unknown = Payload::Raw(b"\xCA\xFE");
    let single = |name, frame_type, flags, call, payload| {
        (
            name,
            vec![example(FrameType(frame_type), flags, call, payload)],
        )
    };
    vec![
        single("settings", 0x01, none, 0, settings),
        single("stream_message", 0x04, none, 7, Payload::Raw(b"\x02")),
        single("credit", 0x08, none, 7, Payload::Credit(65_536)),
        single("skipped", 0x8B, none, 7, Payload::Credit(300)),
        single("ping", 0x09, none, 0, Payload::Raw(ping)),
        single("pong", 0x09, Flags::ACK, 0, Payload::Raw(ping)),
        single("go_away", 0x0A, none, 0, Payload::Fields(go_away)),
        single(
            "unknown_frame_may_ignore",
            0x8F,
            Flags(0x80),
            0,
            unknown.clone(),
        ),
        single("unknown_frame_must_understand", 0x0F, none, 7, unknown),
    ]
}

fn all() -> impl Iterator<Item = (&'static str, Vec<Example>)> {
    requests().into_iter().chain(answers()).chain(others())
}

fn frames_of(bytes: &[u8]) -> Vec<Frame> {
    let mut reader = FrameReader::with_bytes(1024, bytes.into());
    let frames = std::iter::from_fn(|| reader.next().unwrap()).collect();
    assert!(!reader.is_mid_frame());
    frames
}

#[test]
fn every_file_has_a_test() {
    let tested: BTreeSet<_> = all().map(|(name, _)| format!("{name}.hex")).collect();
    let present: BTreeSet<_> = std::fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "preface.hex")
        .collect();
    assert_eq!(tested, present);
}

#[test]
fn the_specification_shows_the_golden_bytes() {
    let page = read(directory().join("../../../docs/wire.md"));
    let mut shown = BTreeSet::new();
    for example in page
        .split("\n# ")
        .skip(1)
        .filter(|part| part.contains(".hex"))
    {
        let (heading, rest) = example.split_once('\n').unwrap();
        let (name, _) = heading.split_once(".hex").unwrap();
        let bytes = bytes_of(rest.split("```").next().unwrap());
        assert_eq!(bytes, golden(name), "{name}");
        shown.insert(name);
    }
    assert_eq!(shown.len(), all().count() + 1, "{shown:?}");
}

#[test]
fn preface_is_the_golden_one() {
    let bytes = golden("preface");
    assert_eq!(bytes, PREFACE);
    assert_eq!(preface::detect(&bytes), Detect::Yes);
    for length in 0..bytes.len() - 1 {
        assert_eq!(preface::detect(&bytes[..length]), Detect::NeedMore);
    }
}

#[test]
fn what_is_written_is_the_golden_bytes() {
    for (name, examples) in all() {
        let mut out = BytesMut::new();
        examples.iter().for_each(|example| example.encode(&mut out));
        assert_eq!(out, golden(name), "{name}");
    }
}

#[test]
fn what_is_read_is_what_the_golden_bytes_say() {
    for (name, examples) in all() {
        let frames = frames_of(&golden(name));
        assert_eq!(frames.len(), examples.len(), "{name}");
        for (frame, expected) in frames.iter().zip(examples) {
            assert_eq!(frame.frame_type, expected.frame_type, "{name}");
            assert_eq!(frame.flags, expected.flags, "{name}");
            assert_eq!(frame.call, expected.call, "{name}");
            if name == "unknown_field_must_understand" {
                let error = decode(frame).unwrap_err();
                assert!(error.is_unknown() && error.field().unwrap().0 == 0x20);
                continue;
            }
            let (payload, bytes) = decode(frame).unwrap();
            match expected.payload {
                Payload::Block(fields, message) => {
                    assert_eq!(payload, Payload::Block(fields, b""), "{name}");
                    assert_eq!(bytes, message, "{name}");
                }
                Payload::Raw(message) => assert_eq!(bytes, message, "{name}"),
                other => assert_eq!(payload, other, "{name}"),
            }
        }
    }
}

#[test]
fn only_one_of_the_unknown_frames_may_be_ignored() {
    let may_ignore = |name| frames_of(&golden(name))[0].frame_type.may_ignore();
    assert!(may_ignore("unknown_frame_may_ignore"));
    assert!(!may_ignore("unknown_frame_must_understand"));
}

#[test]
fn a_stream_cut_at_any_byte_yields_whole_frames_and_nothing_else() {
    for (name, _) in all() {
        let bytes = golden(name);
        let frames = frames_of(&bytes);
        for length in 0..bytes.len() {
            let mut reader = FrameReader::with_bytes(1024, bytes[..length].into());
            let mut used = 0;
            for frame in std::iter::from_fn(|| reader.next().unwrap()).zip(&frames) {
                assert_eq!(frame.0, *frame.1, "{name} cut at {length}");
                used += 16 + frame.1.payload.len();
            }
            assert_eq!(
                reader.is_mid_frame(),
                used != length,
                "{name} cut at {length}"
            );
        }
    }
}

#[test]
fn a_payload_cut_at_any_byte_is_an_error_or_ends_between_fields() {
    for (name, _) in all() {
        for frame in frames_of(&golden(name)) {
            for length in 0..frame.payload.len() {
                let payload = frame.payload.slice(..length);
                let cut = Frame {
                    payload: payload.clone(),
                    ..frame.clone()
                };
                let result = decode(&cut);
                let expected = match frame.frame_type {
                    FrameType::REQUEST | FrameType::RESPONSE => {
                        let unknown = name == "unknown_field_must_understand";
                        split_block(&payload).is_ok() && !unknown
                    }
                    FrameType::CREDIT | FrameType::SKIPPED => false,
                    FrameType::MESSAGE | FrameType::PING => true,
                    FrameType(0x0F | 0x8F) => true,
                    _ => Fields::new(&payload).all(|field| field.is_ok()),
                };
                assert_eq!(
                    result.is_ok(),
                    expected,
                    "{name} cut at {length}: {result:?}"
                );
            }
        }
    }
}
