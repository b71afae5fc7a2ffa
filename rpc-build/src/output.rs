//! The folder that files are written to, and the cache of messages.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::emit::{Cache, OutputFile, Texts};
use crate::error::Error;

/// The beginning of every text file that is written.
const HEADER: &[u8] = b"// Written by rpc-build ";

/// The one file that is not text.
const DESCRIPTORS: &str = "descriptors.binpb";

/// The variable that allows a build to bring a verified folder up to date.
pub(crate) const UPDATE: &str = "RPC_BUILD_UPDATE";

/// Whether this build is to bring it up to date.
pub(crate) fn is_update() -> bool {
    std::env::var_os(UPDATE).is_some_and(|value| !value.is_empty() && value != "0")
}

/// When cargo began with this run of a build script: it runs one again because of files that are younger.
pub(crate) fn invoked() -> Option<SystemTime> {
    let folder = std::env::var_os("OUT_DIR")?;
    let file = Path::new(&folder).parent()?.join("invoked.timestamp");
    fs::metadata(file).and_then(|it| it.modified()).ok()
}

/// Writes what has changed; other files stay untouched, so that nothing is built again because of them. What is written gets
/// this time, if there is one.
pub(crate) fn write(
    folder: &Path,
    files: &[OutputFile],
    time: Option<SystemTime>,
) -> Result<(), Error> {
    for file in files {
        let path = folder.join(&file.path);
        if fs::read(&path).is_ok_and(|content| content == file.content) {
            continue;
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| unwritable(parent, &error))?;
        }
        write_file(&path, &file.content, time).map_err(|error| unwritable(&path, &error))?;
    }
    check_apart(folder, files)
}

fn write_file(path: &Path, content: &[u8], time: Option<SystemTime>) -> io::Result<()> {
    let mut file = fs::File::create(path)?;
    file.write_all(content)?;
    // Where there is no such thing, the build script runs once more.
    let _ = time.map(|time| file.set_modified(time));
    Ok(())
}

/// Some systems take names for one that differ in capitals only, and then one file has taken the place of another.
fn check_apart(folder: &Path, files: &[OutputFile]) -> Result<(), Error> {
    let mut alike: BTreeMap<String, Vec<&OutputFile>> = BTreeMap::new();
    for file in files {
        let name = file.path.to_string_lossy().to_lowercase();
        alike.entry(name).or_default().push(file);
    }
    for files in alike.into_values().filter(|files| files.len() > 1) {
        let is_lost = |file: &&OutputFile| {
            fs::read(folder.join(&file.path)).is_ok_and(|content| content != file.content)
        };
        if files.iter().any(is_lost) {
            let names = files
                .iter()
                .map(|file| format!("`{}`", file.path.display()));
            return Err(Error::new(format!(
                "{} are one file on this system\n(give the packages names that differ in more than capitals)",
                names.collect::<Vec<_>>().join(" and ")
            )));
        }
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
    // Line breaks are what version control makes of them on some systems.
    None
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

/// Others keep files of the same name, which only what is written beside it tells apart.
fn is_ours(path: &Path) -> bool {
    let text = match path.file_name() {
        Some(name) if name == DESCRIPTORS => path.with_file_name("package.rs"),
        _ => path.to_owned(),
    };
    fs::read(text).is_ok_and(|content| content.starts_with(HEADER))
}

fn unwritable(path: &Path, error: &io::Error) -> Error {
    Error::new(format!("cannot write `{}`: {error}", path.display()))
}

/// The messages of earlier runs of the same program, in a folder, one file for each `.proto`. Outside of build scripts there
/// is none.
pub(crate) struct FileCache {
    folder: Option<PathBuf>,
    /// What else than the schema decides what is written, where a program compiles more than one.
    config: String,
}

impl FileCache {
    /// `folder` is for caches alone. What other builds of the program left there is removed: it is of no use any more.
    pub(crate) fn new(folder: Option<PathBuf>, config: String) -> Self {
        let current = folder.map(|folder| folder.join(program()));
        if let Some(current) = &current {
            let entries = current
                .parent()
                .and_then(|folder| fs::read_dir(folder).ok());
            for entry in entries.into_iter().flatten().flatten() {
                if entry.path() != *current {
                    let _ = fs::remove_dir_all(entry.path());
                }
            }
        }
        Self {
            folder: current,
            config,
        }
    }

    fn path(&self, file: &str) -> Option<PathBuf> {
        let name = format!("{:016x}", hash_of(&(file, &self.config)));
        Some(self.folder.as_ref()?.join(name))
    }
}

/// Which build of the generator this is: another one may write other messages under the same version.
fn program() -> String {
    let written = std::env::current_exe()
        .and_then(fs::metadata)
        .and_then(|program| program.modified());
    format!("{:016x}", hash_of(&written.ok()))
}

fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Between the sections of a file, in none of which it occurs.
const SEPARATOR: char = '\0';

/// A cache that cannot be read or written is one that has nothing.
impl Cache for FileCache {
    fn get(&self, file: &str, key: u64) -> Option<Texts> {
        let content = fs::read_to_string(self.path(file)?).ok()?;
        let (sum, sections) = content.split_once('\n')?;
        // A run may have been ended while it wrote.
        if sum != format!("{:016x}", hash_of(&(file, key, sections))) {
            return None;
        }
        let sections: Vec<String> = sections.split(SEPARATOR).map(str::to_owned).collect();
        sections.try_into().ok().map(Texts::new)
    }

    fn put(&mut self, file: &str, key: u64, texts: &Texts) {
        let sections = texts.sections().join(&SEPARATOR.to_string());
        if let (Some(folder), Some(path)) = (&self.folder, self.path(file)) {
            let sum = hash_of(&(file, key, sections.as_str()));
            let _ = fs::create_dir_all(folder);
            let _ = fs::write(path, format!("{sum:016x}\n{sections}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::emit::Section;

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
        write(folder.path(), &files, None).expect("the folder can be written");
        let time = || {
            fs::metadata(folder.path().join("a/b.rs"))
                .and_then(|it| it.modified())
                .expect("the file is there")
        };
        let before = time();
        write(
            folder.path(),
            &[file("a/b.rs", "1"), file("c.rs", "3")],
            None,
        )
        .expect("the folder can be written");
        assert_eq!(time(), before);
        assert_eq!(
            fs::read(folder.path().join("c.rs")).expect("the file is there"),
            b"3"
        );
    }

    #[test]
    fn what_is_written_is_no_younger_than_its_run() {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        write(folder.path(), &[file("a.rs", "1")], Some(time)).expect("the folder can be written");
        let written = fs::metadata(folder.path().join("a.rs")).and_then(|it| it.modified());
        assert_eq!(written.expect("the file is there"), time);
    }

    /// As a system has it that takes both names for one.
    #[test]
    fn files_that_take_each_others_place_are_told() {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        let files = [file("a.v1.rs", "1"), file("a.v1.rs", "2")];
        let error = write(folder.path(), &files, None).expect_err("one of them is lost");
        let text = error.to_string();
        assert!(
            text.contains("`a.v1.rs` and `a.v1.rs` are one file"),
            "{text}"
        );
        let files = [file("b.v1.rs", "1"), file("B.v1.rs", "1")];
        assert_eq!(write(folder.path(), &files, None), Ok(()));
    }

    #[test]
    fn a_verified_folder_is_compared_line_by_line() {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        let ours = "// Written by rpc-build from x.proto. Do not edit.\n";
        let old = [
            file("descriptors.binpb", "mine"),
            file("old/package.rs", ours),
            file("old/descriptors.binpb", "ours"),
            file("a.rs", ours),
            file("b.rs", "one\ntwo\n"),
            file("old/gone.rs", ours),
            file("mine.rs", "mine"),
        ];
        write(folder.path(), &old, None).expect("the folder can be written");
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
            error.contains("c.rs: missing\nold/descriptors.binpb: no longer"),
            "{error}"
        );
        assert!(
            error.contains("RPC_BUILD_UPDATE=1") && !error.contains("mine.rs"),
            "{error}"
        );

        write(folder.path(), &new, None).expect("the folder can be written");
        remove_stale(folder.path(), &new).expect("the folder can be written");
        assert_eq!(verify(folder.path(), &new), Ok(()));
        for (path, exists) in [
            ("mine.rs", true),
            ("descriptors.binpb", true),
            ("old/descriptors.binpb", false),
        ] {
            assert_eq!(folder.path().join(path).exists(), exists, "{path}");
        }
    }

    #[test]
    fn line_breaks_of_version_control_are_no_difference() {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        write(folder.path(), &[file("a.rs", "one\r\ntwo\r\n")], None).expect("it can be written");
        assert_eq!(verify(folder.path(), &[file("a.rs", "one\ntwo\n")]), Ok(()));
        let error = verify(folder.path(), &[file("a.rs", "one\n2\n")]);
        assert!(error.is_err());
    }

    fn texts(owned: &str) -> Texts {
        let mut sections = Section::ALL.map(|_| String::new());
        sections[Section::Owned as usize] = owned.to_owned();
        Texts::new(sections)
    }

    #[test]
    fn the_cache_forgets_what_another_key_wrote() {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        let folder = folder.path().join("cache");
        let mut cache = FileCache::new(Some(folder.clone()), "config".to_owned());
        assert_eq!(cache.get("a/b.proto", 1), None);
        cache.put("a/b.proto", 1, &texts("text\nmore"));
        cache.put("", 2, &texts(""));
        assert_eq!(cache.get("a/b.proto", 1), Some(texts("text\nmore")));
        assert_eq!(cache.get("", 2), Some(texts("")));
        assert_eq!(cache.get("a/b.proto", 3), None);

        let other = FileCache::new(Some(folder), "other".to_owned());
        assert_eq!(other.get("a/b.proto", 1), None);
    }

    #[test]
    fn the_cache_does_not_trust_a_file_that_was_cut_or_changed() {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        let mut cache = FileCache::new(Some(folder.path().to_owned()), String::new());
        cache.put("a.proto", 1, &texts("text"));
        let path = cache.path("a.proto").expect("it has a folder");
        let whole = fs::read_to_string(&path).expect("the file is there");
        for content in [
            &whole[..whole.len() - 1],
            "",
            &whole.replace("text", "test"),
        ] {
            fs::write(&path, content).expect("the folder can be written");
            assert_eq!(cache.get("a.proto", 1), None, "{content:?}");
        }
        fs::write(&path, &whole).expect("the folder can be written");
        assert_eq!(cache.get("a.proto", 1), Some(texts("text")));
    }

    #[test]
    fn the_cache_of_another_build_of_the_program_goes_away() {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        let old = folder.path().join("0123456789abcdef/entry");
        fs::create_dir_all(folder.path().join("0123456789abcdef")).expect("it can be written");
        fs::write(&old, "old").expect("it can be written");
        let mut cache = FileCache::new(Some(folder.path().to_owned()), String::new());
        assert!(!old.exists());
        cache.put("a.proto", 1, &texts("text"));
        let again = FileCache::new(Some(folder.path().to_owned()), String::new());
        assert_eq!(again.get("a.proto", 1), Some(texts("text")));
    }
}
