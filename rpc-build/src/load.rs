//! Files into a [`Schema`].

mod compiled;
mod edits;
mod embedded;
mod files;
mod floats;
mod link;
mod parse;
mod resolve;
mod scan;
mod symbols;
#[cfg(test)]
mod tests;
mod wording;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::OnceLock;

use buffa_descriptor::generated::descriptor::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet,
};

pub(crate) use compiled::{for_each_field, is_map_key};
pub(crate) use embedded::{DESCRIPTOR, is_embedded};
use files::{Files, Found};
use link::Linker;
use symbols::Symbols;

use crate::check;
use crate::diagnostic::Diagnostic;
use crate::elements::numbered;
use crate::schema::{Locations, Schema};
use crate::source::{SourceFile, Sources};
use crate::tag;

/// How deep imports may nest: each level takes stack.
const MAX_IMPORT_DEPTH: usize = 128;

/// What to load.
#[derive(Clone, Copy, Debug, Default)]
pub struct Input<'a> {
    /// The `.proto` files to load, as paths or as other files would import them; or names of files in the descriptor sets.
    /// Where there are none, all files of the descriptor sets are meant.
    pub files: &'a [PathBuf],
    /// The folders below which imports are looked up, in this order.
    pub includes: &'a [PathBuf],
    /// Encoded `FileDescriptorSet`s: what was compiled already. A file on disk comes before one of the same name in here,
    /// unless it has an `edition`.
    pub descriptor_sets: &'a [Vec<u8>],
}

/// Why nothing could be loaded.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Every mistake.
    pub diagnostics: Vec<Diagnostic>,
    /// The text of the files, to show it.
    pub sources: Sources,
}

/// Reads `.proto` files and all that they import. Files that come with this crate (`google/protobuf/*.proto`) need not be there.
///
/// # Errors
///
/// Every mistake in the files that a schema cannot have; [`check`] finds those that it can.
pub fn load(input: &Input<'_>) -> Result<Schema, Failure> {
    let mut mistakes = Vec::new();
    let files = Files::new(input, &mut mistakes);
    let mut loader = Loader {
        files,
        states: HashMap::new(),
        stack: Vec::new(),
        symbols: Symbols::default(),
        linker: Linker::default(),
        loaded: Vec::new(),
        sources: Sources::default(),
        mistakes,
    };
    loader.begin();
    let requested = loader.requested(input);
    for name in &requested {
        if let Visited::Missing = loader.visit(name) {
            let searched = loader.files.searched();
            let mistake = Diagnostic::error(format!("there is no file `{name}`"))
                .note(format!("the include folders are: {searched}"));
            loader.mistakes.push(mistake);
        }
    }
    loader.finish(requested)
}

struct Loader<'a> {
    files: Files<'a>,
    states: HashMap<String, State>,
    /// The files that are being read, each imported by the one before it.
    stack: Vec<String>,
    symbols: Symbols,
    linker: Linker,
    loaded: Vec<FileDescriptorProto>,
    sources: Sources,
    mistakes: Vec<Diagnostic>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Good,
    Bad,
}

enum Visited {
    Good,
    Bad,
    Missing,
    /// The file is being read: it imports itself, perhaps through others.
    Cycle,
    TooDeep,
}

impl Loader<'_> {
    /// Reads the file that declares the options of every other. It takes longer than most, and is the same each time.
    fn begin(&mut self) {
        static READ: OnceLock<(FileDescriptorProto, Linker)> = OnceLock::new();
        let name = DESCRIPTOR;
        if let Some((file, linker)) = READ.get() {
            self.sources.extend(embedded::file(name));
            self.symbols.declare(file, &self.sources);
            self.loaded.push(file.clone());
            self.linker = linker.clone();
            self.states.insert(name.to_owned(), State::Good);
        } else if let Visited::Good = self.visit(name)
            && let Some(file) = self.loaded.first()
        {
            READ.get_or_init(|| (file.clone(), self.linker.clone()));
        }
    }

    fn requested(&mut self, input: &Input<'_>) -> Vec<String> {
        let mut names = Vec::new();
        for path in input.files {
            match self.files.name_of(path) {
                Ok(name) if names.contains(&name) => {}
                Ok(name) => names.push(name),
                Err(unreadable) => self.mistakes.push(unreadable.mistake),
            }
        }
        if input.files.is_empty() {
            let compiled = self.files.compiled_names().cloned();
            names.extend(compiled.filter(|name| !is_embedded(name)));
        }
        names
    }

    /// Reads a file and what it imports.
    fn visit(&mut self, name: &str) -> Visited {
        match self.states.get(name) {
            Some(State::Open) => return Visited::Cycle,
            Some(State::Good) => return Visited::Good,
            Some(State::Bad) => return Visited::Bad,
            None if self.stack.len() >= MAX_IMPORT_DEPTH => return Visited::TooDeep,
            None => {}
        }
        let found = match self.files.open(name) {
            None => return Visited::Missing,
            Some(Ok(found)) => found,
            Some(Err(unreadable)) => {
                self.sources.extend(unreadable.file);
                self.mistakes.push(unreadable.mistake);
                self.states.insert(name.to_owned(), State::Bad);
                return Visited::Bad;
            }
        };
        self.states.insert(name.to_owned(), State::Open);
        self.stack.push(name.to_owned());
        let is_good = match found {
            Found::Text(source) => self.text(source),
            Found::Compiled(file) => self.compiled(*file),
        };
        self.stack.pop();
        let (state, visited) = match is_good {
            true => (State::Good, Visited::Good),
            false => (State::Bad, Visited::Bad),
        };
        self.states.insert(name.to_owned(), state);
        visited
    }

    fn text(&mut self, source: SourceFile) -> bool {
        let parsed = parse::parse(&source);
        self.sources.insert(source);
        match parsed {
            Ok(file) => self.parsed(file),
            Err(mistakes) => {
                self.mistakes.extend(mistakes);
                false
            }
        }
    }

    fn parsed(&mut self, mut file: FileDescriptorProto) -> bool {
        let locations = Locations::new(&file, &self.sources);
        let before = self.mistakes.len();
        let imports_are_good = self.imports(&file, &locations);
        self.mistakes
            .extend(self.symbols.declare(&file, &self.sources));
        if imports_are_good {
            let view = self.symbols.view(&file);
            self.mistakes
                .extend(resolve::resolve(&mut file, &view, &locations));
            if self.mistakes.len() == before {
                let name = file.name.as_deref().unwrap_or_default();
                let visible = view.files(name);
                let source = self.sources.file(name);
                if let Err(mistakes) = self.linker.link(&mut file, visible, source) {
                    self.mistakes.extend(mistakes);
                }
            }
        }
        name_in_json(&mut file);
        self.loaded.push(file);
        imports_are_good && self.mistakes.len() == before
    }

    /// A file that was compiled by someone else keeps its bytes; it is only looked at for those that import it.
    fn compiled(&mut self, file: FileDescriptorProto) -> bool {
        let name = file.name.clone().unwrap_or_default();
        self.sources.insert(SourceFile::new(&name, None, None));
        let locations = Locations::default();
        let before = self.mistakes.len();
        self.mistakes.extend(compiled::check(&file));
        if self.mistakes.len() != before {
            self.name_set(before, &name);
            return false;
        }
        let imports_are_good = self.imports(&file, &locations);
        self.mistakes
            .extend(self.symbols.declare(&file, &self.sources));
        if imports_are_good && self.mistakes.len() == before {
            let mut copy = file.clone();
            compiled::forget_kinds(&mut copy);
            let view = self.symbols.view(&copy);
            self.mistakes
                .extend(resolve::resolve(&mut copy, &view, &locations));
            if self.mistakes.len() == before {
                self.mistakes
                    .extend(compiled::check_kinds(&file, &mut copy));
            }
            if self.mistakes.len() == before
                && let Err(mistakes) = self.linker.link(&mut copy, view.files(&name), None)
            {
                self.mistakes.extend(mistakes);
            }
        }
        self.name_set(before, &name);
        self.loaded.push(file);
        imports_are_good && self.mistakes.len() == before
    }

    /// Says of the mistakes from `first` on which file they are in, as there is no text to show.
    fn name_set(&mut self, first: usize, name: &str) {
        const FROM_SET: &str = "which comes from a descriptor set";
        for mistake in &mut self.mistakes[first..] {
            // Those of imports are in other files, and said so already.
            let is_placed = mistake.notes.iter().any(|note| note.ends_with(FROM_SET));
            if mistake.primary.is_none() && !is_placed {
                mistake
                    .notes
                    .push(format!("in `{}`, {FROM_SET}", name.escape_debug()));
            }
        }
    }

    fn imports(&mut self, file: &FileDescriptorProto, locations: &Locations) -> bool {
        let mut all_good = true;
        let mut seen = HashMap::new();
        for (index, name) in numbered(&file.dependency) {
            let span = locations.span(&[tag::file::DEPENDENCY, index]);
            if let Some(first) = seen.insert(name, index) {
                let first = locations.span(&[tag::file::DEPENDENCY, first]);
                let mistake = Diagnostic::error(format!("`{name}` is imported twice"))
                    .at(span, "")
                    .and_at(first, "first imported here")
                    .help("remove one of the two");
                self.mistakes.push(mistake);
                continue;
            }
            let mistake = match self.visit(name) {
                Visited::Good => continue,
                Visited::Bad => None,
                Visited::Missing => Some(
                    Diagnostic::error(format!("`{name}` is not found"))
                        .at(span, "")
                        .note(format!(
                            "the include folders are: {}",
                            self.files.searched()
                        ))
                        .help("add the folder that this name is relative to"),
                ),
                Visited::Cycle => Some(self.cycle(name).and_at(span, "the cycle closes here")),
                Visited::TooDeep => Some(
                    Diagnostic::error(format!("imports nest more than {MAX_IMPORT_DEPTH} deep"))
                        .at(span, ""),
                ),
            };
            self.mistakes.extend(mistake);
            all_good = false;
        }
        all_good
    }

    /// The files that were read last import each other; `name` is where the circle begins. `protoc` points there too.
    fn cycle(&self, name: &str) -> Diagnostic {
        let start = self
            .stack
            .iter()
            .position(|file| file == name)
            .unwrap_or_default();
        let members: Vec<_> = self.stack[start..]
            .iter()
            .map(String::as_str)
            .chain([name])
            .collect();
        let text = self
            .sources
            .file(name)
            .and_then(|file| file.text.as_deref());
        let span =
            text.and_then(|text| parse::import_of(name, text, members.get(1).unwrap_or(&name)));
        let message = match members.as_slice() {
            [_, _] => format!("`{name}` imports itself"),
            _ => format!("`{name}` imports itself through others"),
        };
        Diagnostic::error(message)
            .at(span, "")
            .note(members.join(" → "))
            .help("move what both sides need into a file of its own")
    }

    fn finish(mut self, requested: Vec<String>) -> Result<Schema, Failure> {
        self.keep_needed(&requested);
        let schema = Schema {
            descriptors: FileDescriptorSet {
                file: self.loaded,
                ..Default::default()
            },
            requested,
            sources: self.sources,
        };
        if self.mistakes.is_empty() {
            return Ok(schema);
        }
        // Mistakes of other kinds are worth knowing in the same run.
        let known: HashSet<_> = self
            .mistakes
            .iter()
            .filter_map(Diagnostic::position)
            .collect();
        let mut more = check::check(&schema);
        more.retain(|mistake| {
            mistake
                .position()
                .is_none_or(|place| !known.contains(&place))
        });
        self.mistakes.extend(more);
        Err(Failure {
            diagnostics: self.mistakes,
            sources: schema.sources,
        })
    }

    /// Drops the files that no requested one imports.
    fn keep_needed(&mut self, requested: &[String]) {
        let mut needed: HashSet<String> = requested.iter().cloned().collect();
        // Each file comes after its imports.
        for file in self.loaded.iter().rev() {
            if file.name.as_ref().is_some_and(|name| needed.contains(name)) {
                needed.extend(file.dependency.iter().cloned());
            }
        }
        self.loaded
            .retain(|file| file.name.as_ref().is_some_and(|name| needed.contains(name)));
    }
}

/// Gives every field its name in JSON, as `protoc` writes it into descriptors.
fn name_in_json(file: &mut FileDescriptorProto) {
    fn field(field: &mut FieldDescriptorProto) {
        let name = field.name.as_deref().unwrap_or_default();
        field
            .json_name
            .get_or_insert_with(|| check::json_name(name));
    }
    fn message(item: &mut DescriptorProto) {
        item.field
            .iter_mut()
            .chain(&mut item.extension)
            .for_each(field);
        item.nested_type.iter_mut().for_each(message);
    }
    file.message_type.iter_mut().for_each(message);
    file.extension.iter_mut().for_each(field);
}
