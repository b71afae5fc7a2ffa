//! What rmp-serde does not do, or does otherwise.

use super::*;

#[test]
fn errors_say_where() {
    for (error, expected) in [
        (
            decode::<Vec<u8>>(&b"\x93\x01\x02\xa1x"[..], Encoding::MESSAGE_PACK).unwrap_err(),
            "invalid type: string \"x\", expected u8 at byte 5",
        ),
        (
            decode::<Vec<u8>>(&b"\x92\x01\xcd\x01\x00"[..], Encoding::MESSAGE_PACK).unwrap_err(),
            "invalid value: integer `256`, expected u8 at byte 5",
        ),
        (
            decode::<Vec<String>>(&b"\x92\xa1x\xa1\xff"[..], Encoding::MESSAGE_PACK).unwrap_err(),
            "a string is not UTF-8: invalid utf-8 sequence of 1 bytes from index 0 at byte 5",
        ),
        (
            decode::<(u8, u8)>(&b"\x93\x01\x02\x03"[..], Encoding::MESSAGE_PACK).unwrap_err(),
            "too many values: expected 2, found 3 at byte 3",
        ),
        (
            decode::<Place>(&b"\x80"[..], Encoding::MESSAGE_PACK).unwrap_err(),
            "a variant with data is a map with one entry at byte 1",
        ),
        (
            decode::<Place>(&b"\xa4City"[..], Encoding::MESSAGE_PACK).unwrap_err(),
            "invalid type: unit variant, expected newtype variant at byte 5",
        ),
        (
            decode::<bool>(&b"\x01"[..], Encoding::MESSAGE_PACK).unwrap_err(),
            "invalid type: integer `1`, expected a boolean at byte 1",
        ),
    ] {
        assert_eq!(
            error.to_string(),
            format!("cannot decode msgpack: {expected}")
        );
    }
}

/// Nests without a byte for each level.
#[derive(Deserialize, Serialize, Debug)]
struct Endless(Option<Box<Endless>>);

#[test]
fn options_in_options_end() {
    with_small_stack(|| {
        assert!(
            decode::<Endless>(&b"\x01"[..], Encoding::MESSAGE_PACK)
                .unwrap_err()
                .is_too_deep()
        );
        let endless: Endless = decode(&b"\xc0"[..], Encoding::MESSAGE_PACK).unwrap();
        assert!(endless.0.is_none());
        // Beside each other there may be as many as one likes.
        let many = vec![Some(Some(1_u8)); 1000];
        let read: Vec<Option<Option<u8>>> = decode(
            encode(&many, Encoding::MESSAGE_PACK),
            Encoding::MESSAGE_PACK,
        )
        .unwrap();
        assert_eq!(read, many);
    });
}

/// Takes what it can get, and no error for an answer.
#[derive(Debug)]
struct Patient(Vec<u8>);

impl<'de> Deserialize<'de> for Patient {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Patient;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<S: serde::de::SeqAccess<'de>>(
                self,
                mut seq: S,
            ) -> Result<Patient, S::Error> {
                let mut bytes = Vec::new();
                while seq.size_hint() != Some(0) {
                    bytes.extend(seq.next_element::<u8>().ok().flatten());
                }
                Ok(Patient(bytes))
            }
        }
        from.deserialize_seq(Visitor)
    }
}

#[test]
fn a_malformed_message_is_refused_by_visitors_that_go_on_too() {
    let read = |bytes: &'static [u8]| {
        message_pack::decode(PhantomData::<Patient>, bytes, DecodeLimits::default())
    };
    assert_eq!(
        read(b"\x93\x01\xa1x\x02").unwrap_or_else(|_| panic!()).0,
        [1, 2]
    );
    for (bytes, expected) in [
        (&b"\x93\x01\xc1\x02"[..], Problem::Reserved),
        (b"\x93\x01\xa3\x02", Problem::Truncated),
        (b"\x92\x01\xa1x\x02", Problem::Trailing { count: 1 }),
    ] {
        match read(bytes) {
            Err(DecodeError::Malformed(malformed)) => assert_eq!(malformed.problem, expected),
            _ => panic!("{bytes:02x?} was read"),
        }
    }
}

#[test]
fn lengths_that_cannot_all_be_true_are_refused_before_anything_is_reserved() {
    // Each list is as long as the message at most, but not all of them together.
    let bytes = [&b"\x95\x94\x93\x92"[..], &[1; 5]].concat();
    let error = decode::<serde_json::Value>(bytes, Encoding::MESSAGE_PACK).unwrap_err();
    assert!(error.is_truncated());
    let expected = "cannot decode msgpack: the message ends inside a value at byte 1";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn bytes_in_what_may_move_are_not_shared() {
    #[derive(Serialize)]
    struct Moving<'a>(#[serde(with = "unknown_length")] &'a Bytes);

    mod unknown_length {
        use super::*;
        use serde::ser::SerializeSeq as _;

        pub(super) fn serialize<S: serde::Serializer>(
            bytes: &Bytes,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            let mut seq = serializer.serialize_seq(None)?;
            for _ in 0..20 {
                seq.serialize_element(bytes)?;
            }
            seq.end()
        }
    }

    let bytes = Bytes::from(vec![7; LARGE]);
    let value = (&bytes, Moving(&bytes), &bytes);
    let (mut out, mut pieces) = (BytesMut::new(), Pieces::default());
    let mut appender = Appender {
        out: &mut out,
        large: &[Some(&bytes)],
        pieces: &mut pieces,
    };
    message_pack::encode(&value, &mut appender).unwrap();
    let (mut joined, mut taken, mut shared) = (Vec::new(), 0, 0);
    for (position, piece) in pieces.into_parts() {
        joined.extend_from_slice(&out[taken..position]);
        joined.extend_from_slice(&piece);
        taken = position;
        shared += 1;
    }
    joined.extend_from_slice(&out[taken..]);
    assert!(joined == theirs(&value));
    assert_eq!(shared, 2);
}
