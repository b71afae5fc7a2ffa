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
    /// Its text, without a byte-order mark. `None` where the schema came from a descriptor set.
    pub text: Option<Arc<str>>,
    /// The offset at which each line begins, so that a place is found without counting line breaks again.
    lines: Vec<usize>,
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

impl Extend<SourceFile> for Sources {
    fn extend<T: IntoIterator<Item = SourceFile>>(&mut self, files: T) {
        files.into_iter().for_each(|file| self.insert(file));
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
    /// A file and its text, where that is known.
    pub fn new(name: &str, path: Option<PathBuf>, text: Option<Arc<str>>) -> Self {
        let breaks = text.iter().flat_map(|text| text.match_indices('\n'));
        let lines = std::iter::once(0)
            .chain(breaks.map(|(at, _)| at + 1))
            .collect();
        Self {
            name: name.into(),
            path,
            text,
            lines,
        }
    }

    /// The byte offset of a place as the parser's `SourceCodeInfo` counts it: line and column from 0, where a column is a
    /// byte. (`protoc` lets a tab reach to the next multiple of 8; but where there is text, it was our parser that read it.)
    /// `None` past the end of the line or inside a character.
    pub fn offset(&self, line: usize, column: usize) -> Option<usize> {
        let text = self.text.as_deref()?;
        let offset = self.lines.get(line)?.checked_add(column)?;
        let end = self.lines.get(line + 1).map_or(text.len(), |next| next - 1);
        (offset <= end && text.is_char_boundary(offset)).then_some(offset)
    }

    /// The bytes of a place as the parser's `SourceCodeInfo` has it: three numbers (line, from, to) or four (line, from, last line, to).
    pub fn span(&self, location: &[i32]) -> Option<Span> {
        let number = |number: i32| usize::try_from(number).ok();
        let (line, from, last, to) = match *location {
            [line, from, to] => (line, from, line, to),
            [line, from, last, to] => (line, from, last, to),
            _ => return None,
        };
        let from = self.offset(number(line)?, number(from)?)?;
        let to = self.offset(number(last)?, number(to)?)?;
        Some(Span {
            file: self.name.clone(),
            bytes: from..to.max(from),
        })
    }

    /// Line and byte in the line, both from 0: the way back from [`offset`](Self::offset).
    pub(crate) fn line_and_byte(&self, offset: usize) -> (usize, usize) {
        let line = self.lines.partition_point(|&start| start <= offset) - 1;
        (line, offset - self.lines[line])
    }

    /// The lines that have these bytes, as a range of bytes, and the first of them, from 0.
    pub(crate) fn whole_lines(&self, bytes: &Range<usize>) -> (Range<usize>, usize) {
        let (first, byte) = self.line_and_byte(bytes.start);
        let (last, _) = self.line_and_byte(bytes.end);
        let length = self.text.as_deref().map_or(0, str::len);
        let end = self.lines.get(last + 1).copied().unwrap_or(length);
        (bytes.start - byte..end, first)
    }

    /// Line and column, both from 1 and in characters, as editors count them.
    pub fn line_and_column(&self, offset: usize) -> Option<(usize, usize)> {
        let text = self.text.as_deref()?;
        let (line, byte) = self.line_and_byte(offset);
        let column = text.get(offset - byte..offset)?.chars().count() + 1;
        Some((line + 1, column))
    }

    /// How messages name the file.
    pub fn shown(&self) -> String {
        self.path
            .as_ref()
            .map_or_else(|| self.name.to_string(), |path| path.display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> SourceFile {
        SourceFile::new("a.proto", None, Some(text.into()))
    }

    #[test]
    fn a_column_is_a_byte() {
        let file = file("\tä = 1;\r\nb\n");
        assert_eq!(file.offset(0, 1), Some(1));
        assert_eq!(file.offset(0, 2), None, "inside of a character");
        assert_eq!(file.offset(0, 3), Some(3));
        assert_eq!(file.offset(1, 1), Some(11));
        assert_eq!(file.offset(1, 2), None, "past the end of the line");
        assert_eq!(file.offset(2, 0), Some(12));
        assert_eq!(file.offset(3, 0), None);
    }

    #[test]
    fn lines_are_whole() {
        let file = file("one\ntwo\nthree");
        for (bytes, lines) in [
            (0..0, (0..4, 0)),
            (1..3, (0..4, 0)),
            (2..4, (0..8, 0)),
            (5..6, (4..8, 1)),
            (13..13, (8..13, 2)),
        ] {
            assert_eq!(file.whole_lines(&bytes), lines, "{bytes:?}");
        }
    }

    #[test]
    fn editors_count_characters_from_one() {
        let file = file("\tä = 1;\nb");
        assert_eq!(file.line_and_column(0), Some((1, 1)));
        assert_eq!(file.line_and_column(4), Some((1, 4)));
        assert_eq!(file.line_and_column(9), Some((2, 1)));
        assert_eq!(file.line_and_column(10), Some((2, 2)));
        assert_eq!(file.line_and_column(99), None);
    }
}
