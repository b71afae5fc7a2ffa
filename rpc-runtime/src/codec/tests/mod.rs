//! Tests of the codecs as their users see them. Types and helpers here, cases in the files below.

mod arguments;
mod hostile;
mod memory;
mod message_pack;
mod registered;
mod round_trip;
mod shared_bytes;

use std::fmt::Debug;

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::{CodecError, DecodeLimits, Encodes, EncodesArgs, Encoding, Serde};

/// The encodings that are scanned, in which all of [`Serde`]'s promises hold.
const SCANNED: [Encoding; 2] = [Encoding::MESSAGE_PACK, Encoding::JSON];

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Profile {
    name: String,
    age: u8,
    nick: Option<String>,
    scores: Vec<f64>,
    place: Place,
}

#[derive(Serialize, Deserialize, PartialEq, Debug)]
enum Place {
    Nowhere,
    City(String),
    Point { x: i64, y: i64 },
    Pair(u16, u16),
}

/// Nests by a field.
#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Node {
    value: u32,
    next: Option<Box<Node>>,
}

/// Nests by variants.
#[derive(Serialize, Deserialize, PartialEq, Debug)]
enum Expression {
    Number(i64),
    Negate(Box<Expression>),
    Add {
        left: Box<Expression>,
        right: Box<Expression>,
    },
}

fn profile() -> Profile {
    Profile {
        name: "Zoë \"Z\" [O'Neil]".into(),
        age: 41,
        nick: None,
        scores: vec![0.5, -1e300, f64::MIN_POSITIVE],
        place: Place::Point {
            x: i64::MIN,
            y: i64::MAX,
        },
    }
}

fn encode<T>(value: &T, encoding: Encoding) -> Bytes
where
    Serde: Encodes<T>,
{
    let mut out = BytesMut::new();
    Serde::encode(value, encoding, &mut out).unwrap();
    out.freeze()
}

fn decode<T>(bytes: impl Into<Bytes>, encoding: Encoding) -> Result<T, CodecError>
where
    Serde: Encodes<T>,
{
    Serde::decode(&bytes.into(), encoding, DecodeLimits::default())
}

fn decode_args<A>(
    names: &'static [&'static str],
    bytes: impl Into<Bytes>,
    encoding: Encoding,
) -> Result<A, CodecError>
where
    Serde: EncodesArgs<A>,
{
    Serde::decode_args(names, &bytes.into(), encoding, DecodeLimits::default())
}

/// Turns JSON into the same value in `encoding`, so that a case is written once.
fn from_json(json: &str, encoding: Encoding) -> Bytes {
    if encoding == Encoding::JSON {
        return Bytes::copy_from_slice(json.as_bytes());
    }
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    encode(&value, encoding)
}

#[track_caller]
fn assert_error<T: Debug>(result: Result<T, CodecError>, part: &str) {
    let error = result.expect_err(part).to_string();
    assert!(error.contains(part), "`{part}` is not in `{error}`");
}

/// Runs `test` with the stack that std and tokio give a thread, whatever the harness gives.
fn with_small_stack(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(test)
        .unwrap();
    thread.join().unwrap();
}
