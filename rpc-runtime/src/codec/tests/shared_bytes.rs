//! `Bytes` that are not copied.

use super::*;
use crate::codec::{LARGE, Pieces};

const NAMES: &[&str] = &["before", "body", "after"];

type Arguments = (String, Bytes, Bytes);

fn large(length: usize) -> Bytes {
    (0..length).map(|it| it as u8).collect::<Vec<_>>().into()
}

/// Puts the parts together, as a wire does.
fn join(out: &[u8], pieces: Pieces) -> (Bytes, Vec<Bytes>) {
    let (mut joined, mut taken, mut shared) = (BytesMut::new(), 0, Vec::new());
    for (position, piece) in pieces.into_parts() {
        joined.extend_from_slice(&out[taken..position]);
        joined.extend_from_slice(&piece);
        taken = position;
        shared.push(piece);
    }
    joined.extend_from_slice(&out[taken..]);
    (joined.freeze(), shared)
}

fn shares<C: EncodesArgs<Arguments> + Encodes<Bytes>>(encoding: Encoding) {
    let args: Arguments = ("a".to_owned(), large(LARGE), large(2 * LARGE));
    let mut plain = BytesMut::new();
    C::encode_args(NAMES, &args, encoding, &mut plain).unwrap();
    let (mut out, mut pieces) = (BytesMut::new(), Pieces::default());
    C::encode_args_sharing(NAMES, &args, encoding, &mut out, &mut pieces).unwrap();
    let (joined, shared) = join(&out, pieces);
    assert_eq!(joined, plain, "{encoding}: the same bytes");
    let addresses: Vec<_> = shared.iter().map(|it| it.as_ptr()).collect();
    assert_eq!(addresses, [args.1.as_ptr(), args.2.as_ptr()], "{encoding}");

    let read: Arguments =
        C::decode_args(NAMES, &joined, encoding, DecodeLimits::default()).unwrap();
    assert_eq!(read, args);
    for bytes in [&read.1, &read.2] {
        assert!(
            joined.as_ptr_range().contains(&bytes.as_ptr()),
            "{encoding}"
        );
    }

    let (mut out, mut pieces) = (BytesMut::new(), Pieces::default());
    C::encode_sharing(&args.1, encoding, &mut out, &mut pieces).unwrap();
    let (joined, shared) = join(&out, pieces);
    assert_eq!(shared[0].as_ptr(), args.1.as_ptr());
    let read: Bytes = C::decode(&joined, encoding, DecodeLimits::default()).unwrap();
    assert_eq!(read, args.1);
    assert!(joined.as_ptr_range().contains(&read.as_ptr()));
}

#[test]
fn large_bytes_are_shared_both_ways() {
    shares::<Serde>(Encoding::MESSAGE_PACK);
    #[cfg(feature = "postcard")]
    {
        use crate::codec::SerdeWithPostcard;
        shares::<SerdeWithPostcard>(Encoding::MESSAGE_PACK);
        shares::<SerdeWithPostcard>(Encoding::POSTCARD);
    }
}

#[test]
fn small_bytes_and_small_parts_are_copied() {
    let encoding = Encoding::MESSAGE_PACK;
    let args: Arguments = (String::new(), large(LARGE - 1), large(0));
    let (mut out, mut pieces) = (BytesMut::new(), Pieces::default());
    Serde::encode_args_sharing(NAMES, &args, encoding, &mut out, &mut pieces).unwrap();
    assert!(pieces.is_empty());
    let bytes = out.freeze();
    let read: Arguments =
        Serde::decode_args(NAMES, &bytes, encoding, DecodeLimits::default()).unwrap();
    assert_eq!(read, args);
    assert!(!bytes.as_ptr_range().contains(&read.1.as_ptr()));

    let args: Arguments = (String::new(), large(LARGE), large(5 * LARGE));
    let mut out = BytesMut::new();
    Serde::encode_args(NAMES, &args, encoding, &mut out).unwrap();
    let bytes = out.freeze();
    let read: Arguments =
        Serde::decode_args(NAMES, &bytes, encoding, DecodeLimits::default()).unwrap();
    assert_eq!(read, args);
    assert!(!bytes.as_ptr_range().contains(&read.1.as_ptr()), "a sixth");
    assert!(bytes.as_ptr_range().contains(&read.2.as_ptr()));
}

#[test]
fn other_forms_of_bytes_are_read() {
    let expected = Bytes::from_static(b"abc");
    for (encoding, form) in [
        (Encoding::JSON, &b"[97,98,99]"[..]),
        (Encoding::JSON, b"\"abc\""),
        (Encoding::JSON, b"\"\\u0061bc\""),
        (Encoding::MESSAGE_PACK, b"\xA3abc"),
        (Encoding::MESSAGE_PACK, b"\x93abc"),
        (Encoding::MESSAGE_PACK, b"\xC4\x03abc"),
    ] {
        assert_eq!(decode::<Bytes>(form.to_vec(), encoding).unwrap(), expected);
    }
    assert_error(decode::<Bytes>("7", Encoding::JSON), "expected byte array");
    assert_error(decode::<Bytes>("[256]", Encoding::JSON), "256");
}

#[test]
fn bytes_inside_a_struct_survive() {
    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    struct File {
        name: String,
        content: Bytes,
    }
    let file = File {
        name: "a".into(),
        content: large(3 * LARGE),
    };
    for encoding in SCANNED {
        assert_eq!(
            decode::<File>(encode(&file, encoding), encoding).unwrap(),
            file
        );
    }
}

#[test]
fn what_fails_leaves_no_pieces() {
    let args = (
        large(LARGE),
        std::collections::BTreeMap::from([(vec![1], 1)]),
    );
    let (mut out, mut pieces) = (BytesMut::from("kept"), Pieces::default());
    Serde::encode_args_sharing(NAMES, &args, Encoding::JSON, &mut out, &mut pieces).unwrap_err();
    assert!(pieces.is_empty());
    assert_eq!(out, "kept");
}
