//! Arguments by name, by position, missing, twice, and too many.

use super::*;

const A_B: &[&str] = &["a", "b"];

#[track_caller]
fn assert_read<A>(names: &'static [&'static str], json: &str, expected: A)
where
    A: PartialEq + Debug,
    Serde: EncodesArgs<A>,
{
    for encoding in SCANNED {
        let args = decode_args::<A>(names, from_json(json, encoding), encoding).unwrap();
        assert_eq!(args, expected, "{encoding}: {json}");
    }
}

#[track_caller]
fn assert_refused<A>(names: &'static [&'static str], json: &str, part: &str)
where
    A: Debug,
    Serde: EncodesArgs<A>,
{
    for encoding in SCANNED {
        assert_error(
            decode_args::<A>(names, from_json(json, encoding), encoding),
            part,
        );
    }
}

#[test]
fn arguments_are_written_as_a_map_by_name() {
    let mut out = BytesMut::new();
    Serde::encode_args(A_B, &(1_u8, "x".to_owned()), Encoding::JSON, &mut out).unwrap();
    assert_eq!(&out[..], br#"{"a":1,"b":"x"}"#);
    out.clear();
    Serde::encode_args(A_B, &(1_u8, None::<u8>), Encoding::MESSAGE_PACK, &mut out).unwrap();
    assert_eq!(&out[..], b"\x82\xa1a\x01\xa1b\xc0");
}

#[test]
fn arguments_are_read_by_name_in_any_order() {
    assert_read(A_B, r#"{"a":1,"b":2}"#, (1, 2));
    assert_read(A_B, r#"{"b":2,"a":1}"#, (1, 2));
}

#[test]
fn arguments_are_read_by_position() {
    assert_read(A_B, "[1,2]", (1, 2));
    assert_read(A_B, "[1]", (1, None::<u8>));
    assert_read(&["a"], "[[1,2]]", (vec![1, 2],));
}

#[test]
fn unknown_arguments_are_ignored() {
    assert_read(
        A_B,
        r#"{"z":{"deep":[1,{}]},"a":1,"y":null,"b":2,"":0}"#,
        (1, 2),
    );
}

#[test]
fn missing_arguments_are_named_and_missing_options_are_none() {
    assert_refused::<(u8, u8)>(A_B, r#"{"a":1}"#, "missing argument `b`");
    assert_refused::<(u8, u8)>(A_B, "[1]", "missing argument `b`");
    assert_refused::<(u8, u8)>(A_B, "{}", "missing argument `a`");
    assert_refused::<(Option<u8>, Vec<u8>)>(A_B, "[]", "missing argument `b`");
    assert_read(A_B, r#"{"a":1}"#, (1, None::<u8>));
    assert_read(A_B, r#"{"a":1,"b":null}"#, (1, None::<u8>));
    assert_read(A_B, "{}", (None::<u8>, None::<Profile>));
}

#[test]
fn no_bytes_are_no_arguments() {
    for encoding in SCANNED {
        assert_error(
            decode_args::<(u8, u8)>(A_B, "", encoding),
            "missing argument `a`",
        );
        assert_error(
            decode_args::<(Option<u8>, u8)>(A_B, "", encoding),
            "missing argument `b`",
        );
        let args = decode_args::<(Option<u8>, Option<u8>)>(A_B, "", encoding).unwrap();
        assert_eq!(args, (None, None));
    }
}

#[test]
fn an_argument_that_is_there_twice_is_an_error() {
    assert_error(
        decode_args::<(u8, u8)>(A_B, r#"{"a":1,"b":2,"a":3}"#, Encoding::JSON),
        "argument `a` is there twice",
    );
    let bytes = &b"\x83\xa1a\x01\xa1b\x02\xa1b\x02"[..];
    assert_error(
        decode_args::<(u8, u8)>(A_B, bytes, Encoding::MESSAGE_PACK),
        "argument `b` is there twice",
    );
}

#[test]
fn too_many_positional_arguments_are_counted() {
    assert_refused::<(u8, u8)>(
        A_B,
        "[1,2,3,[4]]",
        "too many arguments: expected 2, found 4",
    );
}

#[test]
fn names_may_be_bytes() {
    let bytes = &b"\x82\xc4\x01a\x01\xc4\x01b\x02"[..];
    assert_eq!(
        decode_args::<(u8, u8)>(A_B, bytes, Encoding::MESSAGE_PACK).unwrap(),
        (1, 2)
    );
}

#[test]
fn names_must_be_text_or_bytes() {
    let bytes = &b"\x81\x05\x01"[..];
    assert_error(
        decode_args::<(u8, u8)>(A_B, bytes, Encoding::MESSAGE_PACK),
        "expected the name of an argument",
    );
}

#[test]
fn arguments_that_are_neither_map_nor_array_are_refused() {
    assert_refused::<(u8, u8)>(
        A_B,
        "7",
        "expected a map or an array of the arguments `a`, `b`",
    );
}

#[test]
fn an_argument_of_the_wrong_type_is_named() {
    assert_refused::<(u8, u8)>(A_B, r#"{"a":1,"b":"x"}"#, "argument `b`: ");
    assert_refused::<(u8, u8)>(A_B, r#"[1,"x"]"#, "argument `b`: ");
    assert_error(
        decode_args::<(u8, Vec<u8>)>(A_B, r#"{"a":1,"b":[2,"x"]}"#, Encoding::JSON),
        r#"json: argument `b`: invalid type: string "x", expected u8 at line 1 column 17"#,
    );
}

#[test]
fn no_arguments_are_no_bytes_or_an_empty_value() {
    for encoding in SCANNED {
        let mut out = BytesMut::new();
        Serde::encode_args(&[], &(), encoding, &mut out).unwrap();
        assert!(out.is_empty());
        decode_args::<()>(&[], "", encoding).unwrap();
    }
    for empty in ["{}", "[]", "null"] {
        assert_read(&[], empty, ());
    }
    for wrong in [r#"{"a":1}"#, "[null]"] {
        assert_refused::<()>(&[], wrong, "the method takes no arguments");
    }
    for wrong in ["0", "false", r#""""#] {
        assert_refused::<()>(&[], wrong, "expected no arguments");
    }
}

#[test]
fn sixteen_arguments_survive() {
    const NAMES: &[&str] = &[
        "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p",
    ];
    type Sixteen = (
        u8,
        u8,
        u8,
        u8,
        u8,
        u8,
        u8,
        u8,
        u8,
        u8,
        u8,
        u8,
        u8,
        u8,
        u8,
        String,
    );
    let last = |args: Sixteen| (args.0, args.14, args.15);
    for encoding in SCANNED {
        let args: Sixteen = (
            1,
            2,
            3,
            4,
            5,
            6,
            7,
            8,
            9,
            10,
            11,
            12,
            13,
            14,
            15,
            "last".into(),
        );
        let mut out = BytesMut::new();
        Serde::encode_args(NAMES, &args, encoding, &mut out).unwrap();
        let decoded = decode_args::<Sixteen>(NAMES, out.freeze(), encoding).unwrap();
        assert_eq!(last(decoded), last(args));
        let array = from_json(r#"[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,"end"]"#, encoding);
        let decoded = decode_args::<Sixteen>(NAMES, array, encoding).unwrap();
        assert_eq!(last(decoded), (1, 15, "end".into()));
    }
}
