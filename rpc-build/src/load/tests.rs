use std::path::PathBuf;

use buffa::Message;
use tempfile::TempDir;

use super::*;
use crate::diagnostic::render;

/// Files in a folder of their own.
struct Folder(TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        for (name, text) in files {
            folder.write(name, text.as_bytes());
        }
        folder
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, bytes).expect("a file");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn load(&self, files: &[&str]) -> Result<Schema, Failure> {
        self.load_with(files, &[])
    }

    fn load_with(&self, files: &[&str], descriptor_sets: &[Vec<u8>]) -> Result<Schema, Failure> {
        let files: Vec<_> = files.iter().map(PathBuf::from).collect();
        load(&Input {
            files: &files,
            includes: &[self.0.path().to_owned()],
            descriptor_sets,
        })
    }

    /// The mistakes as text, without the folder.
    fn mistakes(&self, files: &[&str]) -> String {
        self.shown(&self.load(files).expect_err("a mistake"))
    }

    fn shown(&self, failure: &Failure) -> String {
        let text = render(&failure.diagnostics, &failure.sources, false);
        text.replace(&format!("{}/", self.0.path().display()), "")
    }
}

#[track_caller]
fn assert_has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
}

#[test]
fn all_mistakes_of_all_files_are_reported() {
    let folder = Folder::new(&[
        (
            "a.proto",
            "syntax = \"proto3\";\nmessage A { B b = 1; C c = 2; string d = 1; }\n",
        ),
        (
            "b.proto",
            "syntax = \"proto3\";\nmessage B { string s = ; }\nmessage D { int32 }\n",
        ),
        (
            "c.proto",
            "syntax = \"proto3\";\nimport \"x.proto\";\nimport \"y.proto\";\nmessage E { reserved 1; string e = 1; }\n",
        ),
    ]);
    let text = folder.mistakes(&["a.proto", "b.proto", "c.proto", "d.proto"]);
    assert_has(
        &text,
        &[
            "`B` is not defined",
            "`C` is not defined",
            "--> a.proto:2:13",
            "`b` and `d` have the same number 1",
            "--> b.proto:2:24",
            "--> b.proto:3:",
            "`x.proto` is not found",
            "`y.proto` is not found",
            "--> c.proto:2:1",
            "the number 1 of `e` is reserved",
            "there is no file `d.proto`",
        ],
    );
}

#[test]
fn a_cycle_is_shown_where_it_begins_and_closes() {
    let folder = Folder::new(&[
        (
            "a.proto",
            "syntax = \"proto3\";\n// first\nimport \"b.proto\";\n",
        ),
        ("b.proto", "syntax = \"proto3\";\nimport \"c.proto\";\n"),
        ("c.proto", "syntax = \"proto3\";\n\n\nimport \"a.proto\";\n"),
    ]);
    let text = folder.mistakes(&["a.proto"]);
    assert_has(
        &text,
        &[
            "--> a.proto:3:8",
            "c.proto:4:1",
            "a.proto → b.proto → c.proto → a.proto",
        ],
    );
}

#[test]
fn an_unexpected_end_has_a_place() {
    let folder = Folder::new(&[(
        "a.proto",
        "syntax = \"proto3\";\nmessage A {\n  string a = 1;\n",
    )]);
    let text = folder.mistakes(&["a.proto"]);
    assert_has(
        &text,
        &[
            "--> a.proto:3:17",
            "the file ends here",
            "this is not closed",
        ],
    );
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_text() {
    let folder = Folder::new(&[(
        "a.proto",
        "\u{feff}syntax = \"proto3\";\nmessage A { B b = 1; }\n",
    )]);
    assert_has(&folder.mistakes(&["a.proto"]), &["--> a.proto:2:13"]);
    let folder = Folder::new(&[(
        "a.proto",
        "\u{feff}syntax = \"proto3\"; message A { B b = 1; }",
    )]);
    assert_has(&folder.mistakes(&["a.proto"]), &["--> a.proto:1:32"]);
    let folder = Folder::new(&[("a.proto", "\u{feff}syntax = \"proto3\"; message A {}")]);
    assert!(folder.load(&["a.proto"]).is_ok());
}

#[test]
fn places_are_right_behind_tabs_and_other_characters() {
    let text = "syntax = \"proto3\";\n/* äöü漢 */\tmessage A {\r\n\t/* é */ B b = 1; }\n";
    let folder = Folder::new(&[("a.proto", text)]);
    let failure = folder.load(&["a.proto"]).expect_err("a mistake");
    let span = &failure.diagnostics[0]
        .primary
        .as_ref()
        .expect("a place")
        .span;
    assert_eq!(&text[span.bytes.clone()], "B");
}

#[test]
fn our_own_files_are_always_there_and_come_first() {
    let import = "syntax = \"proto3\";\nimport \"google/protobuf/descriptor.proto\";\nextend google.protobuf.FieldOptions { string x = 50000; }\nmessage A { string a = 1 [(x) = \"y\", debug_redact = true]; }\n";
    let folder = Folder::new(&[
        ("a.proto", import),
        ("google/protobuf/descriptor.proto", "nonsense"),
    ]);
    let schema = folder.load(&["a.proto"]).expect("a schema");
    let names: Vec<_> = schema
        .descriptors
        .file
        .iter()
        .filter_map(|file| file.name.as_deref())
        .collect();
    assert_eq!(names, ["google/protobuf/descriptor.proto", "a.proto"]);
    assert_eq!(schema.requested, ["a.proto"]);
}

#[test]
fn editions_say_the_ways_out_and_come_as_descriptor_sets() {
    let folder = Folder::new(&[
        ("e.proto", "// new\nedition = \"2023\";\nmessage E {}\n"),
        (
            "a.proto",
            "syntax = \"proto3\";\nimport \"f.proto\";\nmessage A { f.F x = 1; }\n",
        ),
    ]);
    let text = folder.mistakes(&["e.proto"]);
    assert_has(
        &text,
        &[
            "--> e.proto:2:1",
            "descriptor set",
            "`syntax = \"proto3\";`",
        ],
    );

    let compiled = FileDescriptorProto {
        name: Some("f.proto".into()),
        package: Some("f".into()),
        syntax: Some("editions".into()),
        edition: Some(buffa_descriptor::generated::descriptor::Edition::EDITION_2023),
        message_type: vec![DescriptorProto {
            name: Some("F".into()),
            ..Default::default()
        }],
        ..Default::default()
    };
    let set = FileDescriptorSet {
        file: vec![compiled.clone()],
        ..Default::default()
    };
    let schema = folder
        .load_with(&["a.proto"], &[set.encode_to_vec()])
        .expect("a schema");
    assert_eq!(schema.file("f.proto"), Some(&compiled), "as it was given");
    let schema = folder
        .load_with(&[], &[set.encode_to_vec()])
        .expect("a schema");
    assert_eq!(schema.requested, ["f.proto"]);
    let schema = folder
        .load_with(&["f.proto"], &[set.encode_to_vec()])
        .expect("a schema");
    assert_eq!(schema.requested, ["f.proto"]);

    // The file that the set was made of is still there.
    let mut compiled = compiled;
    compiled.name = Some("e.proto".into());
    let set = FileDescriptorSet {
        file: vec![compiled.clone()],
        ..Default::default()
    };
    let schema = folder
        .load_with(&["e.proto"], &[set.encode_to_vec()])
        .expect("a schema");
    assert_eq!(schema.file("e.proto"), Some(&compiled));
}

#[test]
fn a_descriptor_set_is_checked_and_names_elements() {
    let broken = FileDescriptorProto {
        name: Some("f.proto".into()),
        syntax: Some("proto3".into()),
        message_type: vec![DescriptorProto {
            name: Some("F".into()),
            field: vec![FieldDescriptorProto {
                name: Some("x".into()),
                number: Some(0),
                r#type: Some(buffa_descriptor::generated::descriptor::field_descriptor_proto::Type::TYPE_STRING),
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    let set = FileDescriptorSet {
        file: vec![broken],
        ..Default::default()
    };
    let folder = Folder::new(&[]);
    let schema = folder
        .load_with(&[], &[set.encode_to_vec()])
        .expect("a schema");
    let text = render(&check::check(&schema), &schema.sources, false);
    assert_has(&text, &["field numbers begin at 1, not at 0", "in `F.x`"]);

    let failure = folder
        .load_with(&["f.proto"], &[b"nonsense".to_vec()])
        .expect_err("a mistake");
    assert_has(
        &folder.shown(&failure),
        &["a descriptor set cannot be read", "buf build"],
    );
}

#[test]
fn what_is_no_file_is_named() {
    let folder = Folder::new(&[
        ("dir/a.proto", "syntax = \"proto3\";\n"),
        ("b.proto", "syntax = \"proto3\";\nimport \"dir\";\n"),
    ]);
    let dir = folder.path("dir").display().to_string();
    assert_has(
        &folder.mistakes(&[&dir]),
        &["`dir` is a folder", "one by one"].map(|part| {
            if part.starts_with("`dir`") {
                "is a folder"
            } else {
                part
            }
        }),
    );
    assert_has(&folder.mistakes(&["b.proto"]), &["is a folder"]);
    assert_has(
        &folder.mistakes(&["missing.proto"]),
        &["there is no file `missing.proto`", "paths are relative to"],
    );
    let other = Folder::new(&[("x.proto", "syntax = \"proto3\";\n")]);
    let outside = other.path("x.proto").display().to_string();
    assert_has(
        &folder.mistakes(&[&outside]),
        &["is not below any include folder", "add the folder"],
    );
}

#[test]
fn a_hidden_file_is_not_mistaken_for_the_one_that_hides_it() {
    let folder = Folder::new(&[
        ("one/a.proto", "syntax = \"proto3\";\n"),
        ("two/a.proto", "syntax = \"proto3\";\n"),
    ]);
    let failure = load(&Input {
        files: &[folder.path("two/a.proto")],
        includes: &[folder.path("one"), folder.path("two")],
        ..Input::default()
    })
    .expect_err("a mistake");
    assert_has(
        &folder.shown(&failure),
        &["`two/a.proto` is hidden by `one/a.proto`"],
    );
}

#[test]
fn other_encodings_are_for_comments_only() {
    let folder = Folder::new(&[]);
    folder.write(
        "a.proto",
        b"syntax = \"proto3\"; // J\xFCrgen\nmessage A {}\n",
    );
    assert!(folder.load(&["a.proto"]).is_ok());
    folder.write(
        "b.proto",
        b"syntax = \"proto3\";\noption java_package = \"J\xFCrgen\";\n",
    );
    assert_has(
        &folder.mistakes(&["b.proto"]),
        &["is not UTF-8", "--> b.proto:2:25", "byte 0xfc"],
    );
    // Not that of the comment before it.
    folder.write(
        "c.proto",
        b"// J\xFCrgen \xE4\xF6\nsyntax = \"proto3\";\noption java_package = \"J\xFBrgen\";\n",
    );
    assert_has(
        &folder.mistakes(&["c.proto"]),
        &["--> c.proto:3:25", "byte 0xfb in line 3"],
    );
}

#[test]
fn what_was_meant_is_found_out_for_the_first_mistakes() {
    let fields = (1..=30).map(|number| format!("Usr f{number} = {number};\n"));
    let fields: String = fields.collect();
    let text = format!("syntax = \"proto3\";\nmessage User {{\n{fields}}}\n");
    let folder = Folder::new(&[("a.proto", &text)]);
    let mistakes = folder.mistakes(&["a.proto"]);
    assert_eq!(mistakes.matches("`Usr` is not defined").count(), 30);
    assert_eq!(mistakes.matches("did you mean `User`?").count(), 20);
}

#[test]
fn a_file_is_asked_for_by_path_or_as_it_is_imported() {
    let folder = Folder::new(&[
        ("one/a.proto", "syntax = \"proto3\";\n"),
        ("two/b.proto", "syntax = \"proto3\";\n"),
    ]);
    let schema = load(&Input {
        files: &[
            folder.path("one/./a.proto"),
            "b.proto".into(),
            "google/protobuf/any.proto".into(),
        ],
        includes: &[PathBuf::from("."), folder.path("one"), folder.path("two")],
        ..Input::default()
    })
    .expect("a schema");
    assert_eq!(
        schema.requested,
        ["a.proto", "b.proto", "google/protobuf/any.proto"]
    );
}

#[test]
fn an_empty_file_is_a_file() {
    let folder = Folder::new(&[("a.proto", "")]);
    assert!(folder.load(&["a.proto"]).is_ok());
}

#[test]
fn nothing_nests_without_end() {
    let deep = format!(
        "syntax = \"proto3\";\noption (x) = {};",
        "{ a ".repeat(100_000)
    );
    let folder = Folder::new(&[("a.proto", &deep)]);
    assert_has(
        &folder.mistakes(&["a.proto"]),
        &["brackets nest more than 200 deep"],
    );

    let names: Vec<_> = (0..=MAX_IMPORT_DEPTH + 1)
        .map(|index| format!("{index}.proto"))
        .collect();
    let texts: Vec<_> = (1..=MAX_IMPORT_DEPTH + 2)
        .map(|next| format!("syntax = \"proto3\"; import \"{next}.proto\";"))
        .collect();
    let files: Vec<_> = names
        .iter()
        .zip(&texts)
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let folder = Folder::new(&files);
    assert_has(
        &folder.mistakes(&["0.proto"]),
        &["imports nest more than 128 deep"],
    );
}

#[test]
fn a_file_after_a_bad_one_is_judged_on_its_own() {
    let option = "syntax = \"proto3\";\npackage x;\nimport \"google/protobuf/descriptor.proto\";\nextend google.protobuf.FileOptions { int32 x = 50000; }\noption (x) = 1;\n";
    let bad = option
        .replace("package x", "package y")
        .replace("50000", "50001")
        .replace("= 1;", "= \"1\";");
    let folder = Folder::new(&[
        ("good.proto", option),
        ("bad.proto", &bad),
        (
            "user.proto",
            "syntax = \"proto3\";\nimport \"good.proto\";\noption (x.x) = 2;\n",
        ),
    ]);
    let failure = folder
        .load(&["good.proto", "bad.proto", "user.proto"])
        .expect_err("a mistake");
    let places: Vec<_> = failure
        .diagnostics
        .iter()
        .filter_map(|mistake| mistake.line(&failure.sources))
        .collect();
    assert_eq!(places, [("bad.proto", 5)]);
}

#[test]
fn json_names_are_written_as_protoc_does() {
    let folder = Folder::new(&[(
        "a.proto",
        "syntax = \"proto3\";\nmessage A { string foo_bar = 1; string foobar = 2 [json_name = \"x\"]; }\n",
    )]);
    let schema = folder.load(&["a.proto"]).expect("a schema");
    let fields = &schema.file("a.proto").expect("a file").message_type[0].field;
    let names: Vec<_> = fields
        .iter()
        .filter_map(|field| field.json_name.as_deref())
        .collect();
    assert_eq!(names, ["fooBar", "x"]);
}

#[test]
fn numbers_of_message_sets_are_those_of_the_text() {
    let text = "syntax = \"proto2\";
message Set {
  option message_set_wire_format = true;
  extensions 4 to 600000000, 1000000000;
  extensions 0x77359400 [verification = UNVERIFIED];
}
extend Set { optional Set a = 536870912; optional Set b = 04000000001 [deprecated = true]; }
message M { extend Set { optional Set c = 0X77359400; } }
";
    let folder = Folder::new(&[("a.proto", text)]);
    let schema = folder.load(&["a.proto"]).expect("a schema");
    assert_eq!(check::check(&schema).len(), 0);
    let file = schema.file("a.proto").expect("a file");
    let ranges = file.message_type[0].extension_range.iter();
    let ranges: Vec<_> = ranges.map(|range| (range.start, range.end)).collect();
    let expected = [
        (4, 600_000_001),
        (1_000_000_000, 1_000_000_001),
        (2_000_000_000, 2_000_000_001),
    ];
    assert_eq!(
        ranges,
        expected.map(|(start, end)| (Some(start), Some(end)))
    );
    let elements = crate::elements::Elements::of(file);
    let locations = schema.locations("a.proto");
    let written = elements.extensions.iter().map(|it| {
        let path = crate::elements::below(&it.path, &[tag::field::NUMBER]);
        let span = locations.span(&path).expect("it has a place");
        (
            it.name.as_str(),
            it.item.number.unwrap_or_default(),
            &text[span.bytes],
        )
    });
    let expected = [
        ("M.c", 2_000_000_000, "0X77359400"),
        ("a", 536_870_912, "536870912"),
        ("b", 536_870_913, "04000000001"),
    ];
    assert_eq!(written.collect::<Vec<_>>(), expected);
}
