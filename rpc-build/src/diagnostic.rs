//! What is wrong with a schema, where, and what to write instead.

use std::collections::HashSet;
use std::io::IsTerminal;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::source::{Sources, Span};

/// One mistake in a schema, reported as rustc reports one.
#[derive(Clone, Debug)]
#[must_use]
pub struct Diagnostic {
    /// The rule that was broken, in the words of whoever made it: `FIELD_SAME_TYPE` for a rule of buf's. Empty where there
    /// is no name for it.
    pub rule: &'static str,
    /// What is wrong, in one line: lower case, no full stop, code in backticks.
    pub message: String,
    /// The place in the file that is wrong.
    pub primary: Option<Label>,
    /// The element that is wrong, by its full name: what to show where there is no text.
    pub element: Option<String>,
    /// Other places that have to do with it: the first use of a number, the old declaration.
    pub secondary: Vec<Label>,
    /// Facts that explain it, such as the old text.
    pub notes: Vec<String>,
    /// What to write instead.
    pub help: Vec<String>,
}

/// A place in a file and what is to be seen there.
#[derive(Clone, Debug)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// What is to be seen there; may be empty.
    pub text: String,
}

impl Diagnostic {
    /// An error without a place yet.
    pub fn error(message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            rule: "",
            message,
            primary: None,
            element: None,
            secondary: Vec::new(),
            notes: Vec::new(),
            help: Vec::new(),
        }
    }

    /// Names the rule.
    pub fn rule(mut self, rule: &'static str) -> Self {
        self.rule = rule;
        self
    }

    /// Points at the mistake. `None` (the text is not known) leaves the message without a place.
    pub fn at(mut self, span: Option<Span>, text: impl Into<String>) -> Self {
        self.primary = span.map(|span| Label {
            span,
            text: text.into(),
        });
        self
    }

    /// Names the element that is wrong, for where its text is not known.
    pub fn within(mut self, element: impl Into<String>) -> Self {
        self.element = Some(element.into());
        self
    }

    /// Points at a place that has to do with the mistake.
    pub fn and_at(mut self, span: Option<Span>, text: impl Into<String>) -> Self {
        self.secondary.extend(span.map(|span| Label {
            span,
            text: text.into(),
        }));
        self
    }

    /// Adds a fact.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Says what to write instead.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// The file and the line, from 1, that it points at.
    pub fn line<'a>(&'a self, sources: &Sources) -> Option<(&'a str, usize)> {
        let span = &self.primary.as_ref()?.span;
        let (line, _) = sources
            .file(&span.file)?
            .line_and_column(span.bytes.start)?;
        Some((&span.file, line))
    }

    /// The diagnostic as text, with the lines of the source that it points at.
    pub fn render(&self, sources: &Sources, renderer: &Renderer) -> String {
        let mut title = Level::ERROR.primary_title(&self.message);
        if !self.rule.is_empty() {
            title = title.id(self.rule);
        }
        let mut group = Group::with_title(title);
        let mut files: Vec<&str> = self.labels().map(|(label, _)| &*label.span.file).collect();
        // All places in one file are shown together, those of the file with the mistake first.
        let mut seen = HashSet::new();
        files.retain(|file| seen.insert(*file));
        let mut is_shown = false;
        for source in files.into_iter().filter_map(|file| sources.file(file)) {
            let Some(text) = source.text.as_deref() else {
                continue;
            };
            is_shown = true;
            let here = self
                .labels()
                .filter(|(label, _)| label.span.file == source.name);
            let here = here.map(|(label, kind)| (label, kind, visible(text, &label.span.bytes)));
            let here: Vec<_> = here.collect();
            let from = here.iter().map(|(.., bytes)| bytes.start).min();
            let to = here.iter().map(|(.., bytes)| bytes.end).max();
            // The renderer goes through all that it is given, at each mistake.
            let around = from.unwrap_or_default()..to.unwrap_or_default();
            let (lines, first) = source.whole_lines(&around);
            let annotations = here.into_iter().map(|(label, kind, bytes)| {
                let words = Some(label.text.as_str()).filter(|words| !words.is_empty());
                let bytes = bytes.start - lines.start..bytes.end - lines.start;
                kind.span(bytes).label(words)
            });
            group = group.element(
                Snippet::source(&text[lines.clone()])
                    .line_start(first + 1)
                    .path(source.shown())
                    .annotations(annotations),
            );
        }
        let element = self.element.as_ref().filter(|_| !is_shown);
        if let Some(element) = element {
            group = group.element(Level::NOTE.message(format!("in `{element}`")));
        }
        for note in &self.notes {
            group = group.element(Level::NOTE.message(note));
        }
        for help in &self.help {
            group = group.element(Level::HELP.message(help));
        }
        renderer.render(&[group])
    }

    fn labels(&self) -> impl Iterator<Item = (&Label, AnnotationKind)> {
        let secondary = self
            .secondary
            .iter()
            .map(|label| (label, AnnotationKind::Context));
        self.primary
            .iter()
            .map(|label| (label, AnnotationKind::Primary))
            .chain(secondary)
    }

    /// The file and the offset that it points at.
    pub(crate) fn position(&self) -> Option<(&str, usize)> {
        let span = &self.primary.as_ref()?.span;
        Some((&span.file, span.bytes.start))
    }
}

/// A range without space at its end: a caret below nothing, or on the next line, misleads.
fn visible(text: &str, bytes: &Range<usize>) -> Range<usize> {
    let part = text.get(bytes.clone()).unwrap_or_default();
    match part.trim_end().len() {
        0 => bytes.clone(),
        length => bytes.start..bytes.start + length,
    }
}

/// All mistakes of a run as text, by file and place, each once. Coloured for a terminal; cargo shows what a build script
/// prints as it is, and so the output of one is plain.
pub fn render(mistakes: &[Diagnostic], sources: &Sources, is_coloured: bool) -> String {
    let renderer = match is_coloured {
        true => Renderer::styled(),
        false => Renderer::plain(),
    };
    let mut sorted: Vec<_> = mistakes.iter().collect();
    // What has no place comes first: a file that is missing explains much of what follows.
    sorted.sort_by_key(|mistake| mistake.position());
    let mut seen = HashSet::new();
    let shown = sorted
        .into_iter()
        .map(|mistake| mistake.render(sources, &renderer))
        .filter(|shown| seen.insert(shown.clone()));
    let mut text = shown.collect::<Vec<_>>().join("\n\n");
    text.push_str(&match seen.len() {
        0 => return String::new(),
        1 => "\n\nerror: the schema has a mistake\n".to_owned(),
        count => format!("\n\nerror: the schema has {count} mistakes\n"),
    });
    text
}

/// Whether to colour what goes to standard error: it is a terminal, and nobody asked for the opposite (<https://no-color.org>).
pub fn is_coloured() -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    !is_set("NO_COLOR") && !is_dumb && std::io::stderr().is_terminal()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::source::SourceFile;

    fn sources(lines: usize) -> Sources {
        let mut sources = Sources::default();
        let text = "  string name = 1;\n".repeat(lines);
        sources.insert(SourceFile::new("a.proto", None, Some(text.into())));
        sources
    }

    fn mistake(bytes: Range<usize>) -> Diagnostic {
        let span = |bytes| {
            Some(Span {
                file: "a.proto".into(),
                bytes,
            })
        };
        let first = span(2..8);
        let mistake = Diagnostic::error("a mistake").at(span(bytes), "here");
        mistake.and_at(first, "there")
    }

    #[test]
    fn what_is_between_two_places_is_left_out() {
        let text = render(&[mistake(192..198)], &sources(20), false);
        let expected = "\
error: a mistake
  --> a.proto:11:3
   |
 1 |   string name = 1;
   |   ------ there
...
11 |   string name = 1;
   |   ^^^^^^ here

error: the schema has a mistake
";
        assert_eq!(text, expected);
    }

    /// Thousands of mistakes in a file of thousands of lines took minutes.
    #[test]
    fn a_mistake_in_a_long_file_is_shown_as_fast_as_in_a_short_one() {
        let time = |lines| {
            let sources = sources(lines);
            let mistakes: Vec<_> = (0..100)
                .map(|at| mistake(19 * at + 2..19 * at + 8))
                .collect();
            let shown = (0..3).map(|_| {
                let start = Instant::now();
                assert!(render(&mistakes, &sources, false).contains("a.proto:100:3"));
                start.elapsed()
            });
            shown.min().unwrap_or_default()
        };
        let (short, long) = (time(100), time(20_000));
        assert!(
            long < short * 4 + Duration::from_millis(20),
            "{short:?} {long:?}"
        );
    }
}
