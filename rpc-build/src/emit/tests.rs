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
        includes: &[golden()],
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
    let path = golden().join(format!("{name}.rs"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).expect("the folder golden/ is part of the crate");
        return;
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        text == golden,
        "the text differs from golden/{name}.rs (write it anew with UPDATE_GOLDEN=1)\n{text}"
    );
}

macro_rules! golden {
    ($($test:ident: $package:literal)*) => {$(
        #[test]
        fn $test() {
            let name = stringify!($test).trim_start_matches("golden_");
            let files = emitted(&format!("{name}.proto"), &settings());
            compare(name, &files[&format!("{}/services.rs", $package)]);
        }
    )*};
}

golden! {
    golden_patterns: "users.v1"
    golden_options: "store.v2"
    golden_names: "names.v1"
    golden_comments: "comments"
    golden_packages: "no-package"
}
