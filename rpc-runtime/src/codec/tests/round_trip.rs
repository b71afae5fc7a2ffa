//! What goes in comes out.

use std::collections::{BTreeMap, HashMap};

use super::*;
use crate::codec::Codec;

#[track_caller]
fn assert_round_trip<T>(value: T)
where
    T: PartialEq + Debug,
    Serde: Encodes<T>,
{
    for encoding in SCANNED {
        assert_eq!(
            decode::<T>(encode(&value, encoding), encoding).unwrap(),
            value,
            "{encoding}"
        );
    }
}

#[test]
fn values_survive() {
    assert_round_trip(());
    assert_round_trip(true);
    assert_round_trip('ß');
    assert_round_trip(String::new());
    assert_round_trip(vec![0_u8, 127, 128, 255]);
    assert_round_trip((1_u8, "two".to_owned(), [3.0_f32; 4]));
    assert_round_trip(BTreeMap::from([
        ("a".to_owned(), Some(1)),
        ("b".to_owned(), None),
    ]));
    assert_round_trip(profile());
    for place in [
        Place::Nowhere,
        Place::City("Bern".into()),
        Place::Pair(1, 2),
    ] {
        assert_round_trip(place);
    }
    assert_round_trip(Expression::Add {
        left: Box::new(Expression::Number(1)),
        right: Box::new(Expression::Negate(Box::new(Expression::Number(2)))),
    });
    assert_round_trip("long ".repeat(100_000));
    assert_round_trip((0..70_000).collect::<Vec<u32>>());
}

#[test]
fn integers_of_all_sizes_survive() {
    for value in [
        0,
        1,
        i64::MAX,
        i64::MIN,
        i64::from(i32::MIN),
        -33,
        -129,
        (1 << 53) + 1,
    ] {
        assert_round_trip(value);
    }
    assert_round_trip(u64::MAX);
    assert_round_trip((i128::MIN, u128::from(u64::MAX) + 1, vec![u128::MAX; 16]));
}

#[test]
fn nan_becomes_null_in_json_and_stays_in_message_pack() {
    assert_eq!(&encode(&f64::NAN, Encoding::JSON)[..], b"null");
    assert_error(decode::<f64>("null", Encoding::JSON), "expected f64");
    let bytes = encode(&f64::NAN, Encoding::MESSAGE_PACK);
    assert!(
        decode::<f64>(bytes, Encoding::MESSAGE_PACK)
            .unwrap()
            .is_nan()
    );
}

#[test]
fn message_pack_has_the_names_of_fields() {
    let bytes = encode(
        &Node {
            value: 7,
            next: None,
        },
        Encoding::MESSAGE_PACK,
    );
    assert_eq!(&bytes[..], b"\x82\xa5value\x07\xa4next\xc0");
}

#[test]
fn encoding_appends_and_leaves_no_trace_of_a_failure() {
    for encoding in SCANNED {
        let mut out = BytesMut::from(&b"before"[..]);
        Serde::encode(&1_u8, encoding, &mut out).unwrap();
        let length = out.len();
        assert!(length > 6 && out.starts_with(b"before"));
        let error = Serde::encode(&vec![Unencodable], encoding, &mut out).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("cannot encode as {encoding}: it cannot be")
        );
        assert!(error.is_encode() && !error.is_decode() && !error.is_unsupported());
        assert_eq!(out.len(), length, "{encoding}");
    }
    let map = HashMap::from([((1, 2), 3)]);
    let error = Serde::encode(&map, Encoding::JSON, &mut BytesMut::new()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot encode as json: key must be a string"
    );
}

#[derive(Deserialize)]
struct Unencodable;

impl Serialize for Unencodable {
    fn serialize<S: serde::Serializer>(&self, _serializer: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("it cannot be"))
    }
}

#[test]
fn names_and_numbers_find_their_encodings() {
    for (number, name, encoding) in [
        (1, "msgpack", Encoding::MESSAGE_PACK),
        (2, "json", Encoding::JSON),
    ] {
        assert_eq!(encoding.number(), Some(number));
        assert_eq!(encoding.to_string(), name);
        assert_eq!(Encoding::from_number(number), Some(encoding));
        assert_eq!(Encoding::from_name(name), Some(encoding));
        assert!(Serde::supports(encoding));
        assert!(Serde::supported().contains(name));
    }
    for number in [0, 5, 255] {
        assert_eq!(Encoding::from_number(number), None);
    }
    for name in ["", "JSON", "json ", "proto"] {
        assert_eq!(Encoding::from_name(name), None);
    }
}

#[cfg(feature = "postcard")]
mod postcard {
    use super::*;
    use crate::codec::SerdeWithPostcard;

    const NAMES: &[&str] = &["profile", "count", "note"];

    #[test]
    fn values_and_arguments_survive() {
        let mut out = BytesMut::new();
        SerdeWithPostcard::encode(&profile(), Encoding::POSTCARD, &mut out).unwrap();
        let limits = DecodeLimits::default();
        let bytes = out.freeze();
        let decoded: Profile =
            SerdeWithPostcard::decode(&bytes, Encoding::POSTCARD, limits).unwrap();
        assert_eq!(decoded, profile());

        for encoding in [Encoding::POSTCARD, Encoding::JSON, Encoding::MESSAGE_PACK] {
            let args = (profile(), 3_u32, None::<String>);
            let mut out = BytesMut::new();
            SerdeWithPostcard::encode_args(NAMES, &args, encoding, &mut out).unwrap();
            let bytes = out.freeze();
            let decoded: (Profile, u32, Option<String>) =
                SerdeWithPostcard::decode_args(NAMES, &bytes, encoding, limits).unwrap();
            assert_eq!(decoded, args, "{encoding}");
        }
    }

    #[test]
    fn arguments_without_bytes_are_no_missing_arguments() {
        let mut out = BytesMut::new();
        SerdeWithPostcard::encode_args(&["unit"], &((),), Encoding::POSTCARD, &mut out).unwrap();
        assert!(out.is_empty());
        let limits = DecodeLimits::default();
        let bytes = Bytes::new();
        let ((),): ((),) =
            SerdeWithPostcard::decode_args(&["unit"], &bytes, Encoding::POSTCARD, limits).unwrap();
        let (): () =
            SerdeWithPostcard::decode_args(&[], &bytes, Encoding::POSTCARD, limits).unwrap();
    }

    #[test]
    fn bytes_after_the_value_are_refused() {
        let limits = DecodeLimits::default();
        let bytes = Bytes::from_static(&[1, 2, 3]);
        let error = <SerdeWithPostcard as Encodes<u8>>::decode(&bytes, Encoding::POSTCARD, limits)
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot decode postcard: 2 bytes follow the value"
        );
        let none: Result<(), _> =
            SerdeWithPostcard::decode_args(&[], &bytes, Encoding::POSTCARD, limits);
        assert!(none.unwrap_err().is_trailing());
    }

    #[test]
    fn only_services_that_opted_in_speak_it() {
        let error = decode::<u8>(vec![1], Encoding::POSTCARD).unwrap_err();
        assert!(error.is_unsupported());
        let message = error.to_string();
        let expected = "encoding `postcard` is not supported, use one of: msgpack, json";
        assert!(message.starts_with(expected), "{message}");
        assert_eq!(Encoding::from_number(3), Some(Encoding::POSTCARD));
        assert_eq!(Encoding::from_name("postcard"), Some(Encoding::POSTCARD));
        assert_eq!(Encoding::POSTCARD.number(), Some(3));
        assert!(SerdeWithPostcard::supported().starts_with("msgpack, json, postcard"));
    }
}
