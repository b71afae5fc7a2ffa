//! Formats that users register.

use std::error::Error;

use serde::de::DeserializeSeed as _;

use super::*;
use crate::codec::{AnySeed, AnyValue, Codec, Format};

type FormatResult = Result<(), Box<dyn Error + Send + Sync>>;

/// JSON behind a byte of its own.
struct Toy(&'static str);

impl Format for Toy {
    fn name(&self) -> &'static str {
        self.0
    }

    fn serialize(&self, value: AnyValue<'_>, out: &mut Vec<u8>) -> FormatResult {
        out.push(b'!');
        Ok(serde_json::to_writer(out, &value)?)
    }

    fn deserialize<'de>(&self, bytes: &'de [u8], seed: AnySeed<'_, 'de>) -> FormatResult {
        let json = bytes
            .strip_prefix(b"!")
            .ok_or("the first byte must be `!`")?;
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        seed.deserialize(&mut deserializer)?;
        Ok(deserializer.end()?)
    }
}

/// A format whose author forgot to use the seed.
struct Forgetful;

impl Format for Forgetful {
    fn name(&self) -> &'static str {
        "forgetful"
    }

    fn serialize(&self, _value: AnyValue<'_>, out: &mut Vec<u8>) -> FormatResult {
        out.push(0);
        Err("half a value".into())
    }

    fn deserialize<'de>(&self, _bytes: &'de [u8], _seed: AnySeed<'_, 'de>) -> FormatResult {
        Ok(())
    }
}

#[test]
fn values_and_arguments_survive() {
    let toy = Encoding::register(Toy("toy+json")).unwrap();
    assert_eq!((toy.name(), toy.number()), ("toy+json", None));
    assert_eq!(Encoding::from_name("toy+json"), Some(toy));
    assert!(Serde::supports(toy));
    assert!(Serde::supported().contains(", toy+json"));

    let bytes = encode(&profile(), toy);
    assert!(bytes.starts_with(b"!{"));
    assert_eq!(decode::<Profile>(bytes, toy).unwrap(), profile());

    let mut out = BytesMut::new();
    let args = (1_u8, Some(profile()));
    Serde::encode_args(&["a", "b"], &args, toy, &mut out).unwrap();
    let decoded = decode_args::<(u8, Option<Profile>)>(&["a", "b"], out.freeze(), toy);
    assert_eq!(decoded.unwrap(), args);
    let decoded = decode_args::<(u8, Option<u8>)>(&["a", "b"], "![7]", toy);
    assert_eq!(decoded.unwrap(), (7, None));

    decode_args::<()>(&[], "", toy).unwrap();
    decode_args::<()>(&[], "!{}", toy).unwrap();
    assert_error(
        decode_args::<()>(&[], "![1]", toy),
        "the method takes no arguments",
    );
    assert_error(
        decode_args::<(u8,)>(&["a"], "!{}", toy),
        "missing argument `a`",
    );
    assert_error(
        decode::<u8>("1", toy),
        "cannot decode toy+json: the first byte must be `!`",
    );
    assert_error(decode::<u8>("!\"x\"", toy), "expected u8");
}

#[test]
fn a_name_can_be_registered_once() {
    Encoding::register(Toy("twice")).unwrap();
    for name in ["twice", "json", "msgpack", "postcard"] {
        let error = Encoding::register(Toy(name)).unwrap_err();
        assert!(error.is_name_taken());
        assert_eq!(
            error.to_string(),
            format!("there is a format named `{name}` already")
        );
    }
}

#[test]
fn names_are_short_and_plain() {
    let too_long = "abcdefghijklmnopqrstuvwxyz0123456";
    for name in ["", "CBOR", "a b", "a\n", "ü", too_long] {
        let error = Encoding::register(Toy(name)).unwrap_err();
        assert!(!error.is_name_taken());
        let expected = "cannot name a format: write 1 to 32 of `a-z`, `0-9`, `+`, `.` and `-`";
        assert!(error.to_string().ends_with(expected), "{error}");
    }
    Encoding::register(Toy("abcdefghijklmnopqrstuvwxyz012345")).unwrap();
}

#[test]
fn a_format_that_fails_or_does_nothing_is_an_error() {
    let forgetful = Encoding::register(Forgetful).unwrap();
    assert_error(decode::<u8>("1", forgetful), "the format read no value");
    let mut out = BytesMut::from(&b"before"[..]);
    let error = Serde::encode(&1_u8, forgetful, &mut out).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot encode as forgetful: half a value"
    );
    assert_eq!(&out[..], b"before");
}
