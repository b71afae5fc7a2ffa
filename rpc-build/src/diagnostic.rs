//! What is wrong with a schema, where, and what to write instead.

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

    /// The diagnostic as text, with the lines of the source that it points at.
    pub fn render(&self, sources: &Sources, renderer: &Renderer) -> String {
        let mut title = Level::ERROR.primary_title(&self.message);
        if !self.rule.is_empty() {
            title = title.id(self.rule);
        }
        let mut group = Group::with_title(title);
        for (label, kind) in self.labels() {
            let Some(source) = sources.file(&label.span.file) else {
                continue;
            };
            let Some(text) = source.text.as_deref() else {
                continue;
            };
            let path = source.path.as_ref().map_or_else(
                || source.name.to_string(),
                |path| path.display().to_string(),
            );
            let annotation = kind
                .span(label.span.bytes.clone())
                .label(label.text.as_str());
            group = group.element(Snippet::source(text).path(path).annotation(annotation));
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
}
