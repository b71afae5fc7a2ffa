//! Names that messages cannot have in Rust, reported before anything is generated.

use std::collections::{BTreeMap, BTreeSet};

use buffa_codegen::idents::is_rust_keyword;
use buffa_descriptor::generated::descriptor::{DescriptorProto, FileDescriptorProto};

use super::plan::{Plan, package_of};
use crate::diagnostic::Diagnostic;
use crate::schema::{Locations, Schema};
use crate::source::Span;

/// The beginning of names that generated code keeps to itself.
const RESERVED: &str = "__buffa";

/// Where the parts of a descriptor are.
const NAME: i32 = 1;
const FILE_MESSAGE: i32 = 4;
const FILE_ENUM: i32 = 5;
const PACKAGE: i32 = 2;
const FIELD: i32 = 2;
const NESTED: i32 = 3;
const NESTED_ENUM: i32 = 4;

/// Reports every name in the generated files that Rust, or what writes messages, cannot take.
pub(crate) fn check_names(schema: &Schema, plan: &Plan, errors: &mut Vec<Diagnostic>) {
    for package in plan.values() {
        let mut modules = Modules::default();
        for file in package.files.iter().filter_map(|file| schema.file(file)) {
            let locations = schema.locations(file.name.as_deref().unwrap_or_default());
            Check {
                locations: &locations,
                errors,
            }
            .file(file, &mut modules);
        }
    }
}

struct Check<'a> {
    locations: &'a Locations,
    errors: &'a mut Vec<Diagnostic>,
}

/// The messages of one scope by their modules: name, whether there is anything in the module, file, place.
#[derive(Default)]
struct Modules(BTreeMap<String, (String, bool, String, Option<Span>)>);

impl Check<'_> {
    fn file(&mut self, file: &FileDescriptorProto, modules: &mut Modules) {
        if package_of(file)
            .split('.')
            .any(|segment| segment == RESERVED)
        {
            self.reserved(package_of(file), &[PACKAGE]);
        }
        for (message, index) in file.message_type.iter().zip(0..) {
            self.message(message, &[FILE_MESSAGE, index], file, modules);
        }
        for (it, index) in file.enum_type.iter().zip(0..) {
            self.type_name(it.name.as_deref(), &[FILE_ENUM, index, NAME]);
        }
    }

    fn message(
        &mut self,
        message: &DescriptorProto,
        path: &[i32],
        file: &FileDescriptorProto,
        modules: &mut Modules,
    ) {
        if message
            .options
            .as_option()
            .and_then(|it| it.map_entry)
            .unwrap_or_default()
        {
            return;
        }
        let below = |steps: &[i32]| [path, steps].concat();
        self.type_name(message.name.as_deref(), &below(&[NAME]));
        self.module(message, &below(&[NAME]), file, modules);
        for (field, index) in message.field.iter().zip(0..) {
            let name = field.name.as_deref().unwrap_or_default();
            if name.starts_with("__buffa_") {
                self.reserved(name, &below(&[FIELD, index, NAME]));
            }
        }
        let mut nested_modules = Modules::default();
        for (nested, index) in message.nested_type.iter().zip(0..) {
            self.message(nested, &below(&[NESTED, index]), file, &mut nested_modules);
        }
        for (it, index) in message.enum_type.iter().zip(0..) {
            self.type_name(it.name.as_deref(), &below(&[NESTED_ENUM, index, NAME]));
        }
    }

    fn type_name(&mut self, name: Option<&str>, path: &[i32]) {
        let name = name.unwrap_or_default();
        if is_rust_keyword(name) {
            let message = format!("`{name}` is a keyword of Rust, which no type can be called");
            let help = "begin the name with a capital letter, as names of messages do";
            let help = if name == "Self" {
                "give it another name"
            } else {
                help
            };
            self.errors.push(
                Diagnostic::error(message)
                    .at(self.locations.span(path), "")
                    .help(help),
            );
        } else if name == RESERVED {
            self.reserved(name, path);
        }
    }

    fn reserved(&mut self, name: &str, path: &[i32]) {
        let message = format!("`{name}` is a name that generated code keeps to itself");
        self.errors.push(
            Diagnostic::error(message)
                .at(self.locations.span(path), "")
                .help("give it another name"),
        );
    }

    /// What is inside of a message is in a module of the message's name in snake case, which two names may share.
    fn module(
        &mut self,
        message: &DescriptorProto,
        path: &[i32],
        file: &FileDescriptorProto,
        modules: &mut Modules,
    ) {
        let name = message.name.clone().unwrap_or_default();
        let module = module_name(&name);
        let has_content = has_content(message);
        let span = self.locations.span(path);
        let file = file.name.clone().unwrap_or_default();
        let first = modules
            .0
            .get(&module)
            .filter(|(first, first_has_content, first_file, _)| {
                *first != name && (*first_file == file || (*first_has_content && has_content))
            });
        if let Some((first, _, _, first_span)) = first {
            let text = format!(
                "`{name}` and `{first}` are one name in snake case, `{module}`, which is a module in Rust"
            );
            let diagnostic = Diagnostic::error(text)
                .at(span, "")
                .and_at(first_span.clone(), "the other is here");
            self.errors.push(
                diagnostic.help("give one of them a name that differs in more than its capitals"),
            );
            return;
        }
        modules
            .0
            .entry(module)
            .or_insert((name, has_content, file, span));
    }
}

fn has_content(message: &DescriptorProto) -> bool {
    let is_map_entry = |it: &&DescriptorProto| {
        it.options
            .as_option()
            .and_then(|it| it.map_entry)
            .unwrap_or_default()
    };
    message.nested_type.iter().any(|it| !is_map_entry(&it))
        || !message.enum_type.is_empty()
        || !message.extension.is_empty()
        || message
            .field
            .iter()
            .any(|field| field.oneof_index.is_some() && !field.proto3_optional.unwrap_or_default())
}

/// As what writes messages makes it: an underscore where a word begins, and lower case.
fn module_name(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut module = String::new();
    for (at, letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| letters[at]);
        let begins_word = letter.is_uppercase()
            && before.is_some_and(|before| {
                let next_is_lower = letters.get(at + 1).is_some_and(|next| next.is_lowercase());
                before.is_lowercase() || (before.is_uppercase() && next_is_lower)
            });
        if begins_word {
            module.push('_');
        }
        module.extend(letter.to_lowercase());
    }
    module
}

/// The names of types that a package's files declare at the top.
pub(crate) fn top_level_types<'a>(
    files: impl Iterator<Item = &'a FileDescriptorProto>,
) -> BTreeSet<String> {
    files
        .flat_map(|file| {
            let messages = file.message_type.iter().filter_map(|it| it.name.clone());
            messages.chain(file.enum_type.iter().filter_map(|it| it.name.clone()))
        })
        .collect()
}
