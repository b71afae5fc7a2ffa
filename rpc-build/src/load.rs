//! Files into a [`Schema`].

use std::path::PathBuf;

use buffa::Message;
use buffa_descriptor::generated::descriptor::FileDescriptorSet;
use protox::Compiler;
use protox::file::{
    ChainFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver,
};

use crate::diagnostic::Diagnostic;
use crate::schema::Schema;
use crate::source::{SourceFile, Sources};

/// Reads `.proto` files, found below `includes`, and all that they import.
///
/// # Errors
///
/// Every mistake in the files.
pub fn load(files: &[PathBuf], includes: &[PathBuf]) -> Result<Schema, Vec<Diagnostic>> {
    // Google's own files first: a vendored copy of a newer `descriptor.proto` uses what the parser does not know.
    let mut resolver = ChainFileResolver::new();
    resolver.add(GoogleFileResolver::new());
    resolver.add(OwnFiles);
    for include in includes {
        resolver.add(IncludeFileResolver::new(include.clone()));
    }
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_source_info(true).include_imports(true);
    for file in files {
        compiler
            .open_file(file)
            .map_err(|error| vec![Diagnostic::error(error.to_string())])?;
    }
    let mut sources = Sources::default();
    let mut requested = Vec::new();
    for file in compiler.files() {
        if !file.is_import() {
            requested.push(file.name().to_owned());
        }
        let path = file.path().map(PathBuf::from);
        let text = path
            .as_ref()
            .and_then(|path| std::fs::read_to_string(path).ok());
        sources.insert(SourceFile {
            name: file.name().into(),
            path,
            text: text.map(Into::into),
        });
    }
    let descriptors = FileDescriptorSet::decode_from_slice(&compiler.encode_file_descriptor_set())
        .map_err(|error| vec![Diagnostic::error(error.to_string())])?;
    Ok(Schema {
        descriptors,
        requested,
        sources,
    })
}

/// The files of our own that come with this crate.
struct OwnFiles;

impl FileResolver for OwnFiles {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match name {
            "rpc/v1/options.proto" => {
                File::from_source(name, include_str!("../proto/rpc/v1/options.proto"))
            }
            _ => Err(protox::Error::file_not_found(name)),
        }
    }
}

/// Reads a descriptor set: what `protoc --descriptor_set_out` and `buf build` write, imports included. Of its files those
/// named in `files` are asked for, or all, if none is named.
///
/// # Errors
///
/// When the bytes are not a descriptor set, or do not have one of the files.
pub fn load_set(bytes: &[u8], files: &[String]) -> Result<Schema, Vec<Diagnostic>> {
    let descriptors = FileDescriptorSet::decode_from_slice(bytes)
        .map_err(|error| vec![Diagnostic::error(format!("not a descriptor set: {error}"))])?;
    let names: Vec<String> = descriptors
        .file
        .iter()
        .filter_map(|file| file.name.clone())
        .collect();
    let missing = |name: &&str| !names.iter().any(|known| known == name);
    let mut mistakes: Vec<Diagnostic> = files
        .iter()
        .map(String::as_str)
        .filter(missing)
        .map(|name| Diagnostic::error(format!("the descriptor set has no file `{name}`")))
        .collect();
    for file in &descriptors.file {
        let absent = file
            .dependency
            .iter()
            .map(String::as_str)
            .filter(|name| missing(name));
        mistakes.extend(absent.map(|name| {
            let importer = file.name.as_deref().unwrap_or_default();
            Diagnostic::error(format!(
                "the descriptor set has no file `{name}`, which `{importer}` imports"
            ))
            .help("write the set with its imports: `protoc --include_imports`, or `buf build`")
        }));
    }
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    Ok(Schema {
        descriptors,
        requested: if files.is_empty() {
            names
        } else {
            files.to_vec()
        },
        sources: Sources::default(),
    })
}
