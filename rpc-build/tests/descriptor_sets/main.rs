//! No descriptor set makes a build script panic, whoever wrote it: sets that protoc would never write, changed at random with
//! fixed seeds, are refused with words, or become Rust that can be parsed.

mod change;

use std::fs;
use std::path::{Path, PathBuf};

use buffa::Message;
use buffa_descriptor::generated::descriptor::descriptor_proto::ExtensionRange;
use buffa_descriptor::generated::descriptor::field_descriptor_proto::{Label, Type};
use buffa_descriptor::generated::descriptor::{
    DescriptorProto, Edition, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto,
    FileDescriptorProto, FileDescriptorSet, MessageOptions, OneofDescriptorProto,
};
use rpc_build::Config;
use rpc_build::load::{Input, load};

use change::{change, in_file};

/// Sets that are as they should be: one that was read from text, and some that protoc wrote of editions.
fn good() -> Vec<FileDescriptorSet> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let schema = load(&Input {
        files: &[PathBuf::from("never_panics.proto")],
        includes: std::slice::from_ref(&tests),
        ..Input::default()
    });
    let mut sets = vec![schema.expect("the file is good").descriptors];
    for name in [
        "delimited",
        "nested_inherits",
        "oneof",
        "utf8_map",
        "to_2024",
    ] {
        let path = tests.join(format!("breaking/editions/edition.{name}.new.binpb"));
        let bytes = fs::read(path).expect("the set is there");
        sets.push(FileDescriptorSet::decode_from_slice(&bytes).expect("protoc wrote it"));
    }
    sets
}

/// Compiles a set, and parses what is written. Whether it was good.
fn compile(set: &[u8]) -> Result<(), String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("set.binpb");
    fs::write(&path, set).expect("the folder can be written");
    let out = folder.path().join("out");
    let compiled = Config::new()
        .descriptor_set(&path)
        .out_dir(&out)
        .lock(folder.path().join("schema.lock"))
        .compile();
    if let Err(error) = compiled {
        let text = error.to_string();
        assert!(text.contains("error"), "what is refused is said: {text}");
        return Err(text);
    }
    let mut waiting = vec![out];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).expect("the folder was written") {
            let path = entry.expect("the folder can be read").path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                let text = fs::read_to_string(&path).expect("it is text");
                if let Err(error) = syn::parse_file(&text) {
                    panic!("{}: {error}\n{text}", path.display());
                }
            }
        }
    }
    Ok(())
}

#[test]
fn what_is_good_stays_good() {
    for set in good() {
        compile(&set.encode_to_vec()).expect("protoc takes it");
    }
}

#[test]
fn no_descriptor_is_a_surprise() {
    let good = good();
    let (mut refused, mut taken) = (0, 0);
    for seed in seeds(400) {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut set = good[random.usize(..good.len())].clone();
        for _ in 0..random.usize(1..4) {
            let mut count = 0;
            let mut own: Vec<_> = set
                .file
                .iter_mut()
                .filter(|file| !is_google(file))
                .collect();
            for file in &mut own {
                in_file(file, &mut |_| count += 1);
            }
            let mut left = random.usize(..count.max(1));
            for file in &mut own {
                in_file(file, &mut |part| {
                    if left == 0 {
                        change(part, &mut random);
                    }
                    left = left.wrapping_sub(1);
                });
            }
        }
        println!("seed {seed}");
        match compile(&set.encode_to_vec()) {
            Ok(()) => taken += 1,
            Err(_) => refused += 1,
        }
    }
    assert!(
        refused > 50 && taken > 50,
        "{refused} refused, {taken} taken"
    );
}

/// A message with a field of each kind, as protoc writes it.
fn message() -> FileDescriptorProto {
    let field = |name: &str, number, kind| FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        label: Some(Label::LABEL_OPTIONAL),
        r#type: Some(kind),
        ..FieldDescriptorProto::default()
    };
    let entry = DescriptorProto {
        name: Some("MapEntry".to_owned()),
        field: vec![
            field("key", 1, Type::TYPE_STRING),
            field("value", 2, Type::TYPE_INT32),
        ],
        options: buffa::MessageField::some(MessageOptions {
            map_entry: Some(true),
            ..MessageOptions::default()
        }),
        ..DescriptorProto::default()
    };
    let mut map = field("map", 2, Type::TYPE_MESSAGE);
    map.type_name = Some(".x.A.MapEntry".to_owned());
    map.label = Some(Label::LABEL_REPEATED);
    let mut chosen = field("chosen", 3, Type::TYPE_STRING);
    chosen.oneof_index = Some(0);
    FileDescriptorProto {
        name: Some("a.proto".to_owned()),
        package: Some("x".to_owned()),
        syntax: Some("editions".to_owned()),
        edition: Some(Edition::EDITION_2023),
        message_type: vec![DescriptorProto {
            name: Some("A".to_owned()),
            field: vec![field("text", 1, Type::TYPE_STRING), map, chosen],
            oneof_decl: vec![OneofDescriptorProto {
                name: Some("choice".to_owned()),
                ..OneofDescriptorProto::default()
            }],
            nested_type: vec![entry],
            extension_range: vec![ExtensionRange {
                start: Some(100),
                end: Some(200),
                ..ExtensionRange::default()
            }],
            ..DescriptorProto::default()
        }],
        enum_type: vec![EnumDescriptorProto {
            name: Some("E".to_owned()),
            value: vec![EnumValueDescriptorProto {
                name: Some("ZERO".to_owned()),
                number: Some(0),
                ..EnumValueDescriptorProto::default()
            }],
            ..EnumDescriptorProto::default()
        }],
        ..FileDescriptorProto::default()
    }
}

fn field(file: &mut FileDescriptorProto, at: usize) -> &mut FieldDescriptorProto {
    &mut file.message_type[0].field[at]
}

/// Breaks a promise, in words and where.
type Broken = (fn(&mut FileDescriptorProto), &'static str, &'static str);

#[test]
fn each_broken_promise_is_named() {
    let broken: &[Broken] = &[
        (|it| it.name = None, "a file has no name", ""),
        (
            |it| it.name = Some("a\nb".into()),
            "cannot be the name of a file",
            "a\\nb",
        ),
        (
            |it| it.package = Some("a..b".into()),
            "the package `a..b` is not made of identifiers",
            "a.proto",
        ),
        (
            |it| it.package = Some(".x".into()),
            "the package `.x` is not made of identifiers",
            "a.proto",
        ),
        (
            |it| it.package = Some("../x".into()),
            "the package `../x` is not made of identifiers",
            "a.proto",
        ),
        (
            |it| it.edition = None,
            "the file does not say its edition",
            "a.proto",
        ),
        (
            |it| it.public_dependency.push(3),
            "import 3 is public or weak, and there are 0",
            "a.proto",
        ),
        (
            |it| it.message_type[0].name = Some("a b".into()),
            "`a b`, the name of the message, is no identifier",
            "x.a b",
        ),
        (
            |it| it.message_type[0].name = Some(String::new()),
            "the message has no name",
            "x.",
        ),
        (
            |it| field(it, 0).name = Some("1a".into()),
            "`1a`, the name of the field, is no identifier",
            "x.A.1a",
        ),
        (
            |it| it.message_type[0].oneof_decl[0].name = None,
            "the `oneof` has no name",
            "x.A.",
        ),
        (
            |it| it.enum_type[0].name = Some("ä".into()),
            "`ä`, the name of the enum, is no identifier",
            "x.ä",
        ),
        (
            |it| it.enum_type[0].value[0].name = Some("a-b".into()),
            "`a-b`, the name of the value, is no identifier",
            "x.E.a-b",
        ),
        (
            |it| it.enum_type[0].value.clear(),
            "the enum `x.E` has no values",
            "x.E",
        ),
        (
            |it| field(it, 0).number = Some(0),
            "field numbers begin at 1, not at 0",
            "x.A.text",
        ),
        (
            |it| field(it, 0).number = Some(1 << 29),
            "the field number 536870912 is too large",
            "x.A.text",
        ),
        (
            |it| field(it, 0).number = Some(3),
            "have the same number 3",
            "x.A.chosen",
        ),
        (
            |it| field(it, 0).number = Some(150),
            "is left to extensions",
            "x.A.text",
        ),
        (
            |it| field(it, 0).r#type = None,
            "the field has no type",
            "x.A.text",
        ),
        (
            |it| field(it, 0).type_name = Some(".x.A".into()),
            "a type that takes no name",
            "x.A.text",
        ),
        (|it| field(it, 0).default_value = Some("\\".into()), "", ""),
        (
            |it| {
                field(it, 0).r#type = Some(Type::TYPE_INT32);
                field(it, 0).default_value = Some("much".into());
            },
            "the default `much` is none for the field's type",
            "x.A.text",
        ),
        (
            |it| {
                field(it, 0).r#type = Some(Type::TYPE_MESSAGE);
                field(it, 0).type_name = Some("A".into());
            },
            "the type, `A`, is no full name with a dot in front",
            "x.A.text",
        ),
        (
            |it| {
                field(it, 0).r#type = Some(Type::TYPE_MESSAGE);
                field(it, 0).type_name = Some(".x.Missing".into());
            },
            "`.x.Missing` is not defined",
            "a.proto",
        ),
        (
            |it| {
                field(it, 0).r#type = Some(Type::TYPE_MESSAGE);
                field(it, 0).type_name = Some(".x.E".into());
            },
            "`x.E` is an enum, and the field has a message of this name",
            "x.A.text",
        ),
        (
            |it| field(it, 2).oneof_index = Some(1),
            "the field is in `oneof` 1, and there are 1",
            "x.A.chosen",
        ),
        (
            |it| field(it, 2).oneof_index = Some(-1),
            "the field is in `oneof` -1, and there are 1",
            "x.A.chosen",
        ),
        (
            |it| field(it, 0).proto3_optional = Some(true),
            "has no `oneof` of its own",
            "x.A.text",
        ),
        (
            |it| field(it, 1).label = None,
            "not the type of one repeated field beside it",
            "x.A.MapEntry",
        ),
        (
            |it| drop(it.message_type[0].nested_type[0].field.pop()),
            "has not two fields",
            "x.A.MapEntry",
        ),
        (
            |it| it.message_type[0].nested_type[0].field[1].number = Some(7),
            "nothing else",
            "x.A.MapEntry",
        ),
        (
            |it| it.message_type[0].nested_type[0].field[0].r#type = Some(Type::TYPE_FLOAT),
            "the key of a map",
            "x.A.MapEntry",
        ),
        (
            |it| it.message_type[0].nested_type[0].field[1].r#type = Some(Type::TYPE_GROUP),
            "",
            "x.A.MapEntry",
        ),
        (
            |it| it.message_type[0].extension_range[0].end = Some(100),
            "ends before it begins",
            "x.A",
        ),
        (
            |it| it.message_type[0].extension_range[0].start = Some(0),
            "numbers begin at 1",
            "x.A",
        ),
    ];
    for (change, words, element) in broken {
        let mut file = message();
        change(&mut file);
        let set = FileDescriptorSet {
            file: vec![file],
            ..FileDescriptorSet::default()
        };
        match compile(&set.encode_to_vec()) {
            Ok(()) => assert_eq!((*words, *element), ("", ""), "it was taken"),
            Err(text) => {
                assert!(text.contains(words), "no `{words}` in\n{text}");
                assert!(
                    text.contains(&format!("in `{element}`")),
                    "no `{element}` in\n{text}"
                );
            }
        }
    }
}

/// The files of protobuf itself, which come with the crate, are not read from sets.
fn is_google(file: &FileDescriptorProto) -> bool {
    let name = file.name.as_deref().unwrap_or_default();
    name.starts_with("google/protobuf/")
}

#[test]
fn no_byte_is_a_surprise() {
    let good = good();
    for seed in seeds(150) {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut bytes = good[random.usize(..good.len())].encode_to_vec();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(..bytes.len());
            bytes[at] = random.u8(..);
        }
        println!("seed {seed}");
        let _ = compile(&bytes);
    }
}

/// The seeds to try: `RPC_SEED=n` tries one.
fn seeds(count: u64) -> Vec<u64> {
    match std::env::var("RPC_SEED").map(|seed| seed.parse()) {
        Ok(Ok(seed)) => vec![seed],
        _ => (0..count).collect(),
    }
}
