//! The folder that files are written to, and the cache of messages.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::emit::{Cache, OutputFile};
use crate::error::Error;

/// The beginning of every text file that is written.
const HEADER: &[u8] = b"// Written by rpc-build ";

/// The one file that is not text.
const DESCRIPTORS: &str = "descriptors.binpb";

/// The variable that allows a build to bring a verified folder up to date.
pub(crate) const UPDATE: &str = "RPC_BUILD_UPDATE";

/// Writes what has changed; other files stay untouched, so that nothing is built again because of them.
pub(crate) fn write(folder: &Path, files: &[OutputFile]) -> Result<(), Error> {
    for file in files {
        let path = folder.join(&file.path);
        if fs::read(&path).is_ok_and(|content| content == file.content) {
            continue;
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| unwritable(parent, &error))?;
        }
        fs::write(&path, &file.content).map_err(|error| unwritable(&path, &error))?;
    }
    Ok(())
}

/// Removes what earlier runs wrote and this one did not.
pub(crate) fn remove_stale(folder: &Path, files: &[OutputFile]) -> Result<(), Error> {
    for path in stale(folder, files) {
        let path = folder.join(path);
        fs::remove_file(&path).map_err(|error| unwritable(&path, &error))?;
    }
    Ok(())
}

/// Compares a folder with what would be written to it.
pub(crate) fn verify(folder: &Path, files: &[OutputFile]) -> Result<(), Error> {
    let mut differences: Vec<String> = files
        .iter()
        .filter_map(|file| difference(folder, file))
        .collect();
    let stale = stale(folder, files);
    differences.extend(
        stale
            .iter()
            .map(|path| format!("{}: no longer part of the schema", path.display())),
    );
    if differences.is_empty() {
        return Ok(());
    }
    Err(Error::new(format!(
        "the files in `{}` are not what the schema says\n{}\n(build once with `{UPDATE}=1` to write them, and commit them)",
        folder.display(),
        differences.join("\n")
    )))
}

fn difference(folder: &Path, file: &OutputFile) -> Option<String> {
    let name = file.path.display();
    let Ok(found) = fs::read(folder.join(&file.path)) else {
        return Some(format!("{name}: missing"));
    };
    if found == file.content {
        return None;
    }
    let (Ok(found), Ok(expected)) = (str::from_utf8(&found), str::from_utf8(&file.content)) else {
        return Some(format!("{name}: differs"));
    };
    let (mut found, mut expected) = (found.lines(), expected.lines());
    for number in 1.. {
        let (found, expected) = (found.next(), expected.next());
        if found.is_none() && expected.is_none() {
            break;
        }
        if found != expected {
            let (found, expected) = (found.unwrap_or_default(), expected.unwrap_or_default());
            return Some(format!("{name}:{number}:\n  - {found}\n  + {expected}"));
        }
    }
    Some(format!("{name}: differs in its line breaks"))
}

/// Files that an earlier run wrote, relative to the folder, in the order of their names.
fn stale(folder: &Path, files: &[OutputFile]) -> BTreeSet<PathBuf> {
    let current: BTreeSet<&Path> = files.iter().map(|file| file.path.as_path()).collect();
    let mut found = BTreeSet::new();
    collect(folder, Path::new(""), &mut found);
    found.retain(|path| !current.contains(path.as_path()) && is_ours(&folder.join(path)));
    found
}

fn collect(folder: &Path, below: &Path, found: &mut BTreeSet<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder.join(below)) else {
        return;
    };
    for entry in entries.flatten() {
        let path = below.join(entry.file_name());
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => collect(folder, &path, found),
            Ok(kind) if kind.is_file() => drop(found.insert(path)),
            _ => {}
        }
    }
}

fn is_ours(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == DESCRIPTORS)
        || fs::read(path).is_ok_and(|content| content.starts_with(HEADER))
}

fn unwritable(path: &Path, error: &std::io::Error) -> Error {
    Error::new(format!("cannot write `{}`: {error}", path.display()))
}

/// Messages of earlier runs of the same program, in a folder. Outside of build scripts there is none.
pub(crate) struct FileCache {
    folder: Option<PathBuf>,
    program: String,
}

impl FileCache {
    pub(crate) fn new(folder: Option<PathBuf>) -> Self {
        Self {
            folder,
            program: program(),
        }
    }

    fn path(&self, package: &str) -> Option<PathBuf> {
        // No file can be called like no package.
        Some(self.folder.as_ref()?.join(format!("package.{package}")))
    }

    fn line(&self, key: u64) -> String {
        format!("{} {key}", self.program)
    }
}

/// Which build of the generator this is: another one may write other messages under the same version.
fn program() -> String {
    let written = std::env::current_exe()
        .and_then(fs::metadata)
        .and_then(|program| program.modified());
    format!("{:?}", written.ok())
}

/// A cache that cannot be read or written is one that has nothing.
impl Cache for FileCache {
    fn get(&self, package: &str, key: u64) -> Option<String> {
        let content = fs::read_to_string(self.path(package)?).ok()?;
        let (line, text) = content.split_once('\n')?;
        (line == self.line(key)).then(|| text.to_owned())
    }

    fn put(&mut self, package: &str, key: u64, text: &str) {
        if let (Some(folder), Some(path)) = (&self.folder, self.path(package)) {
            let _ = fs::create_dir_all(folder);
            let _ = fs::write(path, format!("{}\n{text}", self.line(key)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, content: &str) -> OutputFile {
        OutputFile {
            path: path.into(),
            content: content.into(),
        }
    }

    #[test]
    fn only_what_changed_is_written() {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        let files = [file("a/b.rs", "1"), file("c.rs", "2")];
        write(folder.path(), &files).expect("the folder can be written");
        let time = || {
            fs::metadata(folder.path().join("a/b.rs"))
                .and_then(|it| it.modified())
                .expect("the file is there")
        };
        let before = time();
        write(folder.path(), &[file("a/b.rs", "1"), file("c.rs", "3")])
            .expect("the folder can be written");
        assert_eq!(time(), before);
        assert_eq!(
            fs::read(folder.path().join("c.rs")).expect("the file is there"),
            b"3"
        );
    }

    #[test]
    fn a_verified_folder_is_compared_line_by_line() {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        let ours = "// Written by rpc-build from x.proto. Do not edit.\n";
        let old = [
            file("a.rs", ours),
            file("b.rs", "one\ntwo\n"),
            file("old/gone.rs", ours),
            file("mine.rs", "mine"),
        ];
        write(folder.path(), &old).expect("the folder can be written");
        let new = [
            file("a.rs", ours),
            file("b.rs", "one\n2\n"),
            file("c.rs", ""),
        ];
        let error = verify(folder.path(), &new)
            .expect_err("the folder differs")
            .to_string();
        assert!(error.contains("b.rs:2:\n  - two\n  + 2\n"), "{error}");
        assert!(
            error.contains("c.rs: missing\nold/gone.rs: no longer"),
            "{error}"
        );
        assert!(
            error.contains("RPC_BUILD_UPDATE=1") && !error.contains("mine.rs"),
            "{error}"
        );

        write(folder.path(), &new).expect("the folder can be written");
        remove_stale(folder.path(), &new).expect("the folder can be written");
        assert_eq!(verify(folder.path(), &new), Ok(()));
        assert!(folder.path().join("mine.rs").exists());
    }

    #[test]
    fn the_cache_forgets_what_another_key_wrote() {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        let mut cache = FileCache::new(Some(folder.path().join("cache")));
        assert_eq!(cache.get("a", 1), None);
        cache.put("a", 1, "text\nmore");
        cache.put("", 2, "");
        assert_eq!(cache.get("a", 1).as_deref(), Some("text\nmore"));
        assert_eq!(cache.get("", 2).as_deref(), Some(""));
        assert_eq!(cache.get("a", 3), None);
    }
}
