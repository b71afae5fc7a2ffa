//! What was found, and how it is told.

use std::collections::HashMap;

use super::index::In;
use super::rules::Rule;
use crate::diagnostic::Diagnostic;
use crate::lock::{At, File, source_lines};
use crate::schema::{Locations, Schema};

/// A change that breaks somebody.
pub(super) struct Break<'a> {
    pub(super) rule: &'static str,
    /// What an exemption calls it: `users.v1.User.nickname`, a package, or the name of a file.
    pub(super) element: String,
    message: String,
    /// Where it was, and its line there; 0 is the file as a whole.
    pub(super) old: Option<(&'a File, u32)>,
    /// The old declaration.
    quote: String,
    pub(super) new: Option<&'a File>,
    /// Where to point in the new file: the first of these paths that has a place in the text.
    places: Vec<Vec<i32>>,
    label: String,
    help: Vec<String>,
}

impl<'a> Break<'a> {
    pub(super) fn new(
        rule: &'static str,
        element: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            rule,
            element: element.into(),
            message: message.into(),
            old: None,
            quote: String::new(),
            new: None,
            places: Vec::new(),
            label: String::new(),
            help: Vec::new(),
        }
    }

    /// The old declaration and where it was.
    pub(super) fn was(mut self, file: &'a File, line: u32, quote: impl Into<String>) -> Self {
        self.old = Some((file, line));
        self.quote = quote.into();
        self
    }

    /// Points at a part of an element: at the first of these steps below it that is written there, else at its name.
    pub(super) fn at<T>(
        mut self,
        element: In<'a, T>,
        at: &At,
        parts: &[&[i32]],
        label: impl Into<String>,
    ) -> Self {
        self.new = Some(element.file);
        self.places = parts
            .iter()
            .chain(&[[1].as_slice(), &[]])
            .map(|part| [at.path.as_slice(), part].concat())
            .collect();
        self.label = label.into();
        self
    }

    /// Points at something of the file itself, or at its head.
    pub(super) fn at_file(
        mut self,
        file: &'a File,
        parts: &[&[i32]],
        label: impl Into<String>,
    ) -> Self {
        self.new = Some(file);
        self.places = parts.iter().map(|part| part.to_vec()).collect();
        self.label = label.into();
        self
    }

    /// Points at this option of the file if it is there.
    pub(super) fn prefer_file_option(&mut self, path: &[i32]) {
        self.places.insert(0, path.to_vec());
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }
}

/// Breaks into diagnostics.
pub(super) struct Teller<'a> {
    schema: &'a Schema,
    lines: HashMap<&'a str, HashMap<&'a [i32], u32>>,
    locations: HashMap<&'a str, Locations>,
}

/// The package, the syntax, the edition: what a file is pointed at by.
const HEAD: [&[i32]; 3] = [&[2], &[12], &[14]];

impl<'a> Teller<'a> {
    pub(super) fn new(schema: &'a Schema) -> Self {
        let files = &schema.descriptors.file;
        let lines = files
            .iter()
            .map(|file| (file.name.as_deref().unwrap_or_default(), source_lines(file)))
            .collect();
        Self {
            schema,
            lines,
            locations: HashMap::new(),
        }
    }

    /// The path to point at and its line. A file without positions has none.
    fn place(&self, found: &Break<'_>) -> (Vec<i32>, u32) {
        let lines = found
            .new
            .and_then(|file| self.lines.get(file.name.as_str()));
        let head = HEAD.iter().map(|path| path.to_vec());
        found
            .places
            .iter()
            .cloned()
            .chain(head)
            .find_map(|path| {
                let line = *lines?.get(path.as_slice())?;
                Some((path, line))
            })
            .unwrap_or_default()
    }

    /// What to sort by: the file, the line in it, the rule.
    pub(super) fn order<'b>(&self, found: &'b Break<'_>) -> (&'b str, u32, &'static str, &'b str) {
        let file = found.new.or(found.old.map(|(file, _)| file));
        let file = file.map_or("", |file| file.name.as_str());
        (file, self.place(found).1, found.rule, &found.element)
    }

    pub(super) fn tell(&mut self, rule: &'static Rule, found: &Break<'_>) -> Diagnostic {
        let mut diagnostic = self.point(Diagnostic::error(&found.message).rule(rule.id), found);
        if let Some((file, line)) = found.old {
            let quote = match found.quote.as_str() {
                "" => String::new(),
                quote => format!(" as `{quote}`"),
            };
            let line = told_line(line, ":");
            diagnostic = diagnostic.note(format!("released{quote} in {}{line}", file.name));
        }
        diagnostic = diagnostic.note(format!("breaks {}", rule.why));
        for help in &found.help {
            diagnostic = diagnostic.help(help);
        }
        diagnostic.help(format!(
            "to break it all the same, give the policy a reason: `.allow(\"{}\", \"{}\", \"the reason\")`",
            rule.id, found.element
        ))
    }

    /// Points at the new place; by name where the text is not known.
    fn point(&mut self, diagnostic: Diagnostic, found: &Break<'_>) -> Diagnostic {
        let Some(file) = found.new else {
            return diagnostic;
        };
        let (path, line) = self.place(found);
        let span = self
            .lines
            .get_key_value(file.name.as_str())
            .and_then(|(name, _)| {
                let schema = self.schema;
                let locations = self.locations.entry(name);
                let locations = locations.or_insert_with(|| schema.locations(name));
                locations.span(&path).filter(|_| !path.is_empty())
            });
        match span {
            Some(_) => diagnostic.at(span, &found.label),
            None => diagnostic.note(format!("in {}{}", file.name, told_line(line, ", line "))),
        }
    }
}

/// A line after what is to stand before it; nothing if it is not known.
fn told_line(line: u32, before: &str) -> String {
    match line {
        0 => String::new(),
        line => format!("{before}{line}"),
    }
}
