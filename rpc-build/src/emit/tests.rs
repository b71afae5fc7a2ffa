//! Services as text, one feature a fixture in `golden/`. After a change on purpose, write the files anew with
//! `UPDATE_GOLDEN=1 cargo test -p rpc-build golden`, and review them like code.

use std::path::{Path, PathBuf};

use super::*;
use crate::load::{Input, load};

fn settings() -> Settings {
    Settings {
        root: Settings::ROOT.to_owned(),
        views: BTreeSet::new(),
        external: Vec::new(),
    }
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

fn schema(file: &str) -> Schema {
    let input = Input {
        files: &[file.into()],
        includes: &[golden(), golden().join("../../tests/schema/proto")],
        descriptor_sets: &[],
    };
    load(&input).unwrap_or_else(|failure| panic!("{file}: {:?}", failure.diagnostics))
}

fn emitted(file: &str, settings: &Settings) -> BTreeMap<String, String> {
    let files = emit(&schema(file), settings, &mut ())
        .unwrap_or_else(|mistakes| panic!("{file}: {mistakes:?}"));
    let text = |file: OutputFile| {
        (
            file.path.display().to_string(),
            String::from_utf8_lossy(&file.content).into_owned(),
        )
    };
    files.into_iter().map(text).collect()
}

fn compare(name: &str, text: &str) {
    let path = golden().join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).expect("the folder golden/ is part of the crate");
        return;
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        text == golden,
        "the text differs from golden/{name} (write it anew with UPDATE_GOLDEN=1)\n{text}"
    );
}

macro_rules! golden {
    ($($test:ident: $file:literal $package:literal)*) => {$(
        #[test]
        fn $test() {
            let name = stringify!($test).trim_start_matches("golden_");
            let files = emitted($file, &settings());
            compare(&format!("{name}.rs"), &files[&format!("{}/services.rs", $package)]);
        }
    )*};
}

golden! {
    golden_patterns: "patterns.proto" "users.v1"
    golden_options: "options.proto" "store.v2"
    golden_names: "names/v1/names.proto" "names.v1"
    golden_comments: "comments.proto" "comments"
    golden_packages: "packages.proto" "no-package"
}

#[test]
fn golden_mistakes() {
    let schema = schema("mistakes.proto");
    let mistakes = emit(&schema, &settings(), &mut ()).expect_err("the file is full of mistakes");
    let renderer = annotate_snippets::Renderer::plain();
    let rendered: Vec<String> = mistakes
        .iter()
        .map(|mistake| mistake.render(&schema.sources, &renderer))
        .collect();
    let folder = format!("{}/", golden().display());
    compare(
        "mistakes.txt",
        &(rendered.join("\n\n") + "\n").replace(&folder, ""),
    );
}

#[test]
fn a_package_that_can_be_no_module_is_refused() {
    for package in [
        "a._.b",
        "__buffa",
        "a.self",
        "a.super.b",
        "crate",
        "a.Self.b",
    ] {
        let schema = written(&[
            ("kind.proto", "b.v1", package),
            ("user.proto", "b.v1", package),
        ]);
        let mistakes = emit(&schema, &settings(), &mut ()).expect_err("there is no such module");
        let messages: Vec<&str> = mistakes.iter().map(|it| it.message.as_str()).collect();
        let segment = package.trim_start_matches("a.").trim_end_matches(".b");
        let expected =
            format!("no module of Rust, which a package becomes, can be called `{segment}`");
        assert_eq!(messages, [expected]);
    }
}

#[test]
fn the_runtime_can_be_elsewhere() {
    let mut settings = settings();
    settings.root = "crate::rpc".to_owned();
    let files = emitted("patterns.proto", &settings);
    let services = &files["users.v1/services.rs"];
    assert!(services.contains("use crate::rpc::codec::Protobuf;"));
    assert!(services.contains("crate = crate::rpc"));
    assert!(files.values().all(|text| !text.contains("::rpc_runtime")));
}

#[test]
fn a_package_can_be_elsewhere() {
    let mut settings = settings();
    let module = "::users::schema::users::v1".to_owned();
    settings.external.push(("users.v1".to_owned(), module));
    let files = emitted("packages.proto", &settings);
    assert!(!files.keys().any(|path| path.starts_with("users.v1")));
    let services = &files["no-package/services.rs"];
    assert!(services.contains("use ::users::schema::users::v1::GetUserRequest;"));
}

#[test]
fn views_are_written_where_they_are_asked_for() {
    let mut settings = settings();
    let text =
        |settings: &Settings| emitted("packages.proto", settings)["users.v1/package.rs"].clone();
    assert!(!text(&settings).contains("struct UserView"));
    // The root package uses the other, whose views its own are made of.
    settings.views.insert(String::new());
    assert!(text(&settings).contains("struct UserView"));
}

#[test]
fn views_of_what_has_none_are_refused() {
    let inner = "message Inner {
         optional google.protobuf.FieldOptions options = 1;
         map<string, google.protobuf.FileOptions> files = 2;
         optional google.protobuf.FieldDescriptorProto.Type type = 3;
     }";
    let import = "package a.v1; import \"google/protobuf/descriptor.proto\";";
    let schema = written(&[
        ("page.proto", "package a.v1;", import),
        ("page.proto", "message Inner {}", inner),
    ]);
    let mut settings = settings();
    emit(&schema, &settings, &mut ()).expect("nobody asks for views");
    settings.views.insert("a.v1".to_owned());
    let mistakes = emit(&schema, &settings, &mut ()).expect_err("there are no such views");
    let messages: Vec<&str> = mistakes.iter().map(|it| it.message.as_str()).collect();
    let expected = ["FieldOptions", "FileOptions"];
    assert_eq!(
        messages,
        expected.map(|name| format!("there is no view of `google.protobuf.{name}`"))
    );
    assert!(mistakes.iter().all(|it| it.line(&schema.sources).is_some()));
}

#[test]
fn views_of_a_package_that_is_not_there_are_refused() {
    let mut settings = settings();
    settings.views.insert("a.v2".to_owned());
    let mistakes = emit(&written(&[]), &settings, &mut ()).expect_err("there is no such package");
    let messages: Vec<&str> = mistakes.iter().map(|it| it.message.as_str()).collect();
    let expected = "views are asked for of the package `a.v2`, which is not generated here";
    assert_eq!(messages, [expected]);
}

#[test]
fn no_file_has_the_place_of_a_folder() {
    let package = [
        ("kind.proto", "b.v1", "a.v1.rs"),
        ("user.proto", "b.v1.Kind", "a.v1.rs.Kind"),
    ];
    let files = emit(&written(&package), &settings(), &mut ()).expect("the schema is sound");
    for one in &files {
        let inside = files
            .iter()
            .find(|it| it.path.starts_with(&one.path) && it.path != one.path);
        assert_eq!(inside.map(|it| &it.path), None, "in {}", one.path.display());
    }
    assert!(files.iter().any(|it| it.path == Path::new("a.v1.rs.rs")));
}

#[test]
fn a_package_called_as_ours_is_generated() {
    for package in ["rpc.v1", "google.protobuf"] {
        let used = format!("{package}.Kind");
        let changes = [
            ("kind.proto", "b.v1", package),
            ("user.proto", "b.v1.Kind", used.as_str()),
        ];
        let files = emit(&written(&changes), &settings(), &mut ()).expect("the schema is sound");
        let path = format!("{package}/package.rs");
        let file = files.iter().find(|it| it.path == Path::new(&path));
        let text = file.map(|it| String::from_utf8_lossy(&it.content));
        assert!(
            text.is_some_and(|it| it.contains("pub enum Kind")),
            "{package}"
        );
    }
}

#[test]
fn comments_have_nothing_that_rustc_refuses() {
    let turned = "\n/* one\rtwo \u{202e}three\u{2066} */\nmessage Page {";
    let schema = written(&[
        ("page.proto", "message Page {", turned),
        (
            "user.proto",
            "extend",
            "\n// four\rfive \u{2069}\nservice S {} extend",
        ),
    ]);
    let files = emit(&schema, &settings(), &mut ()).expect("the schema is sound");
    for file in files
        .iter()
        .filter(|file| file.path.extension() == Some("rs".as_ref()))
    {
        let text = String::from_utf8_lossy(&file.content);
        let refused = |it| matches!(it, '\r' | '\u{202e}' | '\u{2066}' | '\u{2069}');
        assert!(!text.contains(refused), "{}", file.path.display());
    }
    let text = |path: &str| {
        let file = files.iter().find(|file| file.path == Path::new(path));
        file.map(|file| String::from_utf8_lossy(&file.content).into_owned())
    };
    let messages = text("a.v1/package.rs").unwrap_or_default();
    assert!(messages.contains("/// two three"), "{messages}");
    let services = text("a.v1/services.rs").unwrap_or_default();
    assert!(services.contains("/// five"), "{services}");
}

/// A cache that tells what was written anew.
#[derive(Default)]
struct Recorded {
    texts: BTreeMap<(String, u64), Texts>,
    written: Vec<String>,
}

impl Cache for Recorded {
    fn get(&self, file: &str, key: u64) -> Option<Texts> {
        self.texts.get(&(file.to_owned(), key)).cloned()
    }

    fn put(&mut self, file: &str, key: u64, texts: &Texts) {
        self.written.push(file.to_owned());
        self.texts.insert((file.to_owned(), key), texts.clone());
    }
}

/// A schema of two packages, the first of two files; the second file of it uses the others.
const FILES: [(&str, &str); 3] = [
    (
        "page.proto",
        "package a.v1; message Page { message Inner {} optional int32 size = 1; }",
    ),
    (
        "user.proto",
        "package a.v1; import \"page.proto\"; import \"kind.proto\";
         message User {
             optional Page.Inner page = 1; optional b.v1.Kind kind = 2; optional int32 fooBar = 3;
             message Own {} optional Own own = 4; oneof choice { string text = 5; }
         }
         extend Page { optional User fooBaz = 9; }",
    ),
    ("kind.proto", "package b.v1; enum Kind { KIND_NONE = 0; }"),
];

fn written(changes: &[(&str, &str, &str)]) -> Schema {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    for (name, text) in FILES {
        let changes = changes.iter().filter(|(file, ..)| *file == name);
        let text = changes.fold(text.to_owned(), |text, (_, from, to)| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        });
        let text = text.replace("message Page {", "message Page { extensions 9 to 20;");
        let syntax = if text.contains("syntax") {
            ""
        } else {
            "syntax = \"proto2\"; "
        };
        std::fs::write(folder.path().join(name), format!("{syntax}{text}"))
            .expect("the folder can be written");
    }
    let input = Input {
        files: &FILES.map(|(name, _)| name.into()),
        includes: &[folder.path().to_owned()],
        descriptor_sets: &[],
    };
    load(&input).unwrap_or_else(|failure| panic!("{:?}", failure.diagnostics))
}

/// What is written anew after changes, which together with the rest is what would be written without a cache.
fn written_after(changes: &[(&str, &str, &str)]) -> Vec<String> {
    let mut settings = settings();
    settings.views.insert("a.v1".to_owned());
    let mut cache = Recorded::default();
    emit(&written(&[]), &settings, &mut cache).expect("the schema is sound");
    assert_eq!(cache.written, ["kind.proto", "page.proto", "user.proto"]);
    cache.written.clear();
    let schema = written(changes);
    let files = emit(&schema, &settings, &mut cache).expect("the schema is sound");
    let anew = emit(&schema, &settings, &mut ()).expect("the schema is sound");
    assert_eq!(files, anew, "{changes:?}");
    cache.written
}

#[test]
fn only_the_file_that_changed_is_written_anew() {
    assert!(written_after(&[]).is_empty());
    for (file, from, to) in [
        (
            "page.proto",
            "int32 size = 1;",
            "string size = 1; optional int32 after = 2;",
        ),
        (
            "page.proto",
            "message Page",
            "/* What comes next. */ message Page",
        ),
        (
            "page.proto",
            "message Inner {}",
            "message Inner { optional int32 x = 1; }",
        ),
        ("user.proto", "int32 fooBar", "int64 foo_bar"),
        ("user.proto", "message Own", "message Mine {} message Own"),
        (
            "kind.proto",
            "KIND_NONE = 0;",
            "KIND_NONE = 0; KIND_SOME = 1;",
        ),
    ] {
        assert_eq!(written_after(&[(file, from, to)]), [file], "{to}");
    }
}

#[test]
fn what_others_depend_on_is_written_anew_with_it() {
    // Where a type is, and whether an enum is open.
    let to = "package a.v1; message Page { optional int32 size = 1; } message Inner {}";
    let inner = [
        ("page.proto", FILES[0].1, to),
        ("user.proto", "Page.Inner", "Inner"),
    ];
    assert_eq!(written_after(&inner), ["page.proto", "user.proto"]);
    let open = [("kind.proto", "package", "syntax = \"proto3\"; package")];
    assert_eq!(written_after(&open), ["kind.proto", "user.proto"]);
    // The module of a message makes way for that of a package.
    let package = [
        ("kind.proto", "b.v1", "a.v1.page"),
        ("user.proto", "b.v1.Kind", "a.v1.page.Kind"),
    ];
    assert_eq!(written_after(&package).len(), 3);
    // Fields that differ in capitals only, for which buffa changes the names of others of that name and number.
    let clash = [(
        "page.proto",
        "int32 size = 1;",
        "int32 foo_bar = 1; optional int32 fooBar = 3;",
    )];
    assert!(written_after(&clash).contains(&"user.proto".to_owned()));
}
