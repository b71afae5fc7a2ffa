//! An `Any` and extensions in JSON: what is put aside for them is bounded, and so is the stack, however they are in each other.

use bytes::Bytes;
use rpc_runtime::Encoding;
use rpc_runtime::codec::{CodecError, DecodeLimits, Encodes, Protobuf};
use rpc_schema_tests::schema::kinds::legacy::Legacy;
use rpc_schema_tests::schema::kinds::v1::WellKnown;

use crate::depth::{self, LARGE, SMALL, on_stack};
use crate::messages::register_types;

/// So many values, of three bytes each.
fn values(count: usize) -> String {
    format!("[{}]", vec!["[]"; count].join(","))
}

/// Extensions in each other, the innermost of which has a list.
fn extensions(levels: usize, count: usize) -> Bytes {
    let mut json = format!("{{\"name\":\"\",\"unknown\":{}}}", values(count));
    for _ in 0..levels {
        json = format!("{{\"name\":\"\",\"[kinds.legacy.more]\":[{json}]}}");
    }
    json.into()
}

/// The same of messages that have an `Any`.
fn anys(levels: usize, count: usize) -> Bytes {
    let mut json = format!("\"list\":{}", values(count));
    for _ in 0..levels {
        let url = "type.googleapis.com/kinds.v1.WellKnown";
        json = format!("\"any\":{{{json},\"@type\":\"{url}\"}}");
    }
    format!("{{{json}}}").into()
}

fn decode<T>(json: Bytes, limits: DecodeLimits) -> Result<(), CodecError>
where
    Protobuf: Encodes<T>,
{
    // In a debug build more than a thread has.
    let limits = limits.max_stack(usize::MAX);
    let read = on_stack(LARGE, move || {
        <Protobuf as Encodes<T>>::decode(&json, Encoding::JSON, limits).map(|_| ())
    });
    read.inspect_err(|error| println!("{error}"))
}

#[test]
fn what_is_put_aside_is_bounded() {
    register_types();
    let limits = DecodeLimits::default();
    for levels in [1, 2] {
        decode::<Legacy>(extensions(levels, 20_000), limits).expect("it counts 5 MB");
        decode::<WellKnown>(anys(levels, 20_000), limits).expect("it counts 5 MB");
    }
    // The same text but for its nesting, which is as deep as `max_depth` allows.
    for read in [
        decode::<Legacy>(extensions(30, 20_000), limits),
        decode::<WellKnown>(anys(60, 20_000), limits),
    ] {
        let error = read.expect_err("it counts 80 MB and more");
        assert!(error.is_too_large(), "{error}");
        let expected = "elements take more than 33554432 bytes, the limit `max_element_memory`";
        assert!(error.to_string().contains(expected), "{error}");
    }
    // With the limit it would be read.
    let limits = limits.max_element_memory(usize::MAX);
    decode::<Legacy>(extensions(30, 2_000), limits).expect("nothing else is in the way");
    decode::<WellKnown>(anys(60, 2_000), limits).expect("nothing else is in the way");
}

/// What is in no `Any` and in no extension is bounded by its length alone, as in every JSON.
#[test]
fn what_is_not_put_aside_is_not_counted() {
    register_types();
    let limits = DecodeLimits::default().max_element_memory(10_000);
    let json = format!("{{\"list\":{},\"any\":{{}}}}", values(20_000));
    decode::<WellKnown>(json.into(), limits).expect("it is no `Any`");
    decode::<WellKnown>(anys(1, 10), limits).expect("it is short");
    decode::<WellKnown>(anys(1, 1_000), limits).expect_err("it is long");
}

/// As many of each in each other: extensions, messages that have an `Any`, an `Any` in an `Any`, and what it may hold.
fn nested(levels: usize) -> [Bytes; 5] {
    let url = |name: &str| format!("\"@type\":\"type.googleapis.com/{name}\"");
    let mut any = format!("{{{},\"value\":{{}}}}", url("google.protobuf.Struct"));
    for _ in 0..levels {
        any = format!("{{\"value\":{any},{}}}", url("google.protobuf.Any"));
    }
    let (open, close) = ("[".repeat(levels), "]".repeat(levels));
    let list = url("google.protobuf.ListValue");
    let list = format!("{{\"value\":{open}{close},{list}}}");
    // Of those that are put aside it takes the most stack: in a debug build 200 KB a level.
    let [_, (wide, _)] = depth::nested(levels);
    let wide = String::from_utf8(wide.into()).expect("JSON is text");
    let wide = format!("{{{},{}", url("wide.v1.Wide"), &wide[1..]);
    let of_any = |any: String| Bytes::from(format!("{{\"any\":{any}}}"));
    [
        extensions(levels, 0),
        anys(levels, 0),
        of_any(any),
        of_any(list),
        of_any(wide),
    ]
}

/// Reads one of them.
fn read(at: usize, json: &Bytes, limits: DecodeLimits) -> Result<(), CodecError> {
    match at {
        0 => Protobuf::decode(json, Encoding::JSON, limits).map(|_: Legacy| ()),
        _ => Protobuf::decode(json, Encoding::JSON, limits).map(|_: WellKnown| ()),
    }
}

#[test]
fn no_nesting_of_what_is_put_aside_overflows_the_stack() {
    register_types();
    let endless = DecodeLimits::default()
        .max_depth(usize::MAX)
        .max_element_memory(usize::MAX);
    for levels in [25, 50, 75, 100, 150, 200, 300] {
        for (at, json) in nested(levels).into_iter().enumerate() {
            let outcome = on_stack(SMALL, move || read(at, &json, endless));
            // An optimised build may have the stack for it.
            let is_bounded = outcome
                .as_ref()
                .map_or_else(CodecError::is_too_deep, |()| true);
            assert!(is_bounded, "{at}: {outcome:?}");
        }
    }
}

/// What is put aside takes less of it than the messages that it becomes.
#[test]
fn the_limit_of_the_stack_holds_in_what_is_put_aside() {
    register_types();
    for (at, json) in nested(20).into_iter().enumerate() {
        let least = |is_enough: &dyn Fn(usize) -> bool| {
            let (mut low, mut high) = (0, 64 << 20);
            while high - low > 1_000 {
                let middle = usize::midpoint(low, high);
                match is_enough(middle) {
                    true => high = middle,
                    false => low = middle,
                }
            }
            high
        };
        let needed = least(&|limit| {
            let json = json.clone();
            let limits = DecodeLimits::default().max_stack(limit);
            let outcome = on_stack(LARGE, move || read(at, &json, limits));
            outcome.is_ok() || {
                let error = outcome.expect_err("it is no success");
                let expected = format!("take more than {limit} bytes of the stack");
                assert!(error.is_too_deep(), "{at}: {error}");
                assert!(error.to_string().contains(&expected), "{at}: {error}");
                false
            }
        });
        // What it takes is what it says: with little more than that the stack is enough.
        on_stack(needed + (256 << 10), move || {
            read(at, &json, DecodeLimits::default().max_stack(needed))
        })
        .expect("the stack is enough for it");
    }
}
