//! What was written before: a file's messages are written anew only when something changes that they depend on.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use buffa::Message as _;
use buffa_codegen::context::CodeGenContext;
use buffa_codegen::generate_with_diagnostics;
use buffa_descriptor::generated::descriptor::FileDescriptorProto;

use super::Settings;
use super::messages::{Texts, expand_messages, with_views};
use super::names::Paths;
use super::plan::{Plan, named_types, package_of};
use crate::diagnostic::Diagnostic;
use crate::schema::Files;

/// The messages of earlier runs, by the name of their file and a number that stands for all that they depend on.
pub(crate) trait Cache {
    fn get(&self, file: &str, key: u64) -> Option<Texts>;
    fn put(&mut self, file: &str, key: u64, texts: &Texts);
}

/// No cache.
impl Cache for () {
    fn get(&self, _: &str, _: u64) -> Option<Texts> {
        None
    }

    fn put(&mut self, _: &str, _: u64, _: &Texts) {}
}

/// The messages of all files.
pub(crate) fn cached_messages(
    paths: &Paths<'_>,
    plan: &Plan,
    settings: &Settings,
    cache: &mut dyn Cache,
) -> Result<BTreeMap<String, Texts>, Vec<Diagnostic>> {
    let keys = Keys::new(paths, plan, settings)?;
    let (mut texts, mut missing) = (BTreeMap::new(), BTreeMap::new());
    let all = Files::of(&paths.named.schema);
    for name in plan.values().flat_map(|package| &package.files) {
        let Some(file) = all.file(name) else {
            continue;
        };
        let key = keys.of(file);
        match cache.get(name, key) {
            Some(found) => drop(texts.insert(name.clone(), found)),
            None => drop(missing.insert(name.as_str(), key)),
        }
    }
    let names: BTreeSet<&str> = missing.keys().copied().collect();
    let mut written = expand_messages(paths.named, plan, &names, settings)?;
    for (name, key) in missing {
        // A file may have no messages.
        let found = written.remove(name).unwrap_or_default();
        cache.put(name, key, &found);
        texts.insert(name.to_owned(), found);
    }
    Ok(texts)
}

/// What the messages of a file depend on, beside what they are.
struct Keys<'a> {
    context: &'a CodeGenContext<'a>,
    with_views: BTreeSet<String>,
    /// A hash of what is the same for all files.
    common: DefaultHasher,
}

impl<'a> Keys<'a> {
    fn new(paths: &Paths<'a>, plan: &Plan, settings: &Settings) -> Result<Self, Vec<Diagnostic>> {
        let Paths { context, named } = paths;
        let mut common = DefaultHasher::new();
        (env!("CARGO_PKG_VERSION"), format!("{settings:?}")).hash(&mut common);
        format!("{:?} {:?}", named.stand_ins, named.numbers).hash(&mut common);
        // Two fields whose names are one in snake case are told apart by names that buffa then gives to others, too.
        let warnings =
            generate_with_diagnostics(&named.schema.descriptors.file, &[], context.config);
        let (_, warnings) = warnings.map_err(|error| vec![Diagnostic::error(error.to_string())])?;
        for warning in warnings {
            warning.to_string().hash(&mut common);
        }
        Ok(Self {
            context,
            with_views: with_views(plan, settings),
            common,
        })
    }

    fn of(&self, file: &FileDescriptorProto) -> u64 {
        let mut hasher = self.common.clone();
        let package = package_of(file);
        self.with_views.contains(package).hash(&mut hasher);
        file.encode_to_vec().hash(&mut hasher);
        // Modules of messages make way for modules of packages.
        for name in file.message_type.iter().filter_map(|it| it.name.as_deref()) {
            self.context
                .nested_module_name(package, name)
                .hash(&mut hasher);
        }
        // Of the types in other files only their places are repeated, and how an enum takes numbers that it does not know.
        for name in named_types(file, false) {
            let path = self.context.rust_type_relative(name, package, 0);
            (name, path, self.context.is_enum_closed(name)).hash(&mut hasher);
        }
        hasher.finish()
    }
}
