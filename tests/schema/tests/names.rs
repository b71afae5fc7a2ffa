//! Names that Rust cannot take have underscores there, and are what they are for everyone else.

use rpc_runtime::Encoding;
use rpc_runtime::codec::{DecodeLimits, Encodes, Protobuf};
use rpc_runtime::protobuf::{ExtensionSet as _, MessageName};
use rpc_schema_tests::schema::names::{v3, v5, v6};

use super::messages::{bytes, register_types, there_and_back};

/// Reads JSON, which has to come out again as it was.
fn read<T>(json: &str) -> T
where
    Protobuf: Encodes<T>,
    T: PartialEq + std::fmt::Debug,
{
    let limits = DecodeLimits::default();
    let message = <Protobuf as Encodes<T>>::decode(&json.to_owned().into(), Encoding::JSON, limits);
    let message = message.unwrap_or_else(|error| panic!("{json}: {error}"));
    there_and_back(&message);
    assert_eq!(bytes(&message, Encoding::JSON), json);
    message
}

#[test]
fn types_and_modules_have_underscores() {
    let message: v3::type_ = read(
        r#"{"type":{"number":"NO_NUMBER"},"Self":{"inner":{"inner":1}},"strs":{"a":{"message":"b"}}}"#,
    );
    let self_: &v3::Self_ = &message.self_;
    let inner: &v3::crate__::inner = &self_.inner;
    assert_eq!(inner.inner, Some(1));
    let text: &v3::str_ = &message.strs["a"];
    assert_eq!(text.to_string(), "b");
    assert_eq!(v3::type_::FULL_NAME, "names.v3.type");
    assert_eq!(v3::http_part::Inner::FULL_NAME, "names.v3.HTTPPart.Inner");
    assert_eq!(
        v3::part_::part::part::TYPE_URL,
        "type.googleapis.com/names.v3.part.Part.part"
    );

    let part = v3::HttpPart::default();
    assert_eq!(part.level, None);
    assert_eq!(v3::http_part_::u8_::__ as i32, 1);
    let part: v3::HttpPart = read(r#"{"level":"_"}"#);
    assert_eq!(part.level, Some(v3::http_part_::u8_::__));
}

#[test]
fn fields_have_underscores() {
    let message: v3::__buffa_ = read(r#"{"BuffaUnknownFields":"a","":"b"}"#);
    assert_eq!(message.__buffa_unknown_fields_.as_deref(), Some("a"));
    assert_eq!(message.__.as_deref(), Some("b"));
}

#[test]
fn oneofs_and_their_fields_have_underscores() {
    use v3::oneofs::{_1_, FooBar, FooBar_, Self_, Two};

    let message: v3::Oneofs = read(r#"{"a":"1","b":"2","FooBar":"3","c":"4","d":"5"}"#);
    assert_eq!(message.self__, Some(Self_::A("1".to_owned())));
    assert_eq!(message._1, Some(_1_::B("2".to_owned())));
    assert_eq!(message.two, Some(Two::FooBar_("3".to_owned())));
    assert_eq!(message.foo_bar, Some(FooBar::C("4".to_owned())));
    assert_eq!(message.foo_bar_, Some(FooBar_::D("5".to_owned())));
    for (json, two) in [
        (r#"{"3":"x"}"#, Two::_3_("x".to_owned())),
        (r#"{"fooBar":"x"}"#, Two::FooBar("x".to_owned())),
        (r#"{"":"x"}"#, Two::__("x".to_owned())),
    ] {
        assert_eq!(read::<v3::Oneofs>(json).two, Some(two));
    }
}

#[test]
fn extensions_have_underscores() {
    let mut message = v3::type_::default();
    message.set_extension(&v3::FOO_BAR, 1);
    message.set_extension(&v3::FOO_BAR_, 2);
    message.set_extension(&v3::__, v3::Self_::default());
    assert_eq!(message.extension(&v3::FOO_BAR), Some(1));
    assert_eq!(message.extension(&v3::FOO_BAR_), Some(2));
    register_types();
    there_and_back(&message);
    assert_eq!(
        bytes(&message, Encoding::JSON),
        r#"{"[names.v3.fooBar]":1,"[names.v3.foo_bar]":2,"[names.v3._]":{}}"#
    );
}

#[test]
fn types_called_as_parameters_have_underscores() {
    use v5::wrap::d_::D as Inner;
    use v5::wrap::{D_, E as Oneof, E_};

    let _: v5::A_ = read(r#"{"map":{"a":{"x":2}},"s":"1"}"#);
    let d: v5::D_ = read(r#"{"list":[{}],"one":{},"same":{"x":1}}"#);
    assert!(d.one.one.as_option().is_none());
    assert_eq!(v5::E_::FULL_NAME, "names.v5.E");
    let wrap: v5::Wrap = read(r#"{"d":{"e":"NO_E"}}"#);
    let inner = D_ {
        d: Some(Inner::E(E_::NO_E.into())),
        ..Default::default()
    };
    assert_eq!(wrap.e, Some(Oneof::D(Box::new(inner))));
    let letters: v5::Letters = read(r#"{"ax":"1","dy":2,"ex":"3","A":"4"}"#);
    assert_eq!(letters.all, Some(v5::letters::All::A("4".to_owned())));
}

#[test]
fn what_is_deprecated_warns_under_all_its_names() {
    use v6::aged::{Either, Kind};

    // Without a warning these would be errors.
    #[expect(deprecated, reason = "it is what is tested")]
    let old = Kind::KIND_OLD;
    #[expect(deprecated, reason = "it is what is tested")]
    let alias = Kind::Old;
    #[expect(deprecated, reason = "it is what is tested")]
    let gone = (Kind::KIND_GONE, Kind::Gone);
    assert_eq!((old, alias, gone.0), (Kind::KIND_NEW, Kind::New, gone.1));
    assert_eq!(Kind::Other, Kind::KIND_OTHER);
    #[expect(deprecated, reason = "it is what is tested")]
    let either = Either::Old("a".to_owned());
    let message: v6::Aged = read(r#"{"kind":"KIND_OLD","old":"a"}"#);
    assert_eq!(message.either, Some(either));
    assert_ne!(message.either, Some(Either::New("a".to_owned())));
}

#[test]
fn an_extension_can_be_called_as_the_descriptors() {
    let mut message = v6::Enums::default();
    let extension = &v6::__buffa::ext::FILE_DESCRIPTOR_SET;
    message.set_extension(extension, "a".to_owned());
    assert_eq!(message.extension(extension).as_deref(), Some("a"));
    assert!(!v6::FILE_DESCRIPTOR_SET.is_empty());
}
