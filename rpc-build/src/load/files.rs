//! Finds files and reads each once.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use buffa::Message;
use buffa_descriptor::generated::descriptor::{FileDescriptorProto, FileDescriptorSet};

use super::parse::has_edition;
use super::{Input, embedded, is_embedded, scan};
use crate::diagnostic::Diagnostic;
use crate::source::{SourceFile, Span};

/// `protoc` refuses longer files too: positions are 32 bits wide.
const MAX_FILE_BYTES: usize = i32::MAX as usize;

/// Where files come from.
pub(super) struct Files<'a> {
    includes: &'a [PathBuf],
    compiled: BTreeMap<String, FileDescriptorProto>,
}

/// A file as it was found.
pub(super) enum Found {
    /// As text that is still to be read.
    Text(SourceFile),
    /// Compiled already, in a descriptor set.
    Compiled(Box<FileDescriptorProto>),
}

/// A file that is there and cannot be used; with its text, if that is to be shown.
pub(super) struct Unreadable {
    pub(super) mistake: Diagnostic,
    pub(super) file: Option<SourceFile>,
}

impl From<Diagnostic> for Box<Unreadable> {
    fn from(mistake: Diagnostic) -> Self {
        Box::new(Unreadable {
            mistake,
            file: None,
        })
    }
}

impl<'a> Files<'a> {
    /// Takes the descriptor sets apart.
    pub(super) fn new(input: &Input<'a>, mistakes: &mut Vec<Diagnostic>) -> Self {
        let mut compiled = BTreeMap::new();
        for bytes in input.descriptor_sets {
            match FileDescriptorSet::decode_from_slice(bytes) {
                Ok(set) => compiled.extend(
                    set.file
                        .into_iter()
                        .map(|file| (file.name.clone().unwrap_or_default(), file)),
                ),
                Err(error) => mistakes.push(
                    Diagnostic::error(format!("a descriptor set cannot be read: {error}"))
                        .help("make it with `protoc --include_imports --descriptor_set_out=FILE` or `buf build -o FILE.binpb`"),
                ),
            }
        }
        Self {
            includes: input.includes,
            compiled,
        }
    }

    /// The names of the files in the descriptor sets.
    pub(super) fn compiled_names(&self) -> impl Iterator<Item = &String> {
        self.compiled.keys()
    }

    /// The import name of a file that was asked for: by its path, or else as it would be imported.
    pub(super) fn name_of(&self, path: &Path) -> Result<String, Box<Unreadable>> {
        if !path.exists() {
            let name = import_name(path).filter(|name| self.has(name));
            return name.ok_or_else(|| not_there(path).into());
        }
        let shown = path.display();
        if path.is_dir() {
            let mistake = Diagnostic::error(format!("`{shown}` is a folder, not a `.proto` file"));
            return Err(mistake.help("name the files in it one by one").into());
        }
        let name = self
            .includes
            .iter()
            .find_map(|include| name_below(path, include));
        let Some(name) = name else {
            return Err(self.outside(path).into());
        };
        match self.on_disk(&name) {
            Some(other) if !is_same(&other, path) => Err(shadowed(path, &other).into()),
            _ => Ok(name),
        }
    }

    fn has(&self, name: &str) -> bool {
        is_embedded(name) || self.on_disk(name).is_some() || self.compiled.contains_key(name)
    }

    fn outside(&self, path: &Path) -> Diagnostic {
        let parent = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or_else(|| Path::new(".")).display();
        let includes = self.searched();
        Diagnostic::error(format!(
            "`{}` is not below any include folder",
            path.display()
        ))
        .note(format!("the include folders are: {includes}"))
        .help(format!(
            "add the folder that imports are relative to, for example `{parent}`"
        ))
    }

    /// Reads a file by its import name. `None` if there is none.
    pub(super) fn open(&self, name: &str) -> Option<Result<Found, Box<Unreadable>>> {
        if let Some(file) = embedded::file(name) {
            return Some(Ok(Found::Text(file)));
        }
        let compiled = self.compiled.get(name);
        if let Some(path) = self.on_disk(name) {
            let read = read(name, path);
            // What cannot be read as text is meant to come from the descriptor set that was made of it.
            let is_edition = read.as_ref().is_ok_and(has_edition);
            if compiled.is_none() || !is_edition {
                return Some(read.map(Found::Text));
            }
        }
        Some(Ok(Found::Compiled(Box::new(compiled?.clone()))))
    }

    /// The folders that are searched, for messages.
    pub(super) fn searched(&self) -> String {
        list(self.includes)
    }

    fn on_disk(&self, name: &str) -> Option<PathBuf> {
        self.includes
            .iter()
            .map(
                |include| match include.as_os_str().is_empty() || include == Path::new(".") {
                    true => PathBuf::from(name),
                    false => include.join(name),
                },
            )
            .find(|path| path.exists())
    }
}

fn read(name: &str, path: PathBuf) -> Result<SourceFile, Box<Unreadable>> {
    let shown = path.display();
    if path.is_dir() {
        return Err(
            Diagnostic::error(format!("`{shown}` is a folder, not a `.proto` file"))
                .help("import the files in it one by one")
                .into(),
        );
    }
    let bytes = std::fs::read(&path)
        .map_err(|error| Diagnostic::error(format!("`{shown}` cannot be read: {error}")))?;
    if bytes.len() > MAX_FILE_BYTES {
        return Err(Diagnostic::error(format!("`{shown}` is too large"))
            .help(format!(
                "a file may have at most {MAX_FILE_BYTES} bytes: split it"
            ))
            .into());
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    let text = String::from_utf8_lossy(bytes);
    let file = SourceFile::new(name, Some(path.clone()), Some(Arc::from(text.as_ref())));
    if std::str::from_utf8(bytes).is_ok() {
        return Ok(file);
    }
    // `protoc` does not look into comments, and old files have names of people in other encodings there.
    let is_foreign = |token: &scan::Token<'_>| {
        token.kind != scan::Kind::Comment && token.text.contains(char::REPLACEMENT_CHARACTER)
    };
    let Some(foreign) = scan::tokens(&text).find(is_foreign) else {
        return Ok(file);
    };
    let inside = foreign.text.find(char::REPLACEMENT_CHARACTER);
    let replaced = foreign.bytes.start + inside.unwrap_or_default();
    let at = original(bytes, replaced);
    let line = bytes[..at].split(|&byte| byte == b'\n').count();
    let span = Span {
        file: name.into(),
        bytes: replaced..replaced + char::REPLACEMENT_CHARACTER.len_utf8(),
    };
    let mistake = Diagnostic::error(format!("`{shown}` is not UTF-8"))
        .at(
            Some(span),
            format!("byte 0x{:02x} in line {line}", bytes[at]),
        )
        .help("save the file as UTF-8");
    Err(Box::new(Unreadable {
        mistake,
        file: Some(file),
    }))
}

/// Where a place of the text that was made of these bytes is in them: each piece that is not UTF-8 became one character.
fn original(bytes: &[u8], place: usize) -> usize {
    let (mut from, mut to) = (0, 0);
    for chunk in bytes.utf8_chunks() {
        let valid = chunk.valid().len();
        if place <= to + valid {
            break;
        }
        from += valid + chunk.invalid().len();
        to += valid + char::REPLACEMENT_CHARACTER.len_utf8();
    }
    from + (place - to)
}

/// The import name of `path`, if that lies in `include`. Both are compared as they are given, and then as absolute paths.
fn name_below(path: &Path, include: &Path) -> Option<String> {
    let plain = |path: &Path| {
        path.components()
            .filter(|part| *part != Component::CurDir)
            .collect::<PathBuf>()
    };
    let given = plain(path)
        .strip_prefix(plain(include))
        .ok()
        .and_then(import_name);
    given.or_else(|| {
        let path = std::path::absolute(path).ok()?;
        let include = std::path::absolute(include).ok()?;
        plain(&path)
            .strip_prefix(plain(&include))
            .ok()
            .and_then(import_name)
    })
}

/// A relative path with `/`, whatever the system uses. `None` if it leaves its folder.
fn import_name(path: &Path) -> Option<String> {
    let parts = path
        .components()
        .filter(|part| *part != Component::CurDir)
        .map(|part| match part {
            Component::Normal(part) => part.to_str(),
            _ => None,
        })
        .collect::<Option<Vec<_>>>()?;
    (!parts.is_empty()).then(|| parts.join("/"))
}

fn is_same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

fn not_there(path: &Path) -> Diagnostic {
    let folder = std::env::current_dir().unwrap_or_default();
    Diagnostic::error(format!("there is no file `{}`", path.display()))
        .note(format!("paths are relative to `{}`", folder.display()))
}

fn shadowed(path: &Path, other: &Path) -> Diagnostic {
    let (path, other) = (path.display(), other.display());
    Diagnostic::error(format!(
        "`{path}` is hidden by `{other}`, which has the same import name"
    ))
    .help(format!(
        "ask for `{other}`, or put the include folder of `{path}` first"
    ))
}

fn list(includes: &[PathBuf]) -> String {
    let list: Vec<_> = includes
        .iter()
        .map(|include| format!("`{}`", include.display()))
        .collect();
    match list.is_empty() {
        true => "none".into(),
        false => list.join(", "),
    }
}
