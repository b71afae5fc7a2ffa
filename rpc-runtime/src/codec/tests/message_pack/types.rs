//! Types as users write them: with every attribute that changes how serde sees them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;
use std::ops::Range;
use std::time::Duration;

use serde_bytes::ByteBuf;

use super::*;

/// Checks that values are written as they should be and read back, and that what becomes of their
/// bytes by mutation is read alike.
#[track_caller]
fn check<T: Serialize + DeserializeOwned + Debug>(values: impl IntoIterator<Item = T>) {
    let mut random = Rng::with_seed(0x7e57);
    for value in values {
        let bytes = ours(&value);
        assert_eq!(bytes, theirs(&value), "{value:?}");
        assert_eq!(compare_as::<T>(&bytes), Outcome::Read, "{value:?}");
        // Structs as arrays are read too.
        compare_as::<T>(&rmp_serde::to_vec(&value).unwrap());
        for _ in 0..300 {
            let mut bytes = bytes.clone();
            mutate(&mut bytes, &mut random);
            compare_as::<T>(&bytes);
        }
    }
}

fn text(value: &str) -> String {
    value.to_owned()
}

#[test]
fn numbers() {
    macro_rules! check_integers {
        ($($type:ty)*) => {$({
            let edges = [0, 1, 31, 32, 33, 127, 128, 255, 256, 32_767, 32_768, 65_535, 65_536]
                .into_iter()
                .chain((15..127).flat_map(|bit| [(1_i128 << bit) - 1, 1 << bit]));
            let all = edges.flat_map(|it| [it, -it, -it - 1]).filter_map(|it| it.try_into().ok());
            check::<$type>(all);
        })*};
    }
    check_integers!(u8 u16 u32 u64 i8 i16 i32 i64 i128);
    check([0.0_f32, -1.5, f32::MAX, f32::NAN, f32::NEG_INFINITY]);
    check([0.0_f64, 1e300, f64::MIN_POSITIVE, f64::NAN, f64::INFINITY]);
    check([true, false]);
    check([(
        1_u8,
        -1_i8,
        300_u16,
        -300_i16,
        70_000_u32,
        u64::MAX,
        1.5_f32,
    )]);
    check(NonZeroU16::new(300));
}

#[test]
fn integers_of_128_bits_without_a_sign() {
    for value in [0, 1, u128::from(u64::MAX), u128::MAX] {
        assert_eq!(ours(&value), theirs(&value));
        assert_eq!(compare_as::<u128>(&ours(&value)), Outcome::Read);
    }
    for small in [0_i64, 5, 300, 70_000, i64::MAX] {
        assert_eq!(compare_as::<u128>(&ours(&small)), Outcome::Read);
    }
    // rmp-serde makes 2¹²⁸ - 1 of this.
    assert_error(
        decode::<u128>(ours(&-1_i8), Encoding::MESSAGE_PACK),
        "found a negative integer",
    );
}

#[test]
fn strings_and_bytes() {
    let lengths = [0, 1, 31, 32, 255, 256, 65_535, 65_536];
    for length in lengths {
        let value = "ß".repeat(length / 2) + &"x".repeat(length % 2);
        assert_eq!(ours(&value), theirs(&value));
        assert_eq!(compare_as::<String>(&ours(&value)), Outcome::Read);
        let value = ByteBuf::from(value);
        assert_eq!(ours(&value), theirs(&value));
        for bytes in [ours(&value), ours(&*value)] {
            assert_eq!(compare_as::<ByteBuf>(&bytes), Outcome::Read);
            assert_eq!(compare_as::<Vec<u8>>(&bytes), Outcome::Read);
        }
    }
    check(
        [
            "",
            "a",
            "ß",
            "日本語",
            "a longer one that is not in a short string",
        ]
        .map(text),
    );
    check(['a', 'ß', '日', '🎉']);
    check([ByteBuf::from(vec![]), ByteBuf::from(vec![0, 255, 128])]);
    check([Bytes::new(), Bytes::from_static(b"abc")]);
    check([vec![0_u8, 127, 128, 255]]);
    check([[1_u8, 200, 3, 4]]);
}

#[test]
fn containers() {
    for length in [0_u32, 1, 15, 16, 17, 255, 256, 65_535, 65_536] {
        let list: Vec<u32> = (0..length).collect();
        assert_eq!(ours(&list), theirs(&list));
        assert_eq!(compare_as::<Vec<u32>>(&ours(&list)), Outcome::Read);
        let map: BTreeMap<u32, bool> = (0..length).map(|key| (key, true)).collect();
        assert_eq!(ours(&map), theirs(&map));
        let read = compare_as::<BTreeMap<u32, bool>>(&ours(&map));
        assert_eq!(read, Outcome::Read);
    }
    check([BTreeMap::from([(text("a"), Some(1)), (text("b"), None)])]);
    check([BTreeMap::from([(-1_i16, 'a'), (300, 'b')])]);
    check([BTreeMap::from([
        ((1, true), vec![(); 3]),
        ((2, false), vec![]),
    ])]);
    check([BTreeMap::from([(None, 1), (Some(Unit), 2)])]);
    check([HashMap::from([(vec![1_u8], HashMap::from([('x', 1.0)]))])]);
    check([BTreeSet::from([1, 2, 3])]);
    check([vec![vec![text("deep")], vec![]]]);
    check([[[1_u16; 3]; 2]]);
}

#[test]
fn options() {
    check([None, Some(1_u8), Some(200)]);
    // As in JSON, all of `None` and `Some(None)` is nil.
    check([None::<Option<u8>>, Some(Some(1))]);
    assert_eq!(ours(&Some(None::<u8>)), theirs(&Some(None::<u8>)));
    check([None::<Option<Option<Vec<Option<()>>>>>]);
    check([Some(Box::new(text("boxed")))]);
    check([()]);
    check([Ok::<u8, String>(1), Err(text("no"))]);
}

#[test]
fn types_of_std() {
    check([Duration::new(5, 7), Duration::MAX]);
    check([
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
    ]);
    check([SocketAddr::from(([127, 0, 0, 1], 80))]);
    check::<Range<u8>>(std::iter::once(1..5));
    check([std::time::SystemTime::UNIX_EPOCH]);
}

#[derive(Serialize, Deserialize, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Unit;

#[derive(Serialize, Deserialize, Debug)]
struct Newtype(String);

#[derive(Serialize, Deserialize, Debug)]
struct Pair(u8, Option<String>);

#[derive(Serialize, Deserialize, Debug)]
struct Empty {}

#[derive(Serialize, Deserialize, Debug)]
struct Attributes {
    #[serde(rename = "the first")]
    first: u8,
    #[serde(alias = "other", alias = "another")]
    second: u8,
    #[serde(default)]
    third: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    fourth: Option<Newtype>,
    #[serde(skip)]
    _fifth: u8,
    #[serde(with = "serde_bytes")]
    bytes: Vec<u8>,
}

#[derive(Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Strict {
    a: u8,
    b: Unit,
}

#[test]
fn structs() {
    check([Unit]);
    check([Newtype(text("inside"))]);
    check([Pair(1, None), Pair(200, Some(text("x")))]);
    check([Empty {}]);
    check([Strict { a: 1, b: Unit }]);
    check(
        [None, Some(Newtype(text("four")))].map(|fourth| Attributes {
            first: 1,
            second: 2,
            third: 3,
            fourth,
            _fifth: 0,
            bytes: vec![1, 2, 255],
        }),
    );
    check([profile()]);
    // Fields in another order, missing, unknown and twice; names as bytes and as numbers.
    for fields in [
        &b"\x82\xa1b\x90\xa1a\x01"[..],
        b"\x81\xa1b\x90",
        b"\x83\xa1b\x90\xa1c\x02\xa1a\x01",
        b"\x83\xa1a\x01\xa1b\x90\xa1a\x01",
        b"\x82\xc4\x01a\x01\xc4\x01b\x90",
        b"\x82\x00\x01\x01\x90",
        b"\x82\xa1\xff\x01\x01\x90",
        b"\x82\xd9\x01a\x01\xd9\x01b\x90",
        b"\x92\x01\xc0",
    ] {
        compare_as::<Strict>(fields);
        compare_as::<HashMap<String, Option<u8>>>(fields);
    }
    compare_as::<Attributes>(&ours(&BTreeMap::from([
        ("another", ByteBuf::from([7])),
        ("bytes", ByteBuf::from([1])),
    ])));
}

#[derive(Serialize, Deserialize, Debug)]
enum External {
    Unit,
    Newtype(Box<External>),
    Tuple(u8, String),
    Struct { a: u8, b: Option<Place> },
    NewtypeUnit(()),
    Empty {},
}

#[derive(Serialize, Deserialize, Debug)]
#[serde(tag = "type")]
enum Internal {
    Unit,
    Newtype(Strict),
    Struct { a: u64, bytes: ByteBuf },
}

#[derive(Serialize, Deserialize, Debug)]
#[serde(tag = "t", content = "c")]
enum Adjacent {
    Unit,
    Newtype(External),
    Tuple(u8, i16),
    Struct { a: f32 },
}

#[derive(Serialize, Deserialize, Debug)]
#[serde(untagged)]
enum Untagged {
    Nothing,
    Number(i32),
    Float(f64),
    Text(String),
    List(Vec<Untagged>),
    Struct { a: Internal },
    Bytes(ByteBuf),
}

fn externals() -> Vec<External> {
    vec![
        External::Unit,
        External::Newtype(Box::new(External::Tuple(1, text("x")))),
        External::Struct {
            a: 7,
            b: Some(Place::Pair(1, 2)),
        },
        External::NewtypeUnit(()),
        External::Empty {},
    ]
}

fn internals() -> [Internal; 3] {
    let bytes = ByteBuf::from([200; 3]);
    [
        Internal::Unit,
        Internal::Newtype(Strict { a: 1, b: Unit }),
        Internal::Struct { a: 300, bytes },
    ]
}

#[test]
fn enums() {
    check(externals());
    check(internals());
    let mut adjacent = vec![
        Adjacent::Unit,
        Adjacent::Tuple(200, -200),
        Adjacent::Struct { a: 0.5 },
    ];
    adjacent.extend(externals().into_iter().map(Adjacent::Newtype));
    check(adjacent);
    let mut untagged = vec![
        Untagged::Nothing,
        Untagged::Number(-70_000),
        Untagged::Float(0.25),
        Untagged::Text(text("free")),
        Untagged::List(vec![Untagged::Nothing, Untagged::Number(1)]),
        Untagged::Bytes(ByteBuf::from([255, 0])),
    ];
    untagged.extend(internals().map(|a| Untagged::Struct { a }));
    check(untagged);
    // A name with nil, with an array, with two entries, and as bytes.
    for bytes in [
        &b"\x81\xa4Unit\xc0"[..],
        b"\x81\xa4Unit\x01",
        b"\x81\xa6Struct\x92\x07\xc0",
        b"\x82\xa4Unit\xc0\xa4Unit\xc0",
        b"\x80",
        b"\xde\x00\x01\xa4Unit\xc0",
        b"\xc4\x04Unit",
        b"\x00",
        b"\x81\x02\x92\x01\xa1x",
        b"\x91\xa4Unit",
        b"\xa6Struct",
    ] {
        compare_as::<External>(bytes);
        compare_as::<Option<External>>(bytes);
    }
}

#[derive(Serialize, Deserialize, Debug)]
struct Flat {
    id: u8,
    #[serde(flatten)]
    inner: Inner,
    #[serde(flatten)]
    tagged: Internal,
    #[serde(flatten)]
    more: BTreeMap<String, serde_json::Value>,
}

#[derive(Serialize, Deserialize, Debug)]
struct Inner {
    name: String,
    list: Option<Vec<u16>>,
}

#[test]
fn flattened_structs() {
    for count in [0_u8, 1, 9, 10, 11, 12, 13, 255] {
        check(internals().into_iter().take(1).map(|tagged| {
            Flat {
                id: 1,
                inner: Inner {
                    name: text("in"),
                    list: Some(vec![1, 2, 300]),
                },
                tagged,
                more: (0..count)
                    .map(|it| (format!("key-{it}"), serde_json::json!([it, {"a": null}])))
                    .collect(),
            }
        }));
    }
}

#[test]
fn values_of_any_type() {
    let json = serde_json::json!({
        "null": null, "yes": true, "numbers": [0, -1, 300, 1e9, 0.5, u64::MAX, i64::MIN],
        "text": "日本", "deep": {"er": [[[{}]]]},
    });
    check([json]);
    check([Some((Some(serde_json::Value::Null), 1))]);
}

#[derive(Serialize, Deserialize, Debug)]
#[serde(rename = "_ExtStruct")]
struct Ext((i8, ByteBuf));

#[test]
fn extensions() {
    for length in [0, 1, 2, 3, 4, 5, 8, 15, 16, 17, 255, 256, 65_535, 65_536] {
        let value = vec![Ext((-5, ByteBuf::from(vec![200; length])))];
        let bytes = ours(&value);
        assert_eq!(bytes, theirs(&value), "{length}");
        assert_eq!(compare_as::<Vec<Ext>>(&bytes), Outcome::Read);
        assert_eq!(compare_as::<serde::de::IgnoredAny>(&bytes), Outcome::Read);
        compare_as::<serde_json::Value>(&bytes);
        compare_as::<Vec<(i8, ByteBuf)>>(&bytes);
    }
    check([Ext((7, ByteBuf::from([1, 2, 3])))]);

    #[derive(Serialize, Deserialize)]
    #[serde(rename = "_ExtStruct")]
    struct Wrong(u8);
    let error = Serde::encode(&Wrong(1), Encoding::MESSAGE_PACK, &mut BytesMut::new()).unwrap_err();
    let expected = "cannot encode as msgpack: an extension must be a tuple of an i8 and bytes";
    assert_eq!(error.to_string(), expected);
}
