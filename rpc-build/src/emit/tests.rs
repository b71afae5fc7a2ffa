//! Services as text, one feature a fixture in `golden/`. After a change on purpose, write the files anew with
//! `UPDATE_GOLDEN=1 cargo test -p rpc-build golden`, and review them like code.

use std::path::{Path, PathBuf};

use super::*;
use crate::load::{Input, load};

impl Cache for () {
    fn get(&self, _: &str, _: u64) -> Option<String> {
        None
    }

    fn put(&mut self, _: &str, _: u64, _: &str) {}
}

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

/// A cache that counts what was written anew.
#[derive(Default)]
struct Recorded {
    texts: BTreeMap<(String, u64), String>,
    written: Vec<String>,
}

impl Cache for Recorded {
    fn get(&self, package: &str, key: u64) -> Option<String> {
        self.texts.get(&(package.to_owned(), key)).cloned()
    }

    fn put(&mut self, package: &str, key: u64, text: &str) {
        self.written.push(package.to_owned());
        self.texts
            .insert((package.to_owned(), key), text.to_owned());
    }
}

#[test]
fn only_what_changed_is_generated_anew() {
    let mut cache = Recorded::default();
    let mut schema = schema("packages.proto");
    let first = emit(&schema, &settings(), &mut cache).expect("the schema is sound");
    assert_eq!(cache.written, ["", "users.v1"]);
    cache.written.clear();

    let same = emit(&schema, &settings(), &mut cache).expect("the schema is sound");
    assert!(first == same && cache.written.is_empty());

    // The package that uses the other one does not depend on its comments, but on its messages.
    let users = schema.descriptors.file.iter_mut();
    let mut users = users.filter(|file| plan::package_of(file) == "users.v1");
    let users = users.next().expect("the file is imported");
    users.source_code_info = buffa::MessageField::none();
    emit(&schema, &settings(), &mut cache).expect("the schema is sound");
    assert_eq!(cache.written, ["users.v1"]);
    cache.written.clear();

    let outside = schema.descriptors.file.iter_mut();
    let mut outside = outside.filter(|file| plan::package_of(file).is_empty());
    let outside = outside.next().expect("the file was asked for");
    outside.message_type[0].field[0].name = Some("renamed".to_owned());
    emit(&schema, &settings(), &mut cache).expect("the schema is sound");
    assert_eq!(cache.written, [""]);
}
