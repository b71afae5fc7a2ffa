//! Build scripts as cargo runs them: when they run again, and what their user reads.
//!
//! The crate in here finds the libraries by `--extern`, as they are built already: as dependencies they would be built anew.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

use tempfile::TempDir;

const USERS: &str = "\
syntax = \"proto3\";
package users.v1;
import \"users/v1/page.proto\";

service Users {
  rpc ListUsers(ListUsersRequest) returns (User);
}
message ListUsersRequest {
  Page page = 1;
}
message User {
  int64 id = 1;
  string name = 2;
}
";

const PAGE: &str = "\
syntax = \"proto3\";
package users.v1;

message Page {
  int32 size = 1;
}
";

const MAIN: &str = "\
#![deny(warnings, unreachable_pub)]

mod users {
    rpc_runtime::include_schema!(\"users.v1\");
}

fn main() {
    println!(\"{}\", users::User { id: 7, ..Default::default() }.id);
}
";

/// The same with what was written to the folder `schema`.
fn in_folder() -> String {
    let include = "mod users {\n    rpc_runtime::include_schema!(\"users.v1\");\n}";
    assert!(MAIN.contains(include));
    MAIN.replace(include, "#[path = \"../schema/users.v1.rs\"]\nmod users;")
}

/// A crate with a schema.
struct Project {
    folder: TempDir,
    /// Environment variables of cargo.
    variables: Vec<(&'static str, &'static str)>,
}

/// What a run of cargo said.
struct Built {
    succeeded: bool,
    ran_script: bool,
    text: String,
}

impl Project {
    fn new(build: &str) -> Self {
        let project = Self {
            folder: tempfile::tempdir().expect("a folder for temporary files"),
            variables: Vec::new(),
        };
        let manifest =
            "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n";
        project.write("Cargo.toml", manifest);
        let build = format!("fn main() -> Result<(), rpc_build::Error> {{\n    {build}\n}}\n");
        project.write("build.rs", &build);
        project.write("src/main.rs", MAIN);
        project.write("proto/users/v1/users.proto", USERS);
        project.write("proto/users/v1/page.proto", PAGE);
        project.write(
            "proto/users/v1/unrelated.proto",
            "nothing that could be read",
        );
        project
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).expect("the file is there")
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        let folder = path.parent().expect("the file is in the project");
        fs::create_dir_all(folder).expect("the folder can be written");
        fs::write(path, text).expect("the folder can be written");
    }

    fn replace(&self, path: &str, from: &str, to: &str) {
        let text = self.read(path);
        assert!(text.contains(from), "{path}: {text}");
        self.write(path, &text.replace(from, to));
    }

    /// The files of the cache of messages, and when they were written.
    fn cached(&self) -> Vec<(PathBuf, SystemTime)> {
        let mut waiting = vec![self.path("target/debug/build")];
        let mut found = Vec::new();
        while let Some(folder) = waiting.pop() {
            for entry in fs::read_dir(folder).expect("the folder is there") {
                let path = entry.expect("the folder can be read").path();
                if path.is_dir() {
                    waiting.push(path);
                } else if path.to_string_lossy().contains("rpc-build-cache") {
                    let time = fs::metadata(&path).and_then(|file| file.modified());
                    found.push((path, time.expect("the file is there")));
                }
            }
        }
        found.sort();
        found
    }

    fn build(&self) -> Built {
        let (externs, dependencies) = libraries();
        let flags: Vec<String> = externs
            .iter()
            .map(|(name, path)| format!("--extern={name}={}", path.display()))
            .chain([format!("-Ldependency={}", dependencies.display())])
            .collect();
        let mut command = cargo();
        command
            .args(["build", "-v", "--offline"])
            .current_dir(self.folder.path())
            .env("CARGO_TARGET_DIR", self.path("target"))
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
            .envs(self.variables.iter().copied());
        let output = command.output().expect("cargo is there");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        Built {
            succeeded: output.status.success(),
            ran_script: text.contains("build-script-build`"),
            text,
        }
    }
}

impl Built {
    fn succeeds(self) -> Self {
        assert!(self.succeeded, "{}", self.text);
        self
    }

    fn fails(self, parts: &[&str]) -> Self {
        assert!(!self.succeeded, "{}", self.text);
        self.says(parts)
    }

    fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(
                self.text.contains(part),
                "`{part}` is missing in\n{}",
                self.text
            );
        }
        for part in ["panicked", "Error {", "Diagnostic", "Span"] {
            assert!(!self.text.contains(part), "`{part}` is in\n{}", self.text);
        }
        self
    }
}

/// A cargo that knows nothing of the one that runs the tests.
fn cargo() -> Command {
    let mut command = Command::new(env!("CARGO"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let is_ours = matches!(&*text, "CARGO_HOME" | "CARGO_TARGET_DIR");
        if (text.starts_with("CARGO") || text.starts_with("RPC_BUILD")) && !is_ours {
            command.env_remove(&name);
        }
    }
    command
}

/// Our libraries, and the folder of what they need. With the flags of CI, so that nothing is built a second time there.
fn libraries() -> &'static (Vec<(String, PathBuf)>, PathBuf) {
    static BUILT: OnceLock<(Vec<(String, PathBuf)>, PathBuf)> = OnceLock::new();
    BUILT.get_or_init(|| {
        let output = cargo()
            .args([
                "build",
                "--locked",
                "--workspace",
                "--all-features",
                "--lib",
            ])
            .arg("--message-format=json-render-diagnostics")
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
            .output()
            .expect("cargo is there");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        let text = String::from_utf8_lossy(&output.stdout);
        let files = text.split('"').filter(|word| word.ends_with(".rlib"));
        let files: Vec<PathBuf> = files.map(PathBuf::from).collect();
        let library = |name: &str| {
            let file = format!("lib{name}.rlib");
            let path = files.iter().find(|path| path.ends_with(&file));
            (
                name.to_owned(),
                path.unwrap_or_else(|| panic!("no {file}: {errors}"))
                    .clone(),
            )
        };
        let libraries = vec![library("rpc_build"), library("rpc_runtime")];
        let folder = libraries[0].1.parent().expect("a file is in a folder");
        (libraries.clone(), folder.join("deps"))
    })
}

const PLAIN: &str = "rpc_build::compile([\"proto/users/v1/users.proto\"])";

#[test]
fn a_build_script_runs_again_when_its_schema_changes_and_only_then() {
    let project = Project::new(PLAIN);
    assert!(project.build().succeeds().ran_script);
    assert!(
        !project.build().succeeds().ran_script,
        "nothing has changed"
    );

    project.write("proto/users/v1/unrelated.proto", "still nothing");
    project.write("README.md", "Nothing to see.");
    assert!(
        !project.build().succeeds().ran_script,
        "no file of the schema has changed"
    );

    for file in ["proto/users/v1/users.proto", "proto/users/v1/page.proto"] {
        project.write(file, &format!("{}// The end.\n", project.read(file)));
        assert!(project.build().succeeds().ran_script, "{file} has changed");
        assert!(
            !project.build().succeeds().ran_script,
            "nothing has changed"
        );
    }
    // What is generated follows.
    project.replace("proto/users/v1/users.proto", "int64 id", "int64 key");
    let built = project.build();
    assert!(
        !built.succeeded && built.text.contains("no field named `id`"),
        "{}",
        built.text
    );
}

#[test]
fn only_the_messages_of_the_file_that_changed_are_written_anew() {
    let project = Project::new(PLAIN);
    project.build().succeeds();
    let mut before = project.cached();
    assert_eq!(before.len(), 2);
    for (file, from, to) in [
        (
            "page",
            "int32 size = 1;",
            "int32 size = 1;\n  int32 number = 2;",
        ),
        (
            "users",
            "string name = 2;",
            "string name = 2;\n  int32 age = 3;",
        ),
        ("page", "message Page", "// A part.\nmessage Page"),
    ] {
        project.replace(&format!("proto/users/v1/{file}.proto"), from, to);
        assert!(project.build().succeeds().ran_script);
        let after = project.cached();
        let changed = after.iter().filter(|entry| !before.contains(entry));
        assert_eq!((after.len(), changed.count()), (2, 1), "{file}");
        before = after;
    }
    // All that was written is used.
    project.replace("src/main.rs", "{ id: 7, ", "{ id: 7, age: 8, ");
    project.replace(
        "src/main.rs",
        "println!",
        "let _ = users::Page { size: 1, number: 2, ..Default::default() };\n    println!",
    );
    project.build().succeeds();
}

#[test]
fn a_committed_folder_that_is_out_of_date_fails_the_build() {
    let mut project = Project::new(
        "rpc_build::Config::new().files([\"proto/users/v1/users.proto\"]).out_dir(\"schema\").verify().compile()",
    );
    project.write("src/main.rs", &in_folder());
    project.variables = vec![("RPC_BUILD_UPDATE", "1")];
    project.build().succeeds();
    project.variables.clear();
    project.build().succeeds();
    assert!(
        !project.build().succeeds().ran_script,
        "nothing has changed"
    );

    project.replace("proto/users/v1/users.proto", "string name", "string title");
    project.build().fails(&[
        "the files in `schema` are not what the schema says",
        "  -     /// Field 2: `name`",
        "  +     /// Field 2: `title`",
        "build once with `RPC_BUILD_UPDATE=1`",
    ]);
    project.variables = vec![("RPC_BUILD_UPDATE", "1")];
    project.build().succeeds();
    project.variables.clear();
    project.build().succeeds();

    // One who edits what was generated learns of it too.
    project.replace("schema/users.v1/package.rs", "pub title: ", "pub name: ");
    project.variables = vec![("RPC_BUILD_UPDATE", "0")];
    project.build().fails(&["users.v1/package.rs:"]);
    project.variables.clear();
    project.build().fails(&["users.v1/package.rs:"]);
}

#[test]
fn what_was_deleted_or_edited_in_a_folder_is_written_again_and_only_then() {
    let project = Project::new(
        "rpc_build::Config::new().files([\"proto/users/v1/users.proto\"]).out_dir(\"schema\").compile()",
    );
    project.write("src/main.rs", &in_folder());
    let is_at_rest = || !project.build().succeeds().ran_script;
    project.build().succeeds();
    assert!(is_at_rest(), "nothing has changed");
    let services = project.read("schema/users.v1/services.rs");
    fs::remove_file(project.path("schema/users.v1/services.rs")).expect("it was written");
    assert!(project.build().succeeds().ran_script);
    assert!(is_at_rest(), "nothing has changed");
    project.write("schema/users.v1/services.rs", "nothing");
    assert!(project.build().succeeds().ran_script);
    assert_eq!(project.read("schema/users.v1/services.rs"), services);
    assert!(is_at_rest(), "nothing has changed");
    project.replace("proto/users/v1/users.proto", "string name", "string title");
    assert!(project.build().succeeds().ran_script);
    assert!(is_at_rest(), "nothing has changed");
}

#[test]
fn a_build_script_runs_again_when_its_lock_or_its_descriptor_set_changes() {
    let mut project = Project::new(
        "rpc_build::Config::new().files([\"proto/users/v1/users.proto\"]).out_dir(\"schema\").compile()",
    );
    project.write("src/main.rs", "fn main() {}");
    project.variables = vec![("RPC_BUILD_ACCEPT_SCHEMA", "1")];
    project.build().succeeds();
    project.variables.clear();
    project.build().succeeds();
    let is_at_rest = || !project.build().succeeds().ran_script;
    assert!(is_at_rest(), "nothing has changed");
    let lock = project.read("schema.lock");
    project.write(
        "schema.lock",
        &lock.replace("string name = 2", "int32 name = 2"),
    );
    project.build().fails(&["FIELD_WIRE_JSON_COMPATIBLE_TYPE"]);
    project.write("schema.lock", &lock);
    assert!(project.build().succeeds().ran_script);

    let set = project.path("schema/users.v1/descriptors.binpb");
    fs::copy(set, project.path("set.binpb")).expect("it was written");
    project.write(
        "build.rs",
        "fn main() -> Result<(), rpc_build::Error> { rpc_build::Config::new().descriptor_set(\"set.binpb\").compile() }",
    );
    assert!(project.build().succeeds().ran_script);
    assert!(is_at_rest(), "nothing has changed");
    project.write("set.binpb", "nothing");
    project.build().fails(&["a descriptor set cannot be read"]);
}

#[test]
fn a_breaking_change_fails_the_build_until_it_is_accepted() {
    let mut project = Project::new(PLAIN);
    project.build().succeeds();
    assert!(
        !project.path("schema.lock").exists(),
        "nothing was released"
    );
    project.variables = vec![("RPC_BUILD_ACCEPT_SCHEMA", "1")];
    project.build().succeeds();
    let released = project.read("schema.lock");
    project.variables.clear();
    project.build().succeeds();

    project.replace(
        "proto/users/v1/users.proto",
        "string name = 2",
        "int32 name = 2",
    );
    project.build().fails(&[
        "proto/users/v1/users.proto:13:3",
        "13 |   int32 name = 2;",
        "FIELD_WIRE_JSON_COMPATIBLE_TYPE",
        "string name = 2",
    ]);
    assert_eq!(
        project.read("schema.lock"),
        released,
        "a build releases nothing"
    );

    project.variables = vec![("RPC_BUILD_ACCEPT_SCHEMA", "1")];
    project.build().succeeds().says(&[
        "warning: app@0.1.0: released all the same: ",
        "FIELD_WIRE_JSON_COMPATIBLE_TYPE",
    ]);
    assert_ne!(project.read("schema.lock"), released);
    project.variables.clear();
    project.build().succeeds();
    assert!(
        !project.build().succeeds().ran_script,
        "nothing has changed"
    );
}

#[test]
fn a_release_takes_what_is_allowed_and_nothing_that_does_not_compile() {
    let mut project = Project::new(PLAIN);
    project.variables = vec![("RPC_BUILD_ACCEPT_SCHEMA", "1")];
    project.build().succeeds();
    let released = project.read("schema.lock");

    let users = project.read("proto/users/v1/users.proto");
    let import = "import \"users/v1/page.proto\";";
    let options = format!("{import}\nimport \"rpc/v1/options.proto\";");
    let rpc = "returns (User);";
    let wrong = "returns (User) { option (rpc.v1.timeout) = \"5 seconds\"; }";
    let broken = users.replace(import, &options).replace(rpc, wrong);
    project.write("proto/users/v1/users.proto", &broken);
    project.build().fails(&["5 seconds"]);
    assert_eq!(project.read("schema.lock"), released);

    let changed = users.replace("string name = 2", "int32 name = 2");
    project.write("proto/users/v1/users.proto", &changed);
    let allow = ".allow(\"FIELD_WIRE_JSON_COMPATIBLE_TYPE\", \"users.v1.User.name\", \"nobody has read it\")";
    let config = format!(
        "rpc_build::Config::new().files([\"proto/users/v1/users.proto\"])\
         .compatibility(rpc_build::breaking::Policy::new(){allow}).compile()"
    );
    project.replace("build.rs", PLAIN, &config);
    project
        .build()
        .succeeds()
        .says(&["released as allowed: ", ": nobody has read it"]);
    assert_ne!(project.read("schema.lock"), released);
    project.variables.clear();
    project.build().fails(&["allows nothing"]);
}

#[test]
fn a_lock_that_was_named_and_is_not_there_is_told() {
    let project = Project::new(
        "rpc_build::Config::new().files([\"proto/users/v1/users.proto\"]).lock(\"shema.lock\").compile()",
    );
    project
        .build()
        .succeeds()
        .says(&["warning: app@0.1.0: there is no `shema.lock`"]);
}

#[test]
fn mistakes_read_in_the_output_of_cargo_as_the_compiler_would_write_them() {
    let project = Project::new(PLAIN);
    project.replace(
        "proto/users/v1/users.proto",
        "string name = 2",
        "string name = 1",
    );
    project.replace("proto/users/v1/page.proto", "int32 size", "int23 size");
    project.build().fails(&[
        "proto/users/v1/users.proto:13:17",
        "13 |   string name = 1;\n     |                 ^",
        "proto/users/v1/page.proto:5:3",
        " 5 |   int23 size = 1;\n    |   ^^^^^",
        "error: the schema has 2 mistakes",
    ]);
    project.replace("proto/users/v1/page.proto", "int23 size", "int32 size");
    project.replace(
        "proto/users/v1/users.proto",
        "string name = 1",
        "string name = 2",
    );
    project.build().succeeds();

    project.replace(
        "proto/users/v1/users.proto",
        "import",
        "import \"google/protobuf/any.proto\";\nimport",
    );
    project.build().succeeds().says(&[
        "warning: app@0.1.0: proto/users/v1/users.proto:3: the import `google/protobuf/any.proto` is not used",
    ]);
}
