//! What the codec does with large, deep, cut and mutated messages.

use bytes::{Bytes, BytesMut};
use rpc_runtime::Encoding;
use rpc_runtime::codec::{DecodeLimits, Encodes, Protobuf};
use rpc_runtime::protobuf::{Message as _, MessageField, UnknownFields};

use crate::messages::protobuf_test_messages::proto3::TestAllTypesProto3;
use crate::messages::protobuf_test_messages::proto3::test_all_types_proto3::NestedMessage;

type All = TestAllTypesProto3;

const BOTH: [Encoding; 2] = [Encoding::PROTOBUF, Encoding::JSON];

fn encode(message: &All, encoding: Encoding) -> Bytes {
    let mut out = BytesMut::from(&b"before"[..]);
    Protobuf::encode(message, encoding, &mut out).unwrap();
    out.freeze().slice(6..)
}

fn decode(bytes: &Bytes, encoding: Encoding) -> Result<All, rpc_runtime::codec::CodecError> {
    Protobuf::decode(bytes, encoding, DecodeLimits::default())
}

fn some() -> All {
    All {
        optional_int64: -3,
        optional_string: "Zoë [\"{".to_owned(),
        repeated_bytes: vec![Bytes::from_static(b"\x00\xff"), Bytes::new()],
        optional_nested_message: MessageField::some(NestedMessage {
            a: 7,
            ..Default::default()
        }),
        map_string_string: [("k".to_owned(), "v".to_owned())].into_iter().collect(),
        ..All::default()
    }
}

/// Nests a message in itself, so that it is so many levels deep.
fn nested(levels: usize) -> All {
    (1..levels).fold(All::default(), |inner, _| All {
        recursive_message: MessageField::some(inner),
        ..All::default()
    })
}

#[test]
fn a_large_field_is_a_slice_of_the_message_and_a_small_one_is_not() {
    let large = Bytes::from(vec![7; 100_000]);
    let message = All {
        optional_bytes: large.clone(),
        repeated_bytes: vec![Bytes::from_static(b"small")],
        ..All::default()
    };
    let bytes = encode(&message, Encoding::PROTOBUF);
    let range = bytes.as_ptr_range();
    let read = decode(&bytes, Encoding::PROTOBUF).unwrap();
    assert_eq!(read, message);
    assert!(range.contains(&read.optional_bytes.as_ptr()));
    assert!(!range.contains(&read.repeated_bytes[0].as_ptr()));
}

#[test]
fn unknown_fields_survive() {
    let unknown = [0xF8, 0x7F, 0x05];
    let read = decode(&Bytes::copy_from_slice(&unknown), Encoding::PROTOBUF).unwrap();
    assert_ne!(read.__buffa_unknown_fields, UnknownFields::default());
    assert_eq!(&encode(&read, Encoding::PROTOBUF)[..], unknown);
}

#[test]
fn messages_nest_as_deep_as_the_limit_says() {
    // This message has 200 fields, and each level of it costs some 70 KB of stack without optimisation.
    let thread = std::thread::Builder::new().stack_size(32 << 20);
    thread.spawn(nest_to_the_limit).unwrap().join().unwrap();
}

fn nest_to_the_limit() {
    for encoding in BOTH {
        for limit in [1, 20, 64, 127] {
            let limits = DecodeLimits::default().max_depth(limit).max_stack(24 << 20);
            let read = |levels| {
                let bytes = encode(&nested(levels), encoding);
                <Protobuf as Encodes<All>>::decode(&bytes, encoding, limits)
            };
            read(limit).unwrap();
            let error = read(limit + 1).unwrap_err();
            assert!(error.is_too_deep(), "{encoding} {limit}: {error}");
            assert!(error.to_string().contains("`max_depth`"), "{error}");
        }
    }
}

/// Groups that the message does not know nest, too.
#[test]
fn unknown_groups_nest_no_deeper() {
    let bytes = Bytes::from([0xFB, 0x7F].repeat(100_000));
    let error = decode(&bytes, Encoding::PROTOBUF).unwrap_err();
    assert!(error.is_too_deep(), "{error}");
}

#[test]
fn elements_take_no_more_memory_than_the_limit_says() {
    // Two bytes each: an empty `repeated_nested_message`.
    let elements = Bytes::from([0x82, 0x03, 0x00].repeat(10_000));
    // Two bytes each: an unknown number.
    let unknown = Bytes::from([0xF8, 0x7F, 0x05].repeat(10_000));
    for bytes in [elements, unknown] {
        decode(&bytes, Encoding::PROTOBUF).unwrap();
        let limits = DecodeLimits::default().max_element_memory(100_000);
        let decoded: Result<All, _> = Protobuf::decode(&bytes, Encoding::PROTOBUF, limits);
        let error = decoded.unwrap_err();
        assert!(error.is_too_large(), "{error}");
        let expected = "elements take more than 100000 bytes, the limit `max_element_memory`";
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn what_is_cut_short_or_goes_on_is_an_error() {
    let bytes = encode(&some(), Encoding::JSON);
    for length in 0..bytes.len() {
        let error = decode(&bytes.slice(..length), Encoding::JSON).unwrap_err();
        assert!(error.is_decode(), "{length}");
    }
    let mut more = BytesMut::from(&bytes[..]);
    more.extend_from_slice(b" {}");
    let error = decode(&more.freeze(), Encoding::JSON).unwrap_err();
    assert!(error.to_string().contains("trailing"), "{error}");

    let bytes = encode(&some(), Encoding::PROTOBUF);
    let mut between_fields = 0;
    for length in 0..bytes.len() {
        match decode(&bytes.slice(..length), Encoding::PROTOBUF) {
            // Protobuf has no end mark: what ends behind a field is a message.
            Ok(_) => between_fields += 1,
            Err(error) => assert!(error.is_truncated(), "{length}: {error}"),
        }
    }
    assert_eq!(between_fields, 6);
    let mut more = BytesMut::from(&bytes[..]);
    more.extend_from_slice(&[0x07]);
    assert!(decode(&more.freeze(), Encoding::PROTOBUF).is_err());
}

#[test]
fn mutated_messages_never_panic() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for encoding in BOTH {
        let bytes = encode(&some(), encoding);
        let mut outcomes = [0; 2];
        for _ in 0..3_000 {
            let mut mutated = bytes.to_vec();
            for _ in 0..=random(3) {
                let position = random(mutated.len());
                mutated[position] = random(256) as u8;
            }
            let decoded = decode(&mutated.into(), encoding);
            outcomes[usize::from(decoded.is_ok())] += 1;
            if let Ok(message) = decoded {
                drop(message.encode_to_vec());
            }
        }
        assert!(
            outcomes.iter().all(|it| *it > 10),
            "{encoding}: {outcomes:?}"
        );
    }
}

#[test]
fn other_encodings_are_refused() {
    for encoding in [Encoding::MESSAGE_PACK, Encoding::POSTCARD] {
        let error = decode(&Bytes::new(), encoding).unwrap_err();
        assert!(error.is_unsupported());
        let mut out = BytesMut::from(&b"before"[..]);
        Protobuf::encode(&some(), encoding, &mut out).unwrap_err();
        assert_eq!(&out[..], b"before");
    }
}
