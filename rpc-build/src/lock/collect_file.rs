//! What a file says of itself, into the model of a lock.

use std::collections::BTreeMap;

use buffa_descriptor::generated::descriptor::file_options::OptimizeMode;
use buffa_descriptor::generated::descriptor::{Edition, FileDescriptorProto};

use super::model::{FILE_OPTIONS, Syntax};

pub(super) fn syntax(file: &FileDescriptorProto) -> Syntax {
    match file.syntax.as_deref() {
        Some("proto3") => Syntax::Proto3,
        Some("editions") => Syntax::Edition(match file.edition {
            Some(Edition::EDITION_2024) => 2024,
            _ => 2023,
        }),
        _ => Syntax::Proto2,
    }
}

pub(super) fn options(file: &FileDescriptorProto) -> BTreeMap<&'static str, String> {
    let Some(options) = file.options.as_option() else {
        return BTreeMap::new();
    };
    let flag = |flag: Option<bool>| flag.map(|flag| flag.to_string());
    let value = |name: &str| match name {
        "cc_enable_arenas" => flag(options.cc_enable_arenas),
        "cc_generic_services" => flag(options.cc_generic_services),
        "csharp_namespace" => options.csharp_namespace.clone(),
        "go_package" => options.go_package.clone(),
        "java_generic_services" => flag(options.java_generic_services),
        "java_multiple_files" => flag(options.java_multiple_files),
        "java_outer_classname" => options.java_outer_classname.clone(),
        "java_package" => options.java_package.clone(),
        "objc_class_prefix" => options.objc_class_prefix.clone(),
        "optimize_for" => options.optimize_for.map(|mode| {
            match mode {
                OptimizeMode::CODE_SIZE => "CODE_SIZE",
                OptimizeMode::LITE_RUNTIME => "LITE_RUNTIME",
                _ => "SPEED",
            }
            .to_owned()
        }),
        "php_class_prefix" => options.php_class_prefix.clone(),
        "php_metadata_namespace" => options.php_metadata_namespace.clone(),
        "php_namespace" => options.php_namespace.clone(),
        "py_generic_services" => flag(options.py_generic_services),
        "ruby_package" => options.ruby_package.clone(),
        "swift_prefix" => options.swift_prefix.clone(),
        _ => None,
    };
    FILE_OPTIONS
        .iter()
        .filter_map(|option| Some((option, value(option.name)?)))
        .filter(|(option, value)| value != option.default)
        .map(|(option, value)| (option.name, value))
        .collect()
}
