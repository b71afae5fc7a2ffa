//! Generates the messages of the conformance tests.

use std::error::Error;
use std::path::PathBuf;

use buffa::Message as _;
use buffa_codegen::{BytesRepr, CodeGenConfig, GeneratedFileKind, IncludeMode};
use buffa_descriptor::generated::descriptor::FileDescriptorSet;

/// What the tests are made of; `update.sh` writes it.
const DESCRIPTORS: &str = "messages.binpb";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={DESCRIPTORS}");
    let set = FileDescriptorSet::decode_from_slice(&std::fs::read(DESCRIPTORS)?)?;
    let names = set.file.iter().filter_map(|file| file.name.clone());
    let wanted: Vec<String> = names
        .filter(|name| name.starts_with("conformance/") || name.contains("/test_messages_"))
        .collect();
    let mut config = CodeGenConfig::default();
    config.generate_views = false;
    config.generate_json = true;
    config.allow_message_set = true;
    config.bytes_fields = vec![(".".to_owned(), BytesRepr::Bytes)];
    // buffa 0.9.2 writes the default of a field as a `Vec`, whatever the field is.
    let with_default = ["proto2", "editions.proto2"].map(|package| {
        let message = format!(".protobuf_test_messages.{package}.TestAllRequiredTypesProto2");
        (format!("{message}.default_bytes"), BytesRepr::Vec)
    });
    config.bytes_fields.extend(with_default);
    let files = buffa_codegen::generate(&set.file, &wanted, &config)?;

    let folder = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    let mut modules = Vec::new();
    for file in &files {
        std::fs::write(folder.join(&file.name), &file.content)?;
        if matches!(file.kind, GeneratedFileKind::PackageMod) {
            modules.push((file.name.clone(), file.package.clone()));
        }
    }
    let tree = buffa_codegen::generate_module_tree(&modules, IncludeMode::OutDir, false);
    std::fs::write(folder.join("messages.rs"), tree)?;
    Ok(())
}
