//! Messages of every kind, there and back.

use std::sync::Once;

use rpc_runtime::Encoding;
use rpc_runtime::codec::{DecodeLimits, Encodes, Protobuf};
use rpc_runtime::protobuf::well_known::{Any, Duration, Struct, Timestamp};
use rpc_runtime::protobuf::{ExtensionSet as _, Message as _, type_registry, well_known};
use rpc_schema_tests::schema;
use rpc_schema_tests::schema::google::protobuf::{Api, Method};
use rpc_schema_tests::schema::kinds::legacy::legacy::{Closed, Part};
use rpc_schema_tests::schema::kinds::legacy::{
    EXTRA, FILE_DESCRIPTOR_SET, Legacy, MORE, Scope, scope,
};
use rpc_schema_tests::schema::kinds::v1::kinds::nested::Level;
use rpc_schema_tests::schema::kinds::v1::kinds::{Choice, Nested};
use rpc_schema_tests::schema::kinds::v1::{Kinds, WellKnown};
use rpc_schema_tests::schema::shared::v1::{Order, Page};

pub(super) fn bytes<T>(message: &T, encoding: Encoding) -> bytes::Bytes
where
    Protobuf: Encodes<T>,
{
    let mut out = bytes::BytesMut::new();
    <Protobuf as Encodes<T>>::encode(message, encoding, &mut out)
        .expect("the message can be written");
    out.freeze()
}

pub(super) fn there_and_back<T>(message: &T)
where
    Protobuf: Encodes<T>,
    T: PartialEq + std::fmt::Debug,
{
    for encoding in [Encoding::PROTOBUF, Encoding::JSON] {
        let bytes = bytes(message, encoding);
        let read = <Protobuf as Encodes<T>>::decode(&bytes, encoding, DecodeLimits::default());
        assert_eq!(
            &read.expect("it can be read"),
            message,
            "{encoding:?}: {bytes:?}"
        );
    }
}

/// Makes known what extensions and an `Any` are in JSON. There is one registry for all tests.
pub(crate) fn register_types() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let mut registry = type_registry::TypeRegistry::new();
        well_known::register_types(&mut registry);
        schema::kinds::legacy::register_types(&mut registry);
        schema::kinds::v1::register_types(&mut registry);
        schema::names::v3::register_types(&mut registry);
        schema::wide::v1::register_types(&mut registry);
        type_registry::set_type_registry(registry);
    });
}

fn nested(name: &str) -> Nested {
    Nested {
        name: name.to_owned(),
        ..Nested::default()
    }
}

#[test]
fn proto3_in_full() {
    let kinds = Kinds {
        a_double: 1.5,
        an_int64: i64::MIN,
        a_uint64: u64::MAX,
        a_sint32: -3,
        some_bytes: bytes::Bytes::from_static(&[0, 255]),
        nested: Nested {
            parent: Kinds {
                a_bool: true,
                ..Kinds::default()
            }
            .into(),
            ..nested("inner")
        }
        .into(),
        level: Level::LEVEL_HIGH.into(),
        maybe: Some(0),
        packed: vec![1, 2, 3],
        many: vec![nested("a"), nested("b")],
        by_name: [("x".to_owned(), nested("y"))].into_iter().collect(),
        by_number: [(-1, bytes::Bytes::from_static(b"z"))]
            .into_iter()
            .collect(),
        choice: Some(Choice::Message(Box::new(nested("chosen")))),
        page: Page {
            size: 10,
            ..Page::default()
        }
        .into(),
        order: Order::ORDER_NAME.into(),
        r#type: "keyword".to_owned(),
        camel_case: "renamed".to_owned(),
        ..Kinds::default()
    };
    there_and_back(&kinds);
    let json = String::from_utf8(bytes(&kinds, Encoding::JSON).to_vec()).expect("JSON is text");
    for part in [
        "\"anInt64\":\"-9223372036854775808\"",
        "\"someBytes\":\"AP8=\"",
        "\"camelCase\":\"renamed\"",
        "\"level\":\"LEVEL_HIGH\"",
    ] {
        assert!(json.contains(part), "{part} in {json}");
    }
}

#[test]
fn well_known_types_are_those_of_the_runtime() {
    let message = WellKnown {
        duration: Duration {
            seconds: 1,
            ..Duration::default()
        }
        .into(),
        at: Timestamp {
            seconds: 1_700_000_000,
            ..Timestamp::default()
        }
        .into(),
        object: Struct::default().into(),
        api: Api {
            name: "store".to_owned(),
            methods: vec![Method {
                name: "get".to_owned(),
                ..Method::default()
            }],
            ..Api::default()
        }
        .into(),
        ..WellKnown::default()
    };
    there_and_back(&message);
    let json = bytes(&message, Encoding::JSON);
    assert!(
        json.windows(24)
            .any(|it| it == b"\"at\":\"2023-11-14T22:13:20Z"[..24].as_ref()),
        "{json:?}"
    );
    assert_eq!(Any::TYPE_URL, "type.googleapis.com/google.protobuf.Any");
}

#[test]
fn proto2_in_full() {
    let mut legacy = Legacy {
        name: "required".to_owned(),
        part: Part {
            size: Some(3),
            ..Part::default()
        }
        .into(),
        unpacked: vec![1, 2],
        packed: vec![3, 4],
        closed: Some(Closed::ONE),
        ..Legacy::default()
    };
    legacy.set_extension(&EXTRA, "more".to_owned());
    legacy.set_extension(
        &MORE,
        vec![Legacy {
            name: "inner".to_owned(),
            ..Legacy::default()
        }],
    );
    legacy.set_extension(
        &scope::SCOPE,
        Scope {
            value: Some(7),
            ..Scope::default()
        },
    );
    register_types();
    there_and_back(&legacy);
    let bytes = bytes(&legacy, Encoding::PROTOBUF);
    let read =
        <Protobuf as Encodes<Legacy>>::decode(&bytes, Encoding::PROTOBUF, DecodeLimits::default());
    let read = read.expect("it can be read");
    assert_eq!(read.extension(&EXTRA).as_deref(), Some("more"));
    assert_eq!(
        read.extension(&scope::SCOPE).and_then(|it| it.value),
        Some(7)
    );
}

#[test]
fn any_is_json_as_what_it_holds() {
    register_types();
    let nested = nested("held");
    let any = Any {
        type_url: Nested::TYPE_URL.to_owned(),
        value: nested.encode_to_vec().into(),
        ..Any::default()
    };
    there_and_back(&any);
    assert_eq!(
        bytes(&any, Encoding::JSON),
        r#"{"@type":"type.googleapis.com/kinds.v1.Kinds.Nested","name":"held"}"#
    );
    let duration = Duration {
        seconds: 2,
        ..Duration::default()
    };
    let any = Any {
        type_url: Duration::TYPE_URL.to_owned(),
        value: duration.encode_to_vec().into(),
        ..Any::default()
    };
    there_and_back(&any);
    assert_eq!(
        bytes(&any, Encoding::JSON),
        r#"{"@type":"type.googleapis.com/google.protobuf.Duration","value":"2s"}"#
    );
}

#[test]
fn what_is_not_known_is_kept() {
    let kinds = Kinds {
        an_int32: 5,
        a_string: "kept".to_owned(),
        ..Kinds::default()
    };
    // A page has other fields, of other types, under other numbers.
    let page =
        Page::decode_from_slice(&kinds.encode_to_vec()).expect("unknown fields are no mistake");
    assert_eq!(page.size, 0);
    assert_eq!(page.encode_to_vec(), kinds.encode_to_vec());
}

#[test]
fn descriptors_come_with_a_package() {
    let names = [
        "kinds/legacy/legacy.proto",
        "google/protobuf/descriptor.proto",
    ];
    for name in names {
        let name = name.as_bytes();
        assert!(
            FILE_DESCRIPTOR_SET
                .windows(name.len())
                .any(|window| window == name)
        );
    }
}
