//! Bytes that mean harm: none may panic, overflow the stack, or allocate what it only claims.

use super::*;

type Json = serde_json::Value;

/// A value inside `depth` arrays.
fn nested(depth: usize, encoding: Encoding) -> Vec<u8> {
    if encoding == Encoding::JSON {
        return [vec![b'['; depth], b"1".to_vec(), vec![b']'; depth]].concat();
    }
    [vec![0x91; depth], vec![1]].concat()
}

/// A number inside `depth` variants, each of which is one map.
fn negations(depth: usize, encoding: Encoding) -> Vec<u8> {
    if encoding == Encoding::JSON {
        let inner = br#"{"Number":1}"#.to_vec();
        return [
            br#"{"Negate":"#.repeat(depth - 1),
            inner,
            vec![b'}'; depth - 1],
        ]
        .concat();
    }
    [
        b"\x81\xa6Negate".repeat(depth - 1),
        b"\x81\xa6Number\x01".to_vec(),
    ]
    .concat()
}

/// A profile's map with a field that it does not have.
fn with_unknown_field(value: &[u8], encoding: Encoding) -> Vec<u8> {
    if encoding == Encoding::JSON {
        return [br#"{"x":"#, value, br#","value":7}"#].concat();
    }
    [b"\x82\xa1x", value, b"\xa5value\x07"].concat()
}

#[track_caller]
fn assert_too_deep<T: Debug>(result: Result<T, CodecError>) {
    let error = result.expect_err("the value nests too deep");
    assert!(error.is_too_deep() && error.is_decode(), "{error}");
    assert!(
        error.to_string().contains("values nest deeper than 64"),
        "{error}"
    );
}

#[test]
fn values_nest_as_deep_as_the_limit_and_no_deeper() {
    for encoding in SCANNED {
        decode::<Json>(nested(64, encoding), encoding).unwrap();
        assert_too_deep(decode::<Json>(nested(65, encoding), encoding));
        decode::<Expression>(negations(64, encoding), encoding).unwrap();
        assert_too_deep(decode::<Expression>(negations(65, encoding), encoding));
    }
}

#[test]
fn depth_ends_with_the_container() {
    for encoding in SCANNED {
        let wide = vec![vec![vec![1_u8]; 300]; 3];
        let limits = DecodeLimits::default().max_depth(3);
        let decoded: Vec<Vec<Vec<u8>>> =
            Serde::decode(&encode(&wide, encoding), encoding, limits).unwrap();
        assert_eq!(decoded, wide);
        let one_less: Result<Vec<Vec<Vec<u8>>>, _> =
            Serde::decode(&encode(&wide, encoding), encoding, limits.max_depth(2));
        assert!(one_less.unwrap_err().is_too_deep());
    }
}

#[test]
fn brackets_in_strings_are_no_depth() {
    for text in [
        "[".repeat(1000),
        "\"[".repeat(1000),
        "\\".repeat(9) + "\"{{" + &"[".repeat(99),
    ] {
        for encoding in SCANNED {
            assert_eq!(
                decode::<String>(encode(&text, encoding), encoding).unwrap(),
                text
            );
        }
    }
    let after_string = [
        br#"["\\","\"","#.to_vec(),
        nested(64, Encoding::JSON),
        vec![b']'],
    ]
    .concat();
    assert_too_deep(decode::<Json>(after_string, Encoding::JSON));
}

#[test]
fn the_limit_has_a_limit_that_a_small_stack_can_take() {
    with_small_stack(|| {
        let highest = DecodeLimits::HIGHEST_DEPTH;
        let limits = DecodeLimits::default().max_depth(usize::MAX);
        for encoding in SCANNED {
            let decode = |bytes: Vec<u8>| -> Result<Expression, _> {
                Serde::decode(&bytes.into(), encoding, limits)
            };
            decode(negations(highest, encoding)).unwrap();
            assert!(
                decode(negations(highest + 1, encoding))
                    .unwrap_err()
                    .is_too_deep()
            );
            let decode = |bytes: Vec<u8>| -> Result<Node, _> {
                Serde::decode(&bytes.into(), encoding, limits)
            };
            let unknown = nested(highest - 1, encoding);
            decode(with_unknown_field(&unknown, encoding)).unwrap();
            let unknown = nested(highest, encoding);
            let error = decode(with_unknown_field(&unknown, encoding)).unwrap_err();
            assert!(error.is_too_deep());
        }
    });
}

#[test]
fn nothing_overflows_the_stack() {
    with_small_stack(|| {
        for encoding in SCANNED {
            let deep = nested(100_000, encoding);
            assert_too_deep(decode::<Node>(
                with_unknown_field(&deep, encoding),
                encoding,
            ));
            let args = decode_args::<(u8,)>(&["a"], with_unknown_field(&deep, encoding), encoding);
            assert_too_deep(args);
            assert_too_deep(decode_args::<()>(&[], deep, encoding));
            assert_too_deep(decode::<Expression>(negations(400_000, encoding), encoding));
        }
        let mut list = Node {
            value: 0,
            next: None,
        };
        for value in 1..65 {
            list = Node {
                value,
                next: Some(Box::new(list)),
            };
        }
        for encoding in SCANNED {
            assert_too_deep(decode::<Node>(encode(&list, encoding), encoding));
        }
    });
}

/// A type whose levels take much stack.
#[derive(Default, Debug, Serialize, Deserialize)]
struct Large {
    numbers: [Option<u64>; 32],
    names: [Option<String>; 32],
    next: Option<Box<Large>>,
}

#[test]
fn the_stack_bounds_what_the_depth_does_not() {
    let mut list = Large::default();
    for _ in 0..60 {
        list = Large {
            next: Some(Box::new(list)),
            ..Large::default()
        };
    }
    for encoding in SCANNED {
        let bytes = encode(&list, encoding);
        let limits = DecodeLimits::default().max_stack(40_000);
        let error = <Serde as Encodes<Large>>::decode(&bytes, encoding, limits).unwrap_err();
        assert!(error.is_too_deep(), "{error}");
        let expected = "take more than 40000 bytes of the stack, the limit `max_stack`";
        assert!(error.to_string().contains(expected), "{error}");
        let limits = limits.max_stack(usize::MAX);
        <Serde as Encodes<Large>>::decode(&bytes, encoding, limits).unwrap();
    }
}

#[test]
fn lengths_are_checked_against_the_bytes_left() {
    let claims: [&[u8]; 14] = [
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xdf\x80\x00\x00\x00",
        b"\xdb\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\xc9\xff\xff\xff\xff\x01",
        b"\xc8\xff\xff\x01",
        b"\xc7\xff\x01",
        b"\xd8\x01\x02",
        b"\xdc\xff\xff",
        b"\xde\x00\x02\x01\x01\x01",
        b"\xd9\x02a",
        b"\xc5\x00\x01",
        b"\x93\x01\x01",
    ];
    for claim in claims {
        for bytes in [claim.to_vec(), [b"\x92\x01", claim].concat()] {
            let error = decode::<Json>(bytes.clone(), Encoding::MESSAGE_PACK).unwrap_err();
            assert!(error.is_truncated(), "{bytes:x?}: {error}");
        }
    }
    let error = decode::<Vec<u8>>(claims[0].to_vec(), Encoding::MESSAGE_PACK).unwrap_err();
    let expected = "cannot decode msgpack: the message ends inside a value at byte 0";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn the_reserved_byte_is_refused() {
    assert_error(
        decode::<Json>(vec![0x91, 0xc1], Encoding::MESSAGE_PACK),
        "0xc1 is not Message",
    );
}

#[test]
fn bytes_after_the_value_are_refused() {
    let error = decode::<u8>(vec![1, 2, 3], Encoding::MESSAGE_PACK).unwrap_err();
    assert!(error.is_trailing());
    assert_eq!(
        error.to_string(),
        "cannot decode msgpack: 2 bytes follow the value at byte 1"
    );
    assert_error(decode::<u8>("1 2", Encoding::JSON), "trailing characters");
    assert_eq!(decode::<u8>(" 1 \n", Encoding::JSON).unwrap(), 1);
    assert_error(
        decode_args::<()>(&[], "{}{}", Encoding::JSON),
        "trailing characters",
    );
}

#[test]
fn every_truncation_is_refused() {
    let list = Node {
        value: 1,
        next: Some(Box::new(Node {
            value: 300,
            next: None,
        })),
    };
    for encoding in SCANNED {
        let profile = encode(&profile(), encoding);
        for end in 0..profile.len() {
            assert!(
                decode::<Profile>(profile.slice(..end), encoding)
                    .unwrap_err()
                    .is_decode()
            );
        }
        let list = encode(&list, encoding);
        for end in 0..list.len() {
            let error = decode::<Node>(list.slice(..end), encoding).unwrap_err();
            assert_eq!(
                error.is_truncated(),
                encoding == Encoding::MESSAGE_PACK,
                "{error}"
            );
        }
    }
}

/// Messages of all shapes, as the start of mutations.
pub(super) fn samples(encoding: Encoding) -> Vec<Vec<u8>> {
    let integers = (
        1_u8,
        -200_i16,
        70_000_u32,
        i64::MIN,
        (u64::MAX, 1.5_f32, i128::MIN),
    );
    vec![
        encode(&profile(), encoding).to_vec(),
        encode(&integers, encoding).to_vec(),
        encode(&(0..40).collect::<Vec<u32>>(), encoding).to_vec(),
        from_json(
            r#"{"a":[{"b":"0123456789012345678901234567890123456789"}],"c":{}}"#,
            encoding,
        )
        .to_vec(),
        nested(30, encoding),
        negations(9, encoding),
        with_unknown_field(&nested(9, encoding), encoding),
    ]
}

pub(super) fn mutate(bytes: &mut Vec<u8>, random: &mut fastrand::Rng) {
    for _ in 0..random.usize(1..5) {
        let at = random.usize(..=bytes.len());
        match random.u8(..5) {
            0 => bytes.insert(at, random.u8(..)),
            1 => bytes.truncate(at.max(1)),
            2 => bytes.extend_from_within(at..),
            // The heads of MessagePack's containers, strings and extensions.
            3 => bytes.insert(
                at,
                *random
                    .choice(&[0x81, 0x92, 0xc4, 0xc7, 0xd4, 0xdc])
                    .unwrap(),
            ),
            _ if at < bytes.len() => bytes[at] ^= 1 << random.u8(..8),
            _ => {}
        }
    }
}

#[test]
fn no_mutation_panics() {
    let mut random = fastrand::Rng::with_seed(0x5eed_c0de);
    let mut accepted = 0;
    for encoding in SCANNED {
        let samples = samples(encoding);
        for _ in 0..100_000 {
            let mut bytes = random.choice(&samples).unwrap().clone();
            mutate(&mut bytes, &mut random);
            let bytes = Bytes::from(bytes);
            accepted += match random.u8(..6) {
                0 => usize::from(decode::<Profile>(bytes, encoding).is_ok()),
                1 => usize::from(decode::<Expression>(bytes, encoding).is_ok()),
                2 => usize::from(decode::<Node>(bytes, encoding).is_ok()),
                3 => usize::from(decode::<Json>(bytes, encoding).is_ok()),
                4 => usize::from(decode_args::<()>(&[], bytes, encoding).is_ok()),
                _ => {
                    let names = &["value", "name"];
                    let args = decode_args::<(Option<u8>, Option<Json>)>(names, bytes, encoding);
                    usize::from(args.is_ok())
                }
            };
        }
    }
    assert!(
        accepted > 1000,
        "only {accepted} mutations got as far as a value"
    );
}

#[test]
fn errors_are_one_short_line_whatever_the_peer_sent() {
    let hostile = format!("\"{}\"", "\\u001b[31m\\nfake log line ".repeat(10_000));
    let error = decode::<Place>(hostile, Encoding::JSON)
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("cannot decode json: unknown variant `\\u{1b}[31m\\nfake"),
        "{error}"
    );
    assert!(error.ends_with('…') && error.len() < 1000 && !error.contains(char::is_control));
}
