//! Short messages that would take much memory.

use super::*;

/// Takes 480 bytes, and an empty map is one on the wire.
#[derive(Default, Debug, Serialize, Deserialize)]
#[serde(default)]
struct Wide {
    names: [Option<String>; 20],
}

/// `count` times the same, in a list.
fn list_of(element: &[u8], count: usize, encoding: Encoding) -> Vec<u8> {
    if encoding == Encoding::JSON {
        return [b"[".as_slice(), &vec![element; count].join(&b','), b"]"].concat();
    }
    let head = u32::try_from(count).unwrap().to_be_bytes();
    [b"\xdd".as_slice(), &head, &element.repeat(count)].concat()
}

#[track_caller]
fn assert_too_large<T: Debug>(element: &str, encoding: Encoding)
where
    Serde: Encodes<T>,
{
    let element = from_json(element, encoding);
    let bytes = list_of(&element, 80_000, encoding);
    let error = decode::<T>(bytes, encoding).expect_err("its elements take too much memory");
    assert!(error.is_too_large() && error.is_decode(), "{error}");
    let expected =
        "its elements take more than 33554432 bytes, the limit `max_element_memory`: send fewer";
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn elements_take_no_more_memory_than_the_limit() {
    type Map = std::collections::BTreeMap<bool, Wide>;
    #[derive(Debug, Serialize, Deserialize)]
    enum Either {
        A,
        B(Box<Wide>),
        C { wide: Box<Wide> },
    }
    for encoding in SCANNED {
        assert_too_large::<Vec<Wide>>("{}", encoding);
        assert_too_large::<Vec<Option<Wide>>>("null", encoding);
        assert_too_large::<Vec<Option<Box<Wide>>>>("{}", encoding);
        assert_too_large::<Vec<Box<Option<Wide>>>>("null", encoding);
        assert_too_large::<Vec<[Box<Wide>; 2]>>("[{},{}]", encoding);
        assert_too_large::<Vec<(u8, Box<Wide>)>>("[1,{}]", encoding);
        assert_too_large::<Vec<Vec<Wide>>>("[{}]", encoding);
        assert_too_large::<Vec<Either>>(r#"{"B":{}}"#, encoding);
        assert_too_large::<Vec<Either>>(r#"{"C":{"wide":{}}}"#, encoding);
    }
    let keys: Vec<u8> = (0..=200)
        .map(|it| it % 2)
        .flat_map(|it| [0xc2 + it, 0x80])
        .collect();
    let map = [b"\xde\x00\xc9".as_slice(), &keys].concat();
    let limits = DecodeLimits::default().max_element_memory(50_000);
    let decoded: Result<Map, _> = Serde::decode(&map.into(), Encoding::MESSAGE_PACK, limits);
    assert!(decoded.unwrap_err().is_too_large());
    let map = format!("{{{}}}", vec![r#""a":{}"#; 201].join(","));
    type Named = std::collections::BTreeMap<String, Wide>;
    let decoded: Result<Named, _> = Serde::decode(&map.into(), Encoding::JSON, limits);
    assert!(decoded.unwrap_err().is_too_large());
}

/// What a message may be full of: small numbers and short strings, and things that are as long as they are large.
#[test]
fn long_lists_of_what_is_small_are_no_harm() {
    for encoding in SCANNED {
        let numbers = list_of(b"1", 5 << 20, Encoding::JSON).into();
        let numbers = match encoding {
            Encoding::JSON => numbers,
            _ => list_of(&[1], 5 << 20, encoding).into(),
        };
        let numbers: Vec<u64> = decode::<Vec<u64>>(Bytes::clone(&numbers), encoding).unwrap();
        assert_eq!(numbers.len(), 5 << 20);

        let wide = Wide {
            names: std::array::from_fn(|_| Some("x".repeat(32))),
        };
        let wide = list_of(&encode(&wide, encoding), 100_000, encoding);
        assert_eq!(decode::<Vec<Wide>>(wide, encoding).unwrap().len(), 100_000);
        let pairs = list_of(&from_json("[1,2]", encoding), 1 << 20, encoding);
        decode::<Vec<(u32, Option<u32>)>>(pairs, encoding).unwrap();
    }
}

#[test]
fn parts_of_a_value_count_with_it() {
    // Each is 480 bytes with all of its parts, however they are written.
    for element in [
        "{}",
        r#"{"names":[null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null]}"#,
    ] {
        for encoding in SCANNED {
            let bytes = list_of(&from_json(element, encoding), 100, encoding);
            let limit = 100 * size_of::<Wide>();
            let decode = |limit| -> Result<Vec<Wide>, _> {
                let limits = DecodeLimits::default().max_element_memory(limit);
                Serde::decode(&bytes.clone().into(), encoding, limits)
            };
            decode(limit).unwrap();
            let is_bounded_by_it = limit > bytes.len() * 16;
            assert_eq!(decode(limit - 1).is_err(), is_bounded_by_it);
        }
    }
}
