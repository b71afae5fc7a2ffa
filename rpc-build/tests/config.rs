//! The builder as programs use it: folders, verification, releases, descriptor sets, and what errors look like.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rpc_build::Config;
use rpc_build::breaking::{Level, Policy};
use tempfile::TempDir;

/// A folder with a schema, and what it is compiled to.
struct Project(TempDir);

const USERS: &str = "\
syntax = \"proto3\";

package users.v1;

import \"shared/v1/shared.proto\";

service Users {
  rpc GetUser(User) returns (User);
}

message User {
  int64 id = 1;
  shared.v1.Page page = 2;
}
";

const SHARED: &str = "\
syntax = \"proto3\";

package shared.v1;

message Page {
  int32 size = 1;
}
";

impl Project {
    fn new() -> Self {
        let project = Self(tempfile::tempdir().expect("a folder for temporary files"));
        project.write("proto/users/v1/users.proto", USERS);
        project.write("proto/shared/v1/shared.proto", SHARED);
        project
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("")))
            .expect("the folder can be written");
        fs::write(path, text).expect("the folder can be written");
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).expect("the file is there")
    }

    fn config(&self) -> Config {
        Config::new()
            .files([self.path("proto/users/v1/users.proto")])
            .includes([self.path("proto")])
            .out_dir(self.path("schema"))
            .lock(self.path("schema.lock"))
    }

    fn times(&self) -> Vec<(PathBuf, SystemTime)> {
        fn collect(folder: &Path, times: &mut Vec<(PathBuf, SystemTime)>) {
            for entry in fs::read_dir(folder).expect("the folder is there") {
                let path = entry.expect("the folder can be read").path();
                if path.is_dir() {
                    collect(&path, times);
                } else {
                    let time = fs::metadata(&path).and_then(|file| file.modified());
                    times.push((path, time.expect("the file is there")));
                }
            }
        }
        let mut times = Vec::new();
        collect(&self.path("schema"), &mut times);
        times.sort();
        times
    }
}

#[test]
fn a_second_run_writes_nothing() {
    let project = Project::new();
    project.config().compile().expect("the schema is sound");
    let before = project.times();
    project.config().compile().expect("the schema is sound");
    assert_eq!(project.times(), before);
    assert!(
        project
            .read("schema/users.v1/services.rs")
            .contains("async fn get_user(&self, request: User)")
    );
    assert!(
        project
            .read("schema/users.v1.rs")
            .contains("#[path = \"users.v1/tree.rs\"]")
    );
}

#[test]
fn what_is_no_longer_needed_is_removed() {
    let project = Project::new();
    project.config().compile().expect("the schema is sound");
    project.write("schema/mine.rs", "// By hand.\n");
    let alone = USERS
        .replace("import \"shared/v1/shared.proto\";", "")
        .replace("  shared.v1.Page page = 2;\n", "");
    project.write("proto/users/v1/users.proto", &alone);
    project.config().compile().expect("the schema is sound");
    assert!(!project.path("schema/shared.v1.rs").exists());
    assert!(!project.path("schema/users.v1/tree.rs").exists());
    assert!(project.path("schema/mine.rs").exists());
}

#[test]
fn without_a_folder_there_is_nothing_to_verify() {
    let error = Config::new().verify().compile();
    let error = error.expect_err("no folder was chosen").to_string();
    assert!(error.contains("say with `out_dir` which one"), "{error}");
}

#[test]
fn a_committed_folder_is_verified() {
    let project = Project::new();
    let error = project
        .config()
        .verify()
        .compile()
        .expect_err("there is no folder yet");
    assert!(
        error.to_string().contains("users.v1/services.rs: missing"),
        "{error}"
    );
    assert!(!project.path("schema").exists());
    project.config().compile().expect("the schema is sound");
    project
        .config()
        .verify()
        .compile()
        .expect("the folder is up to date");
    let text = project.read("schema/users.v1/services.rs");
    project.write(
        "schema/users.v1/services.rs",
        &text.replace("get_user", "take_user"),
    );
    let error = project
        .config()
        .verify()
        .compile()
        .expect_err("a file was changed");
    assert!(error.to_string().contains("RPC_BUILD_UPDATE=1"), "{error}");
    assert!(
        project
            .read("schema/users.v1/services.rs")
            .contains("take_user")
    );
}

#[test]
fn a_release_is_kept() {
    let project = Project::new();
    project
        .config()
        .compile()
        .expect("nothing has been released yet");
    assert!(!project.path("schema.lock").exists());
    project.config().release().expect("the lock can be written");
    project.config().compile().expect("it is what was released");
    project.write(
        "proto/shared/v1/shared.proto",
        &SHARED.replace("int32 size", "string size"),
    );
    let error = project
        .config()
        .compile()
        .expect_err("a field has another type");
    let text = error.to_string();
    assert!(
        text.contains("FIELD_") && text.contains("shared.proto:6:"),
        "{text}"
    );
    assert!(
        !project
            .read("schema/shared.v1/package.rs")
            .contains("String,"),
        "nothing is written"
    );

    let rule = text.split(['[', ']']).nth(1).unwrap_or_default();
    let policy = Policy::new().allow(rule, "shared.v1.Page.size", "nobody has read it yet");
    project
        .config()
        .compatibility(policy)
        .compile()
        .expect("it is allowed");
    project.config().release().expect("the lock can be written");
    project.config().compile().expect("it is what was released");
}

/// A lock that an earlier version wrote has our options, and `descriptor.proto` for them.
const OPTIONS_IN_LOCK: &str = "
file \"google/protobuf/descriptor.proto\" bundled
  syntax proto2
  package google.protobuf
  message FieldOptions
  message MethodOptions

file \"rpc/v1/options.proto\" bundled
  syntax proto3
  package rpc.v1
  extend .google.protobuf.MethodOptions { optional string timeout = 57101 }
";

/// The schema with an option of ours, and with these imports.
fn with_option(imports: &str) -> String {
    let import = "import \"shared/v1/shared.proto\";";
    let option = "(User) { option (rpc.v1.timeout) = \"5s\"; }";
    USERS
        .replace(import, &format!("{import}\n{imports}"))
        .replace("(User);", option)
}

#[test]
fn our_options_are_no_part_of_what_is_released() {
    let project = Project::new();
    let with_option = with_option("import \"rpc/v1/options.proto\";");
    project.write("proto/users/v1/users.proto", &with_option);
    project.config().release().expect("the lock can be written");
    let lock = project.read("schema.lock");
    let files = lock.lines().filter_map(|row| row.strip_prefix("file "));
    let own = ["\"shared/v1/shared.proto\"", "\"users/v1/users.proto\""];
    assert_eq!(files.collect::<Vec<_>>(), own);

    // Neither with the option nor without it is anything broken, whichever version wrote the lock.
    let earlier = lock.replacen("\nfile", &format!("{OPTIONS_IN_LOCK}\nfile"), 1);
    for lock in [&lock, &earlier] {
        project.write("schema.lock", lock);
        for schema in [with_option.as_str(), USERS] {
            project.write("proto/users/v1/users.proto", schema);
            for level in [Level::WireJson, Level::Package, Level::File] {
                let config = project.config();
                let config = config.compatibility(Policy::new().level(level));
                config.compile().expect("nothing was taken from anybody");
            }
        }
    }
}

#[test]
fn what_a_schema_imports_itself_is_part_of_what_is_released() {
    let project = Project::new();
    let imports = "import \"rpc/v1/options.proto\";\nimport \"google/protobuf/descriptor.proto\";";
    let unit = "extend google.protobuf.FieldOptions { string unit = 50001; }";
    let with_descriptor = format!("{}\n{unit}\n", with_option(imports));
    project.write("proto/users/v1/users.proto", &with_descriptor);
    project.config().release().expect("the lock can be written");
    let lock = project.read("schema.lock");
    assert!(lock.contains("google/protobuf/descriptor.proto"), "{lock}");
    assert!(!lock.contains("rpc/v1/options.proto"), "{lock}");

    // As buf has it.
    project.write("proto/users/v1/users.proto", USERS);
    let policy = Policy::new().level(Level::File);
    let error = project.config().compatibility(policy).compile();
    let text = error.expect_err("it is gone").to_string();
    assert!(text.contains("FILE_NO_DELETE"), "{text}");
    let deleted = "`google/protobuf/descriptor.proto` was deleted";
    assert!(text.contains(deleted), "{text}");
}

#[test]
fn a_descriptor_set_stands_for_its_files() {
    let project = Project::new();
    project.config().compile().expect("the schema is sound");
    let set = project.path("schema/users.v1/descriptors.binpb");
    Config::new()
        .descriptor_set(&set)
        .out_dir(project.path("from-set"))
        .lock(project.path("schema.lock"))
        .compile()
        .expect("the set is sound");
    assert_eq!(
        project.read("from-set/users.v1/services.rs"),
        project.read("schema/users.v1/services.rs")
    );
    assert_eq!(
        project.read("from-set/users.v1/package.rs"),
        project.read("schema/users.v1/package.rs")
    );
}

#[test]
fn errors_read_like_those_of_the_compiler() {
    let project = Project::new();
    project.write(
        "proto/users/v1/users.proto",
        &USERS
            .replace("= 2;", "= 1;")
            .replace("rpc GetUser(User)", "rpc GetUser(Usr)"),
    );
    let error = project
        .config()
        .compile()
        .expect_err("there are two mistakes");
    let text = error.to_string();
    assert!(text.contains("users.proto:8:"), "{text}");
    assert!(
        text.contains("rpc GetUser(Usr) returns (User);") && text.contains("^^^"),
        "{text}"
    );
    // As `fn main() -> Result<(), rpc_build::Error>` and `unwrap` show it.
    assert_eq!(format!("{error:?}"), format!("\n{text}"));

    let error = Config::new()
        .files(["no/such/file.proto"])
        .out_dir("x")
        .compile()
        .expect_err("there is no file");
    assert!(error.to_string().contains("no/such/file.proto"), "{error}");
    let error = project
        .config()
        .runtime_path("rpc-runtime")
        .compile()
        .expect_err("this is no path");
    assert!(error.to_string().contains("`rpc-runtime`"), "{error}");
    let error = Config::new()
        .files([project.path("proto/shared/v1/shared.proto")])
        .compile();
    assert!(
        error
            .expect_err("this is no build script")
            .to_string()
            .contains("out_dir")
    );
}

#[test]
fn two_schemas_of_one_program_share_nothing_that_is_written() {
    let project = Project::new();
    let other = || {
        let config = Config::new().files([project.path("proto/shared/v1/shared.proto")]);
        config.includes([project.path("proto")])
    };
    project.config().compile().expect("the schema is sound");
    for folder in ["schema", "schema/inside", ""] {
        let config = other().out_dir(project.path(folder));
        let error = config.lock(project.path("other.lock")).compile();
        let text = error.expect_err("the folder is taken").to_string();
        assert!(text.contains("`out_dir`"), "{text}");
    }
    assert!(project.path("schema/users.v1.rs").exists());

    // As long as there is no lock, nobody writes it.
    let config = other().out_dir(project.path("other"));
    let config = config.lock(project.path("schema.lock"));
    config.compile().expect("nothing was released yet");
    project.config().release().expect("the lock can be written");
    for error in [config.compile(), config.release()] {
        let text = error.expect_err("the lock is taken").to_string();
        assert!(text.contains("`lock`"), "{text}");
    }
    let config = config.lock(project.path("other.lock"));
    config.release().expect("the lock can be written");
    config.compile().expect("it is what was released");
}

#[test]
fn what_does_not_compile_is_not_released() {
    let project = Project::new();
    let option = with_option("import \"rpc/v1/options.proto\";").replace("5s", "5 seconds");
    project.write("proto/users/v1/users.proto", &option);
    let error = project.config().release();
    let text = error.expect_err("this is no time").to_string();
    assert!(text.contains("5 seconds"), "{text}");
    assert!(!project.path("schema.lock").exists());
}

#[test]
fn a_lock_that_was_cut_off_is_refused() {
    let project = Project::new();
    project.config().release().expect("the lock can be written");
    let lock = project.read("schema.lock");
    let lines: Vec<&str> = lock.split_inclusive('\n').collect();
    for length in 3..lines.len() {
        project.write("schema.lock", &lines[..length].concat());
        let error = project.config().compile();
        let text = error.expect_err("the lock is not whole").to_string();
        assert!(text.contains("is cut off"), "{text}");
    }
    // What is beside it is what was there.
    let beside = fs::read_dir(project.path("")).expect("the folder is there");
    assert_eq!(beside.count(), 2, "proto and schema.lock");
}

#[test]
fn a_merge_may_take_elements_from_both_sides() {
    let project = Project::new();
    project.config().release().expect("the lock can be written");
    let lock = project.read("schema.lock");
    let field = "    int32 size = 1\n";
    assert!(lock.contains(field), "{lock}");
    let merged = lock.replace(field, &format!("{field}    int32 after = 2\n"));
    project.write("schema.lock", &merged);
    let shared = SHARED.replace("size = 1;", "size = 1;\n  int32 after = 2;");
    project.write("proto/shared/v1/shared.proto", &shared);
    project.config().compile().expect("it is what was released");
    project.write("proto/shared/v1/shared.proto", SHARED);
    let error = project.config().compile();
    let text = error.expect_err("a field is gone").to_string();
    assert!(text.contains("FIELD_NO_DELETE"), "{text}");
}

/// All files below a folder, by their paths in it.
fn tree(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(inside) = waiting.pop() {
        for entry in fs::read_dir(inside).expect("the folder is there") {
            let path = entry.expect("the folder can be read").path();
            if path.is_dir() {
                waiting.push(path);
                continue;
            }
            let content = fs::read(&path).expect("the file is there");
            let name = path.strip_prefix(folder).expect("it is in the folder");
            found.push((name.to_owned(), content));
        }
    }
    found.sort();
    found
}

/// Hashes begin with another number in each process, and so do the orders of what is hashed.
#[test]
fn every_process_writes_the_same() {
    const FOLDER: &str = "RPC_BUILD_TEST_FOLDER";
    if let Some(folder) = std::env::var_os(FOLDER) {
        let folder = Path::new(&folder);
        let proto = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/schema/proto");
        let names = [
            "kinds/legacy/legacy",
            "kinds/v1/kinds",
            "names/v3/names",
            "users/v1/users",
        ];
        let config = Config::new()
            .files(names.map(|name| proto.join(format!("{name}.proto"))))
            .includes([proto])
            .views("users.v1")
            .out_dir(folder.join("schema"))
            .lock(folder.join("schema.lock"));
        config.compile().expect("the schema is sound");
        return config.release().expect("the lock can be written");
    }
    let written = [(), ()].map(|()| {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        let own = std::env::current_exe().expect("this is a program");
        let ended = std::process::Command::new(own)
            .args(["--exact", "every_process_writes_the_same"])
            .env(FOLDER, folder.path())
            .output()
            .expect("it is there");
        assert!(ended.status.success(), "{ended:?}");
        tree(folder.path())
    });
    let names: Vec<_> = written[0].iter().map(|(name, _)| name.clone()).collect();
    assert!(
        names.len() > 20 && names.contains(&"schema.lock".into()),
        "{names:?}"
    );
    let [one, other] = written;
    for ((name, one), (other_name, other)) in one.iter().zip(&other) {
        assert_eq!(name, other_name);
        assert!(one == other, "{} differs", name.display());
    }
    assert_eq!(one.len(), other.len());
}
