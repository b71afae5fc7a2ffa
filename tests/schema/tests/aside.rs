//! An `Any` and extensions in JSON: what is put aside for them is bounded, and so is the stack, however they are in each other.

use bytes::Bytes;
use rpc_runtime::Encoding;
use rpc_runtime::codec::{CodecError, DecodeLimits, Encodes, Protobuf};
use rpc_schema_tests::schema::kinds::legacy::Legacy;
use rpc_schema_tests::schema::kinds::v1::WellKnown;

use crate::depth::{LARGE, SMALL, on_stack};
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
fn nested(levels: usize) -> [Bytes; 4] {
    let url = |name: &str| format!("\"@type\":\"type.googleapis.com/google.protobuf.{name}\"");
    let mut any = format!("{{{},\"value\":{{}}}}", url("Struct"));
    for _ in 0..levels {
        any = format!("{{\"value\":{any},{}}}", url("Any"));
    }
    let (open, close) = ("[".repeat(levels), "]".repeat(levels));
    let list = format!("{{\"value\":{open}{close},{}}}", url("ListValue"));
    let of_any = |any: String| Bytes::from(format!("{{\"any\":{any}}}"));
    [
        extensions(levels, 0),
        anys(levels, 0),
        of_any(any),
        of_any(list),
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
    for (limits, levels) in [(DecodeLimits::default(), 30), (endless, 300)] {
        for (at, json) in nested(levels).into_iter().enumerate() {
            let outcome = on_stack(SMALL, move || read(at, &json, limits));
            // An optimised build may have the stack for it.
            let is_bounded = outcome
                .as_ref()
                .map_or_else(CodecError::is_too_deep, |()| true);
            assert!(is_bounded, "{at}: {outcome:?}");
        }
    }
}

#[test]
fn the_limit_of_the_stack_holds_in_what_is_put_aside() {
    register_types();
    for (at, json) in nested(20).into_iter().enumerate() {
        let few = json.clone();
        // The innermost is read with less than that, if it is alone.
        let limits = DecodeLimits::default().max_stack(30_000);
        let error = on_stack(LARGE, move || read(at, &few, limits)).expect_err("it is too deep");
        let expected = "take more than 30000 bytes of the stack, the limit `max_stack`";
        assert!(error.is_too_deep(), "{at}: {error}");
        assert!(error.to_string().contains(expected), "{at}: {error}");
        let limits = limits.max_stack(usize::MAX);
        on_stack(LARGE, move || read(at, &json, limits)).expect("the stack is enough for it");
    }
}
