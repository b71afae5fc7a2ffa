//! Messages that methods fail with: what makes a Rust error of one.

use std::collections::BTreeSet;

use buffa_codegen::idents::rust_path_to_tokens;
use buffa_descriptor::generated::descriptor::field_descriptor_proto::{Label, Type};
use buffa_descriptor::generated::descriptor::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto,
};
use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

use super::Settings;
use super::names::Paths;
use super::options::{ERROR_CODE, code_names, error_code, rust_code};
use super::plan::{TypeIndex, package_of};
use crate::diagnostic::Diagnostic;
use crate::schema::{Locations, Schema};

/// The message that a name means inside `scope`, by protobuf's rule: the innermost scope that has it.
pub(crate) fn resolve_error(name: &str, scope: &str, types: &TypeIndex<'_>) -> Option<String> {
    let is_message = |name: &str| types.message_of(name).is_some();
    if name.starts_with('.') {
        return Some(name.to_owned()).filter(|name| is_message(name));
    }
    let mut scope = Some(scope);
    while let Some(outer) = scope {
        let candidate = format!(".{outer}.{name}");
        if is_message(&candidate) {
            return Some(candidate);
        }
        scope = outer.rsplit_once('.').map(|(outer, _)| outer);
    }
    Some(format!(".{name}")).filter(|name| is_message(name))
}

/// The implementations that make errors of a package's messages, of those that are named in `errors`.
pub(crate) fn expand_errors(
    package: &str,
    errors: &BTreeSet<String>,
    types: &TypeIndex<'_>,
    paths: &Paths<'_>,
    settings: &Settings,
) -> TokenStream {
    let own = errors.iter().filter_map(|name| {
        let (file, message) = types.message_of(name)?;
        let path = paths.relative(name, package_of(file), 0)?;
        (package_of(file) == package).then(|| expand_error(file, message, &path, settings))
    });
    own.collect()
}

fn expand_error(
    file: &FileDescriptorProto,
    message: &DescriptorProto,
    path: &str,
    settings: &Settings,
) -> TokenStream {
    let root = settings.root_tokens();
    let ty = rust_path_to_tokens(path);
    let text = expand_text(file, message);
    let code = error_code(message)
        .and_then(|name| rust_code(&name))
        .unwrap_or("Unknown");
    let code = Ident::new(code, Span::call_site());
    quote! {
        impl ::core::fmt::Display for #ty {
            fn fmt(&self, formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                #text
            }
        }
        impl ::core::error::Error for #ty {}
        impl #root::RpcError for #ty {
            fn code(&self) -> #root::Code {
                #root::Code::#code
            }
        }
    }
}

/// The text of an error is its field `message`, if that is a plain string; otherwise all of its fields.
fn expand_text(file: &FileDescriptorProto, message: &DescriptorProto) -> TokenStream {
    let field = message
        .field
        .iter()
        .find(|field| field.name.as_deref() == Some("message"));
    match field.and_then(|field| has_presence(file, field)) {
        Some(false) => quote! { formatter.write_str(&self.message) },
        Some(true) => quote! { formatter.write_str(self.message.as_deref().unwrap_or_default()) },
        None => quote! { ::core::fmt::Debug::fmt(self, formatter) },
    }
}

/// Whether a field is an `Option` of a string. `None` if it is something else, or an edition decides.
fn has_presence(file: &FileDescriptorProto, field: &FieldDescriptorProto) -> Option<bool> {
    let is_optional = field.proto3_optional.unwrap_or_default();
    let is_plain = field.r#type == Some(Type::TYPE_STRING)
        && field.label != Some(Label::LABEL_REPEATED)
        && (field.oneof_index.is_none() || is_optional);
    match file.syntax.as_deref() {
        _ if !is_plain => None,
        Some("proto3") => Some(is_optional),
        None | Some("" | "proto2") => Some(field.label == Some(Label::LABEL_OPTIONAL)),
        _ => None,
    }
}

/// Where the options of a message are in its descriptor.
const MESSAGE_OPTIONS: i32 = 7;
const MESSAGE: i32 = 4;
const NESTED: i32 = 3;

/// Every `error_code` is the name of one.
pub(crate) fn check_error_codes(
    schema: &Schema,
    file: &FileDescriptorProto,
    errors: &mut Vec<Diagnostic>,
) {
    let locations = schema.locations(file.name.as_deref().unwrap_or_default());
    for (message, index) in file.message_type.iter().zip(0..) {
        check_error_code(message, &[MESSAGE, index], &locations, errors);
    }
}

fn check_error_code(
    message: &DescriptorProto,
    path: &[i32],
    locations: &Locations,
    errors: &mut Vec<Diagnostic>,
) {
    if let Some(code) = error_code(message).filter(|code| rust_code(code).is_none()) {
        let place = locations.span(&[path, &[MESSAGE_OPTIONS, ERROR_CODE]].concat());
        let message = format!("there is no status code `{code}`");
        errors.push(
            Diagnostic::error(message)
                .at(place, "")
                .help(format!("write one of {}", code_names())),
        );
    }
    for (nested, index) in message.nested_type.iter().zip(0..) {
        check_error_code(
            nested,
            &[path, &[NESTED, index]].concat(),
            locations,
            errors,
        );
    }
}
