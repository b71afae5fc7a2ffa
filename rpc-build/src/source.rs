//! The text of the files that a schema was read from, and places in it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// One `.proto` file as it was read.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// The name by which other files import it: relative to an include folder, with `/`.
    pub name: Arc<str>,
    /// Where it lies on disk, as messages show it. `None` for files that come with this crate.
    pub path: Option<PathBuf>,
    /// Its text. `None` where the schema came from a descriptor set.
    pub text: Option<Arc<str>>,
}

/// The files of a schema by import name.
#[derive(Clone, Debug, Default)]
pub struct Sources(BTreeMap<Arc<str>, SourceFile>);

impl Sources {
    /// Adds a file, in place of one of the same name.
    pub fn insert(&mut self, file: SourceFile) {
        self.0.insert(file.name.clone(), file);
    }

    /// The file with this import name.
    pub fn file(&self, name: &str) -> Option<&SourceFile> {
        self.0.get(name)
    }

    /// All files in the order of their names.
    pub fn files(&self) -> impl Iterator<Item = &SourceFile> {
        self.0.values()
    }
}

/// A range of bytes in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The file's import name.
    pub file: Arc<str>,
    /// Offsets into its text, on character boundaries.
    pub bytes: Range<usize>,
}

impl SourceFile {
    /// The byte offset of a place as `SourceCodeInfo` counts it: line and column from 0, where a column is a byte and a tab
    /// reaches to the next multiple of 8. `None` past the end or inside a character.
    pub fn offset(&self, line: usize, column: usize) -> Option<usize> {
        let text = self.text.as_deref()?;
        let start = match line {
            0 => 0,
            _ => text.match_indices('\n').nth(line - 1)?.0 + 1,
        };
        let mut at = 0;
        for (offset, character) in text[start..].char_indices() {
            if at >= column || character == '\n' {
                return (at == column).then_some(start + offset);
            }
            at = match character {
                '\t' => (at / 8 + 1) * 8,
                _ => at + character.len_utf8(),
            };
        }
        (at == column).then_some(text.len())
    }

    /// Line and column, both from 1 and in characters, as editors count them.
    pub fn line_and_column(&self, offset: usize) -> Option<(usize, usize)> {
        let before = self.text.as_deref()?.get(..offset)?;
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next()?.chars().count() + 1;
        Some((line, column))
    }
}
