//! A [`Schema`] into files of Rust.

mod cache;
mod comments;
mod deprecated;
mod docs;
mod errors;
mod messages;
mod modules;
mod names;
mod numbers;
pub(crate) mod options;
mod package;
mod plan;
mod redirect;
mod service;
mod services;
mod stand_in;
mod taken;
#[cfg(test)]
mod tests;
mod views;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use buffa::Message as _;
use buffa_codegen::context::CodeGenContext;
use buffa_codegen::idents::rust_path_to_tokens;
use buffa_descriptor::generated::descriptor::{FileDescriptorProto, FileDescriptorSet};
use proc_macro2::TokenStream;
use quote::quote;

pub(crate) use self::cache::Cache;
use self::cache::cached_messages;
#[cfg(test)]
pub(crate) use self::messages::Section;
pub(crate) use self::messages::Texts;
use self::names::{Named, Paths};
use self::package::Part;
use self::plan::{Plan, TypeIndex};
use self::service::{Reader, Service};
use crate::diagnostic::Diagnostic;
use crate::schema::{Files, Schema};

/// What can be chosen about the output.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The path of `rpc-runtime`.
    pub(crate) root: String,
    /// The packages whose messages have views.
    pub(crate) views: BTreeSet<String>,
    /// Packages whose types are elsewhere, and where.
    pub(crate) external: Vec<(String, String)>,
}

impl Settings {
    /// Where the runtime is found if nothing else is said.
    pub(crate) const ROOT: &'static str = "::rpc_runtime";

    fn root_tokens(&self) -> TokenStream {
        rust_path_to_tokens(&self.root)
    }

    /// The re-exports that generated code needs.
    fn private_path(&self) -> String {
        format!("{}::__private", self.root)
    }

    /// A type's path, with those of buffa's own crates through the runtime.
    fn redirect_path(&self, path: &str) -> String {
        let well_known = path.strip_prefix("::buffa_types::google::protobuf::");
        if let Some(name) = well_known.filter(|name| WELL_KNOWN.contains(name)) {
            return format!("{}::protobuf::well_known::{name}", self.root);
        }
        match path.starts_with("::buffa_types::") || path.starts_with("::buffa_descriptor::") {
            true => format!("{}{path}", self.private_path()),
            false => path.to_owned(),
        }
    }
}

/// The messages that the runtime shows to users.
const WELL_KNOWN: [&str; 17] = [
    "Any",
    "BoolValue",
    "BytesValue",
    "DoubleValue",
    "Duration",
    "Empty",
    "FieldMask",
    "FloatValue",
    "Int32Value",
    "Int64Value",
    "ListValue",
    "StringValue",
    "Struct",
    "Timestamp",
    "UInt32Value",
    "UInt64Value",
    "Value",
];

/// A file to write, relative to the folder of all output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OutputFile {
    pub(crate) path: PathBuf,
    pub(crate) content: Vec<u8>,
}

impl OutputFile {
    fn text(path: impl Into<PathBuf>, text: String) -> Self {
        Self {
            path: path.into(),
            content: text.into_bytes(),
        }
    }
}

/// Makes the files of a schema that [`check`](crate::check) found sound.
pub(crate) fn emit(
    schema: &Schema,
    settings: &Settings,
    cache: &mut dyn Cache,
) -> Result<Vec<OutputFile>, Vec<Diagnostic>> {
    let (types, all) = (TypeIndex::new(schema), Files::of(schema));
    let (errors, mut diagnostics) = (named_errors(schema, &all, &types), Vec::new());
    let plan = plan::plan(
        schema,
        &types,
        settings,
        &errors.iter().cloned().collect::<Vec<_>>(),
    );
    names::check_packages(schema, &all, &plan, &mut diagnostics);
    views::check_views(schema, &plan, &types, settings, &mut diagnostics);
    let services = read_services(schema, &all, &plan, &types, &mut diagnostics);
    if !diagnostics.is_empty() {
        return Err(diagnostics);
    }
    let generated: Vec<String> = plan
        .values()
        .flat_map(|package| package.files.clone())
        .collect();
    let with_views = messages::with_views(&plan, settings);
    let named = Named::new(schema, &plan, &with_views);
    let config = messages::config(&named.schema, settings, false);
    let written = &named.schema.descriptors.file;
    let context = CodeGenContext::for_generate(written, &generated, &config);
    let paths = Paths {
        context: &context,
        named: &named,
    };
    let texts = cached_messages(&paths, &plan, settings, cache)?;
    let named_files = Files::of(&named.schema);
    let mut files = Vec::new();
    for (name, package) in &plan {
        let parts = package.files.iter().filter_map(|file| {
            let (file, texts) = (named_files.file(file)?, texts.get(file)?);
            Some(Part { file, texts })
        });
        let parts: Vec<Part<'_>> = parts.collect();
        let messages = package::join(&parts, &paths, settings, with_views.contains(name));
        let errors = errors::expand_errors(name, &errors, &types, &paths, settings);
        let written = Written {
            errors: print_items(errors),
            messages,
            services: services.get(name).map(Vec::as_slice).unwrap_or_default(),
        };
        files.extend(package_files(name, package, &written, &paths, settings));
        files.push(OutputFile {
            path: modules::folder(name).join("descriptors.binpb"),
            content: descriptors(schema, &all, package),
        });
        files.extend(modules::expand_stub(name, &plan::closure(&plan, name)));
    }
    files.extend(modules::expand_all(&plan.keys().cloned().collect()));
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// What one package has.
struct Written<'a> {
    errors: String,
    messages: String,
    services: &'a [Service],
}

/// The files of Rust in the folder of a package.
fn package_files(
    name: &str,
    package: &plan::Package,
    written: &Written<'_>,
    paths: &Paths<'_>,
    settings: &Settings,
) -> Vec<OutputFile> {
    let folder = modules::folder(name);
    let sources: Vec<&str> = package.files.iter().map(String::as_str).collect();
    let header = header(&sources.join(", "));
    let Written {
        errors,
        messages,
        services,
    } = written;
    let around = print_items(expand_package(!services.is_empty()));
    let text = format!("{header}{around}\n{errors}{messages}");
    let mut files = vec![OutputFile::text(folder.join("package.rs"), text)];
    if !services.is_empty() {
        let items = services::expand_services(name, services, paths, settings);
        let items: Vec<String> = items.into_iter().map(print_items).collect();
        let text = format!("{header}{}", items.join("\n"));
        files.push(OutputFile::text(folder.join("services.rs"), text));
    }
    files
}

/// What is in a package beside its messages.
fn expand_package(has_services: bool) -> TokenStream {
    let services = has_services.then(|| {
        quote! {
            #[path = "services.rs"]
            mod __services;
            pub use self::__services::*;
        }
    });
    quote! {
        #services
        /// The descriptors of this package and of what it imports: a serialized `google.protobuf.FileDescriptorSet`.
        pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("descriptors.binpb");
    }
}

/// The messages that methods fail with, as far as they are found; the others are reported with their methods.
fn named_errors(schema: &Schema, all: &Files<'_>, types: &TypeIndex<'_>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let files = schema.descriptors.file.iter();
    for file in files.filter(|file| all.is_requested(file)) {
        for service in &file.service {
            let scope = [
                plan::package_of(file),
                service.name.as_deref().unwrap_or_default(),
            ]
            .join(".");
            let scope = scope.trim_start_matches('.');
            let errors = service
                .method
                .iter()
                .filter_map(|method| options::Options::of(method).error);
            found.extend(errors.filter_map(|error| errors::resolve_error(&error, scope, types)));
        }
    }
    found
}

/// The services of the files that were asked for, by package.
fn read_services(
    schema: &Schema,
    all: &Files<'_>,
    plan: &Plan,
    types: &TypeIndex<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> BTreeMap<String, Vec<Service>> {
    let mut services = BTreeMap::new();
    for (name, package) in plan {
        let files = || package.files.iter().filter_map(|file| all.file(file));
        let mut taken = taken::top_level_types(files());
        taken.extend(services::RESERVED.map(str::to_owned));
        let mut found = Vec::new();
        for file in files() {
            errors::check_error_codes(schema, file, diagnostics);
            if all.is_requested(file) {
                found.extend(
                    Reader::new(schema, file, types, plan, diagnostics).services(&mut taken),
                );
            }
        }
        services.insert(name.clone(), found);
    }
    services
}

fn without_comments(file: &FileDescriptorProto) -> FileDescriptorProto {
    let mut file = file.clone();
    file.source_code_info = buffa::MessageField::none();
    file
}

/// The descriptors of a package's files and of all that they import, each after those that it imports.
fn descriptors(schema: &Schema, all: &Files<'_>, package: &plan::Package) -> Vec<u8> {
    let mut needed = BTreeSet::new();
    let mut waiting: Vec<&str> = package.files.iter().map(String::as_str).collect();
    while let Some(name) = waiting.pop() {
        let Some(at) = all.position(name) else {
            continue;
        };
        if needed.insert(at) {
            let imports = &schema.descriptors.file[at].dependency;
            waiting.extend(imports.iter().map(String::as_str));
        }
    }
    let files = needed.into_iter().map(|at| &schema.descriptors.file[at]);
    let set = FileDescriptorSet {
        file: files.map(without_comments).collect(),
        ..FileDescriptorSet::default()
    };
    set.encode_to_vec()
}

/// Prints a file with the comment that says where it comes from.
fn print(tokens: TokenStream, source: &str) -> String {
    format!("{}{}", header(source), print_items(tokens))
}

fn header(source: &str) -> String {
    format!("// Written by rpc-build from {source}. Do not edit.\n\n")
}

fn print_items(tokens: TokenStream) -> String {
    match syn::parse2(tokens.clone()) {
        Ok(file) => prettyplease::unparse(&file),
        // Names come through `ident`, so that this is a mistake of ours, which rustc then shows.
        Err(_) => tokens.to_string(),
    }
}
