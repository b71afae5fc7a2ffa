//! Which names are taken where.

use std::collections::BTreeSet;

use buffa_codegen::idents::is_rust_keyword;
use buffa_descriptor::generated::descriptor::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
};

use super::stand_in::Name;
use crate::elements::is_map_entry;

/// Types that generated code, and what is derived for it, call by these names.
const PRIMITIVES: [&str; 17] = [
    "bool", "char", "f32", "f64", "i128", "i16", "i32", "i64", "i8", "isize", "str", "u128", "u16",
    "u32", "u64", "u8", "usize",
];

/// Parameters that types have in generated code, and in what is derived for it, where a type of that name would be hidden.
const PARAMETERS: [&str; 10] = ["A", "D", "E", "_S", "_V", "__A", "__D", "__E", "__S", "__V"];

/// The names of one scope, of which each belongs to the first that claims it.
pub(crate) struct Taken {
    names: BTreeSet<String>,
    claimed: BTreeSet<String>,
}

impl Taken {
    /// `names` are those that the elements of the scope would have.
    pub(crate) fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self {
            names: names.into_iter().collect(),
            claimed: BTreeSet::new(),
        }
    }

    /// Whether nobody has claimed this name before.
    pub(crate) fn claim(&mut self, name: &str) -> bool {
        self.claimed.insert(name.to_owned())
    }

    fn has(&self, name: &str) -> bool {
        self.names.contains(name) || self.claimed.contains(name)
    }

    /// The name itself if it can be one, and else with underscores: oneofs are told apart by what is made of their names.
    pub(crate) fn or_free(&mut self, name: &str) -> String {
        match is_word(name) {
            true => name.to_owned(),
            false => self.free(name),
        }
    }

    /// The name with as many underscores as make it free, and at least one.
    pub(crate) fn free(&mut self, name: &str) -> String {
        let mut free = format!("{name}_");
        while !is_word(&free) || self.has(&free) {
            free.push('_');
        }
        self.claim(&free);
        free
    }
}

/// The types of one scope, and the modules beside them.
pub(crate) struct Types {
    types: Taken,
    /// The modules of messages, after which constants are called too.
    modules: Taken,
    others: Modules,
}

/// What is beside the types of a scope already.
#[derive(Default)]
pub(crate) struct Modules {
    /// Modules of packages, for which buffa makes those of messages give way.
    pub(crate) packages: BTreeSet<String>,
    /// Whether views are written, which have a module `oneof` beside those of messages.
    pub(crate) has_views: bool,
}

impl Types {
    pub(crate) fn new<'a>(
        messages: impl IntoIterator<Item = &'a DescriptorProto>,
        enums: impl IntoIterator<Item = &'a EnumDescriptorProto>,
        others: Modules,
    ) -> Self {
        let names = messages.into_iter().filter(|it| !is_map_entry(it));
        let names: Vec<&str> = names.filter_map(|it| it.name.as_deref()).collect();
        let enums = enums.into_iter().filter_map(|it| it.name.as_deref());
        let modules = names.iter().map(|name| module_name(name));
        Self {
            types: Taken::new(names.iter().copied().chain(enums).map(str::to_owned)),
            modules: Taken::new(modules.chain(others.packages.iter().cloned())),
            others,
        }
    }

    /// What a message is called, if that is not its name.
    pub(crate) fn message(&mut self, message: &DescriptorProto) -> Option<Name> {
        let proto = message.name.clone().unwrap_or_default();
        if is_map_entry(message) {
            return None;
        }
        let module = module_name(&proto);
        let is_type = has_module(message) && self.types.has(&module);
        let is_free = self.modules.claim(&module) && !is_type;
        if self.others.packages.contains(&module) {
            // As buffa does.
            self.modules.claim(&format!("{module}_"));
        }
        let is_written = module == "__buffa" || (self.others.has_views && module == "oneof");
        if is_type_name(&proto) && is_free && !is_written {
            return None;
        }
        let camel = match is_type_name(&proto) {
            true => proto.clone(),
            false => self.types.free(&proto),
        };
        let mut snake = self.modules.free(&module);
        while self.types.has(&snake) {
            snake = self.modules.free(&snake);
        }
        Some(Name {
            proto,
            camel,
            snake,
        })
    }

    /// What an enum is called, if that is not its name.
    pub(crate) fn enumeration(&mut self, proto: &str) -> Option<Name> {
        (!is_type_name(proto)).then(|| {
            let camel = self.types.free(proto);
            Name {
                proto: proto.to_owned(),
                snake: camel.clone(),
                camel,
            }
        })
    }
}

/// Whether there is a module for what is inside of a message.
fn has_module(message: &DescriptorProto) -> bool {
    message.nested_type.iter().any(|it| !is_map_entry(it))
        || !message.enum_type.is_empty()
        || !message.extension.is_empty()
        || message.field.iter().any(is_in_oneof)
}

/// Whether a field is in a oneof that somebody wrote.
pub(crate) fn is_in_oneof(field: &FieldDescriptorProto) -> bool {
    field.oneof_index.is_some() && !field.proto3_optional.unwrap_or_default()
}

/// Whether a type can be called so.
fn is_type_name(name: &str) -> bool {
    is_word(name) && !PARAMETERS.contains(&name)
}

/// Whether something in a type can be called so.
pub(crate) fn is_word(name: &str) -> bool {
    !is_rust_keyword(name) && !PRIMITIVES.contains(&name) && !matches!(name, "_" | "__buffa")
}

/// As what writes messages makes it: each part between underscores begins with a capital letter.
pub(crate) fn camel_case(name: &str) -> String {
    let parts = name.split('_').map(|part| {
        let mut letters = part.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    });
    parts.collect()
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
