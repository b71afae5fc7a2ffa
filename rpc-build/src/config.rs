//! What a build script says, and what it gets.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::breaking::{Accepted, Policy};
use crate::check::{check, unused_imports};
use crate::emit::{Settings, emit};
use crate::error::Error;
use crate::load::{Input, load};
use crate::lock::ACCEPT_VARIABLE;
use crate::output::{self, FileCache};
use crate::release::Release;
use crate::schema::Schema;
use crate::source::SourceFile;
use crate::uses;

/// Compiles `.proto` files in a build script, where nothing else has to be said.
///
/// ```no_run
/// fn main() -> Result<(), rpc_build::Error> {
///     rpc_build::compile(["proto/users/v1/users.proto"])
/// }
/// ```
///
/// Imports are looked for in the folder `proto`, if all files are in there, and otherwise in the folders of the files.
///
/// # Errors
///
/// As for [`Config::compile`].
pub fn compile(files: impl IntoIterator<Item = impl AsRef<Path>>) -> Result<(), Error> {
    Config::new().files(files).compile()
}

/// Compiles `.proto` files into messages and annotated traits.
///
/// ```no_run
/// fn main() -> Result<(), rpc_build::Error> {
///     rpc_build::Config::new()
///         .files(["users/v1/users.proto", "users/v2/users.proto"])
///         .includes(["proto"])
///         .compile()
/// }
/// ```
///
/// # What is written
///
/// For each package a file that has all of its items, such as `users.v1.rs`, which `rpc_runtime::include_schema!("users.v1")`
/// includes; what it consists of is in a folder of the same name. Packages that import each other are one tree of modules,
/// which `rpc_runtime::include_schema!()` includes as a whole (`all-packages.rs`): each package is then in the modules that
/// its name says, as `users::v1`. Including them one by one works too, but then each brings types of its own for what it
/// imports.
///
/// Files that are only imported are generated as far as their types are needed. The types of `google.protobuf` come with the
/// runtime. The generated code needs no dependency but `rpc-runtime`, with its feature `protobuf`.
///
/// Each package has a constant `FILE_DESCRIPTOR_SET` with its descriptors, for reflection.
#[derive(Clone, Debug)]
#[must_use = "nothing happens before `compile`"]
pub struct Config {
    files: Vec<PathBuf>,
    includes: Vec<PathBuf>,
    descriptor_sets: Vec<PathBuf>,
    out_dir: Option<PathBuf>,
    verifies: bool,
    release: Release,
    settings: Settings,
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

impl Config {
    /// Begins with no files.
    pub fn new() -> Self {
        let settings = Settings {
            root: Settings::ROOT.to_owned(),
            views: BTreeSet::new(),
            external: Vec::new(),
        };
        Self {
            files: Vec::new(),
            includes: Vec::new(),
            descriptor_sets: Vec::new(),
            out_dir: None,
            verifies: false,
            release: Release::default(),
            settings,
        }
    }

    /// Adds files to compile, by their paths or by the names under which others import them.
    pub fn files(mut self, files: impl IntoIterator<Item = impl AsRef<Path>>) -> Self {
        self.files
            .extend(files.into_iter().map(|file| file.as_ref().to_owned()));
        self
    }

    /// Adds folders in which imports are looked for, in their order. `google/protobuf/*.proto` and `rpc/v1/options.proto`
    /// are always found.
    ///
    /// Default: the folder `proto`, if all files are in there, and otherwise the folders of the files.
    pub fn includes(mut self, folders: impl IntoIterator<Item = impl AsRef<Path>>) -> Self {
        self.includes
            .extend(folders.into_iter().map(|folder| folder.as_ref().to_owned()));
        self
    }

    /// Adds a file with a descriptor set, which stands for the `.proto` files that it was made of: what
    /// `protoc --include_imports --descriptor_set_out` and `buf build` write. This is the way for files with an `edition`.
    /// [`files`](Self::files) then also takes names of files in the set; without it, all of them are compiled. What it also
    /// finds on disk is read from there, unless it has an `edition`.
    pub fn descriptor_set(mut self, path: impl AsRef<Path>) -> Self {
        self.descriptor_sets.push(path.as_ref().to_owned());
        self
    }

    /// Writes to this folder, which can be committed, instead of cargo's folder for build scripts. Files of earlier runs that
    /// are no longer needed are removed, and those that were edited or deleted are written again.
    ///
    /// Load what is in it as modules: `#[path = "schema/users.v1.rs"] pub mod users;`.
    pub fn out_dir(mut self, folder: impl AsRef<Path>) -> Self {
        self.out_dir = Some(folder.as_ref().to_owned());
        self
    }

    /// Only compares the folder of [`out_dir`](Self::out_dir) with what would be written, and fails if they differ, unless the
    /// environment variable `RPC_BUILD_UPDATE` is set to anything but `0`, which writes it. Without such a folder it is an error.
    pub fn verify(mut self) -> Self {
        self.verifies = true;
        self
    }

    /// Says where generated code finds the runtime, for a crate that depends on it by another name or re-exports it.
    ///
    /// Default: `::rpc_runtime`.
    pub fn runtime_path(mut self, path: impl Into<String>) -> Self {
        self.settings.root = path.into();
        self
    }

    /// Generates views, which borrow from the bytes that they are read from, for a package and what it imports. They take
    /// about as long to compile as the messages themselves. Messages with fields of those in `google/protobuf/descriptor.proto`
    /// have none.
    ///
    /// Default: none.
    pub fn views(mut self, package: impl Into<String>) -> Self {
        self.settings.views.insert(package.into());
        self
    }

    /// Takes the types of a package, and of packages below it, from a module elsewhere, such as another crate's, instead of
    /// generating them: `external("common.v1", "::common::schema::common::v1")`. [`views`](Self::views) of messages that have
    /// fields of these types need views there, too.
    pub fn external(mut self, package: impl Into<String>, module: impl Into<String>) -> Self {
        self.settings.external.push((package.into(), module.into()));
        self
    }

    /// Says where the lock is, the file with what was last released. If there is one, a schema that breaks it does not
    /// compile; if there is none, nothing has been released yet. A build never writes it by itself: see
    /// [`release`](Self::release).
    ///
    /// A build script that found no lock is not run again because one appears, as from a colleague's commit: cargo would run it
    /// at every build if it waited for a file that is not there. The lock counts from the next time that the script runs, which
    /// is when a `.proto` file changes, or in a clean build, such as that of a build server.
    ///
    /// Schemas that one program compiles in several calls need a lock each. A build warns where a lock is named that is not
    /// there.
    ///
    /// Default: `schema.lock`.
    pub fn lock(mut self, path: impl AsRef<Path>) -> Self {
        path.as_ref().clone_into(&mut self.release.path);
        self.release.is_expected = true;
        self
    }

    /// Says how much has to stay compatible, and what may break for a reason.
    ///
    /// Default: the binary form and JSON of stable packages, without exemptions.
    pub fn compatibility(mut self, policy: Policy) -> Self {
        self.release.policy = policy;
        self.release.is_expected = true;
        self
    }

    /// Reads, checks, compares with what was released, and writes.
    ///
    /// In a build script this also tells cargo to run it again when one of the files changes that were read.
    ///
    /// # Errors
    ///
    /// All mistakes in the schema, or the file that could not be read or written.
    pub fn compile(&self) -> Result<(), Error> {
        self.check_paths()?;
        if self.verifies && self.out_dir.is_none() {
            return Err(Error::new(
                "there is no folder to verify: say with `out_dir` which one is committed",
            ));
        }
        let schema = self.load()?;
        for unused in unused_imports(&schema) {
            let Some((name, line)) = unused.line(&schema.sources) else {
                continue;
            };
            let shown = schema.sources.file(name).map(SourceFile::shown);
            let shown = shown.unwrap_or_default();
            say(format_args!("warning={shown}:{line}: {}", unused.message));
        }
        let accepted = self.check_release(&schema)?;
        self.write(&schema)?;
        // Last, so that what does not compile is not released either.
        match accepted {
            Some(accepted) => self.release_accepted(&accepted),
            None => Ok(()),
        }
    }

    /// Writes what is generated, or compares it with what is there.
    fn write(&self, schema: &Schema) -> Result<(), Error> {
        let folder = self.folder()?;
        let kind = match self.out_dir {
            Some(_) => uses::Kind::ClearedFolder,
            None => uses::Kind::Folder,
        };
        uses::claim(kind, &folder, &self.input())?;
        let cache = env::var_os("OUT_DIR").map(|it| Path::new(&it).join("rpc-build-cache"));
        let mut cache = FileCache::new(cache, format!("{:?}", self.settings));
        let files = emit(schema, &self.settings, &mut cache)
            .map_err(|mistakes| Error::from_diagnostics(&mistakes, &schema.sources))?;
        if self.out_dir.is_none() {
            return output::write(&folder, &files, None);
        }
        // What is written is as old as this run, or else it would count as changed after it.
        let time = output::invoked();
        if self.verifies || time.is_some() {
            for file in &files {
                let path = folder.join(&file.path);
                say(format_args!("rerun-if-changed={}", path.display()));
            }
        }
        if self.verifies {
            say(format_args!("rerun-if-env-changed={}", output::UPDATE));
        }
        if self.verifies && !output::is_update() {
            return output::verify(&folder, &files);
        }
        output::write(&folder, &files, time)?;
        output::remove_stale(&folder, &files)
    }

    /// What is compiled, to tell one schema from another.
    fn input(&self) -> String {
        let (files, sets) = (&self.files, &self.descriptor_sets);
        format!("{files:?} {:?} {sets:?}", self.includes)
    }

    /// Releases the schema as it is: writes it to the [`lock`](Self::lock), whatever it breaks of what was released before.
    /// This is for a program that people run on purpose; a build script that is given the environment variable
    /// `RPC_BUILD_ACCEPT_SCHEMA=1` does the same. What does not compile is not released.
    ///
    /// # Errors
    ///
    /// All mistakes in the schema, or the file that could not be read or written.
    pub fn release(&self) -> Result<(), Error> {
        self.check_paths()?;
        let schema = self.load()?;
        uses::claim(uses::Kind::Lock, &self.release.path, &self.input())?;
        let accepted = self.release.accept(&schema)?;
        emit(&schema, &self.settings, &mut ())
            .map_err(|mistakes| Error::from_diagnostics(&mistakes, &schema.sources))?;
        self.release.write(&accepted.lock)
    }

    /// Compares the schema with what was released, or finds out what its release means, if this is one.
    fn check_release(&self, schema: &Schema) -> Result<Option<Accepted>, Error> {
        say(format_args!("rerun-if-env-changed={ACCEPT_VARIABLE}"));
        let path = self.release.path.display();
        let is_release = env::var_os(ACCEPT_VARIABLE).is_some_and(|value| value == "1");
        let exists = self.release.path.exists();
        if exists || is_release {
            uses::claim(uses::Kind::Lock, &self.release.path, &self.input())?;
        }
        // One that is not there would count as changed each time.
        if exists {
            say(format_args!("rerun-if-changed={path}"));
        }
        if is_release {
            return self.release.accept(schema).map(Some);
        }
        if !exists && self.release.is_expected {
            say(format_args!(
                "warning=there is no `{path}`, so that nothing is compared with what was released; \
                 `{ACCEPT_VARIABLE}=1 cargo build` writes it"
            ));
        }
        self.release.check(schema).map(|()| None)
    }

    /// Writes the lock, and says what that breaks. Exemptions are of no use from now on, which the next build says.
    fn release_accepted(&self, accepted: &Accepted) -> Result<(), Error> {
        let is_new = !self.release.path.exists();
        self.release.write(&accepted.lock)?;
        if is_new {
            say(format_args!(
                "rerun-if-changed={}",
                self.release.path.display()
            ));
        }
        for broken in &accepted.broken {
            let (rule, message) = (broken.rule, &broken.message);
            say(format_args!(
                "warning=released all the same: {message} ({rule})"
            ));
        }
        for (broken, reason) in &accepted.allowed {
            let (rule, message) = (broken.rule, &broken.message);
            say(format_args!(
                "warning=released as allowed: {message} ({rule}): {reason}"
            ));
        }
        Ok(())
    }

    fn load(&self) -> Result<Schema, Error> {
        let mut descriptor_sets = Vec::new();
        for path in &self.descriptor_sets {
            say(format_args!("rerun-if-changed={}", path.display()));
            let bytes = fs::read(path);
            descriptor_sets.push(bytes.map_err(|error| {
                Error::new(format!("cannot read `{}`: {error}", path.display()))
            })?);
        }
        let input = Input {
            files: &self.files,
            includes: &self.include_folders(),
            descriptor_sets: &descriptor_sets,
        };
        let schema = load(&input)
            .map_err(|failure| Error::from_diagnostics(&failure.diagnostics, &failure.sources))?;
        for path in schema.sources.files().filter_map(|file| file.path.as_ref()) {
            say(format_args!("rerun-if-changed={}", path.display()));
        }
        let mistakes = check(&schema);
        match mistakes.is_empty() {
            true => Ok(schema),
            false => Err(Error::from_diagnostics(&mistakes, &schema.sources)),
        }
    }

    fn include_folders(&self) -> Vec<PathBuf> {
        // Files of descriptor sets need no folder, in which what they were made of would be found.
        if !self.includes.is_empty() || self.files.is_empty() {
            return self.includes.clone();
        }
        let is_in_proto = |file: &PathBuf| is_below(file, Path::new("proto"));
        if self.files.iter().all(is_in_proto) {
            return vec!["proto".into()];
        }
        let parents = self.files.iter().filter_map(|file| file.parent());
        let folders: BTreeSet<PathBuf> = parents.map(Path::to_owned).collect();
        folders.into_iter().collect()
    }

    fn folder(&self) -> Result<PathBuf, Error> {
        match &self.out_dir {
            Some(folder) => Ok(folder.clone()),
            None => env::var_os("OUT_DIR").map(PathBuf::from).ok_or_else(|| {
                Error::new("cargo did not say where to write: call this in a build script, or choose a folder with `out_dir`")
            }),
        }
    }

    /// Paths in Rust come from the build script, so that a mistake in one has no place in a schema.
    fn check_paths(&self) -> Result<(), Error> {
        let external = self.settings.external.iter().map(|(_, path)| path);
        for path in external.chain([&self.settings.root]) {
            let is_path = syn::parse_str::<syn::Path>(path)
                .is_ok_and(|it| it.segments.iter().all(|it| it.arguments.is_none()));
            let is_absolute = ["::", "crate::"].iter().any(|it| path.starts_with(it));
            if !is_path || !(is_absolute || path == "crate") {
                return Err(Error::new(format!(
                    "`{path}` does not lead anywhere from generated code: write a path that begins with `::` or `crate::`"
                )));
            }
        }
        Ok(())
    }
}

/// Whether a path leads into a folder, however the two are written.
fn is_below(path: &Path, folder: &Path) -> bool {
    match (std::path::absolute(path), std::path::absolute(folder)) {
        (Ok(path), Ok(folder)) => path.starts_with(folder),
        _ => path.starts_with(folder),
    }
}

/// Tells cargo something, which outside of a build script is only a line of output.
fn say(line: std::fmt::Arguments<'_>) {
    if env::var_os("OUT_DIR").is_some() {
        println!("cargo::{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_in_the_folder_proto_are_found_however_they_are_named() {
        let absolute = std::path::absolute("proto/a/v1/a.proto").expect("there is a folder");
        for file in [
            Path::new("proto/a/v1/a.proto"),
            Path::new("./proto/a/v1/a.proto"),
            &absolute,
        ] {
            let config = Config::new().files([Path::new("proto/b.proto"), file]);
            assert_eq!(config.include_folders(), [Path::new("proto")], "{file:?}");
        }
        let config = Config::new().files(["./other/a.proto", "proto/b.proto"]);
        let folders = [Path::new("./other"), Path::new("proto")];
        assert_eq!(config.include_folders(), folders);
    }
}
