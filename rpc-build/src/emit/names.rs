//! Names that messages cannot have in Rust, reported before anything is generated.

use std::collections::{BTreeMap, BTreeSet};

use buffa_codegen::idents::is_rust_keyword;
use buffa_descriptor::generated::descriptor::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
};

use super::plan::{Plan, package_of};
use crate::diagnostic::Diagnostic;
use crate::elements::is_map_entry;
use crate::schema::{Locations, Schema};
use crate::source::Span;

/// The beginning of names that generated code keeps to itself.
const RESERVED: &str = "__buffa";

/// Types that generated code, and what is derived for it, call by these names.
const PRIMITIVES: [&str; 17] = [
    "bool", "char", "f32", "f64", "i128", "i16", "i32", "i64", "i8", "isize", "str", "u128", "u16",
    "u32", "u64", "u8", "usize",
];

/// Where the parts of a descriptor are.
const NAME: i32 = 1;
const FILE_MESSAGE: i32 = 4;
const FILE_ENUM: i32 = 5;
const PACKAGE: i32 = 2;
const FIELD: i32 = 2;
const NESTED: i32 = 3;
const NESTED_ENUM: i32 = 4;
const ONEOF: i32 = 8;
const VALUE: i32 = 2;

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
        for segment in package_of(file).split('.') {
            match segment {
                RESERVED => self.reserved(segment, &[PACKAGE]),
                segment => self.name(segment, &[PACKAGE]),
            }
        }
        for (message, index) in file.message_type.iter().zip(0..) {
            self.message(message, &[FILE_MESSAGE, index], file, modules);
        }
        for (it, index) in file.enum_type.iter().zip(0..) {
            self.enumeration(it, &[FILE_ENUM, index]);
        }
    }

    fn message(
        &mut self,
        message: &DescriptorProto,
        path: &[i32],
        file: &FileDescriptorProto,
        modules: &mut Modules,
    ) {
        if is_map_entry(message) {
            return;
        }
        let below = |steps: &[i32]| [path, steps].concat();
        self.type_name(message.name.as_deref(), &below(&[NAME]));
        self.module(message, &below(&[NAME]), file, modules);
        for (field, index) in message.field.iter().zip(0..) {
            let name = field.name.as_deref().unwrap_or_default();
            let path = below(&[FIELD, index, NAME]);
            if name.starts_with("__buffa_") {
                self.reserved(name, &path);
            } else if !is_in_oneof(field) {
                self.name(name, &path);
            }
        }
        self.oneofs(message, path);
        let mut nested_modules = Modules::default();
        for (nested, index) in message.nested_type.iter().zip(0..) {
            self.message(nested, &below(&[NESTED, index]), file, &mut nested_modules);
        }
        for (it, index) in message.enum_type.iter().zip(0..) {
            self.enumeration(it, &below(&[NESTED_ENUM, index]));
        }
    }

    fn enumeration(&mut self, it: &EnumDescriptorProto, path: &[i32]) {
        let below = |steps: &[i32]| [path, steps].concat();
        self.type_name(it.name.as_deref(), &below(&[NAME]));
        for (value, index) in it.value.iter().zip(0..) {
            let name = value.name.as_deref().unwrap_or_default();
            self.name(name, &below(&[VALUE, index, NAME]));
        }
    }

    /// Oneofs, and the fields in them, are named in camel case.
    fn oneofs(&mut self, message: &DescriptorProto, path: &[i32]) {
        let below = |steps: &[i32]| [path, steps].concat();
        let mut enums = BTreeMap::new();
        for (oneof, index) in message.oneof_decl.iter().zip(0..) {
            let fields = message.field.iter().zip(0..);
            let mut fields = fields
                .filter(|(field, _)| is_in_oneof(field) && field.oneof_index == Some(index))
                .peekable();
            // Without fields it is the one of an `optional` field.
            if fields.peek().is_none() {
                continue;
            }
            let name = oneof.name.as_deref().unwrap_or_default();
            self.camel_case(name, &below(&[ONEOF, index, NAME]), &mut enums);
            let mut variants = BTreeMap::new();
            for (field, at) in fields {
                let name = field.name.as_deref().unwrap_or_default();
                // Which is `Self_` as the name of a variant.
                if camel_case(name) != "Self" {
                    self.camel_case(name, &below(&[FIELD, at, NAME]), &mut variants);
                }
            }
        }
    }

    fn camel_case(
        &mut self,
        name: &str,
        path: &[i32],
        taken: &mut BTreeMap<String, (String, Option<Span>)>,
    ) {
        let camel = camel_case(name);
        let span = self.locations.span(path);
        let is_taken = taken.insert(camel.clone(), (name.to_owned(), span.clone()));
        let text = match is_taken {
            Some((first, _)) => {
                format!("`{first}` and `{name}` are one name in camel case, `{camel}`")
            }
            None if is_name(&camel) => return,
            None => format!("`{name}` is `{camel}` in camel case, which is no name in Rust"),
        };
        self.errors.push(
            Diagnostic::error(text)
                .at(span, "")
                .help("give it another name"),
        );
    }

    fn name(&mut self, name: &str, path: &[i32]) {
        if name == "_" {
            let diagnostic = Diagnostic::error("`_` is no name in Rust")
                .at(self.locations.span(path), "")
                .help("give it another name");
            self.errors.push(diagnostic);
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
        } else if PRIMITIVES.contains(&name) {
            let message = format!("`{name}` is a type of Rust, which no other type can be called");
            let help = "begin the name with a capital letter, as names of messages do";
            self.errors.push(
                Diagnostic::error(message)
                    .at(self.locations.span(path), "")
                    .help(help),
            );
        } else if name == RESERVED {
            self.reserved(name, path);
        } else {
            self.name(name, path);
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
    message.nested_type.iter().any(|it| !is_map_entry(it))
        || !message.enum_type.is_empty()
        || !message.extension.is_empty()
        || message.field.iter().any(is_in_oneof)
}

fn is_in_oneof(field: &FieldDescriptorProto) -> bool {
    field.oneof_index.is_some() && !field.proto3_optional.unwrap_or_default()
}

/// As what writes messages makes it: each part between underscores begins with a capital letter.
fn camel_case(name: &str) -> String {
    let parts = name.split('_').map(|part| {
        let mut letters = part.chars();
        letters
            .next()
            .map(|first| first.to_ascii_uppercase())
            .into_iter()
            .chain(letters)
            .collect::<String>()
    });
    parts.collect()
}

/// Whether this can be the name of a type.
fn is_name(camel: &str) -> bool {
    camel.starts_with(|first: char| first.is_ascii_alphabetic()) && camel != "Self"
}

/// As what writes messages makes it: an underscore where a word begins, and lower case.
pub(crate) fn module_name(name: &str) -> String {
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
