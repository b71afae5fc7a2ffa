//! Files into a [`Schema`].

use std::path::PathBuf;

use buffa::Message;
use buffa_descriptor::generated::descriptor::FileDescriptorSet;
use protox::Compiler;
use protox::file::{ChainFileResolver, GoogleFileResolver, IncludeFileResolver};

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
