//! What holds the messages of a package together, each file's texts being written by themselves.

use std::collections::{BTreeMap, BTreeSet};

use buffa_codegen::context::CodeGenContext;
use buffa_codegen::idents::{make_field_ident, rust_path_to_tokens};
use buffa_descriptor::generated::descriptor::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto,
};
use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

use super::messages::{Section, Texts};
use super::names::Paths;
use super::plan::package_of;
use super::stand_in::StandIns;
use super::taken::module_name;
use super::{Settings, print_items};
use crate::elements::is_map_entry;

/// One file of a package.
pub(crate) struct Part<'a> {
    pub(crate) file: &'a FileDescriptorProto,
    pub(crate) texts: &'a Texts,
}

/// The text of the messages of a package.
pub(crate) fn join(
    parts: &[Part<'_>],
    paths: &Paths<'_>,
    settings: &Settings,
    has_views: bool,
) -> String {
    let joined = |section: Section| -> String {
        let texts = parts.iter().map(|part| part.texts.get(section));
        texts.collect()
    };
    let context = paths.context;
    let inside = expand_inside(&joined);
    let registrations = expand_registrations(parts, paths, settings);
    let items = (!inside.is_empty() || !registrations.is_empty()).then(|| {
        let exports = expand_exports(parts, context, has_views, !registrations.is_empty());
        quote! {
            pub mod __buffa {
                #[allow(unused_imports)]
                use super::*;
                #inside
                #registrations
            }
            #exports
        }
    });
    let printed = print_items(items.unwrap_or_default());
    let printed = paths.named.stand_ins.in_code(&printed);
    joined(Section::Owned) + &paste(&printed, &joined)
}

/// The modules beside the messages, with a mark in each where its text belongs.
fn expand_inside(joined: &dyn Fn(Section) -> String) -> TokenStream {
    let module = |section: Section, inner: TokenStream| {
        let name = format_ident!("{}", section.module());
        let mark = format!("{section:?}");
        let is_empty = joined(section).is_empty() && inner.is_empty();
        let module = quote! {
            pub mod #name {
                #[allow(unused_imports)]
                use super::*;
                include!(#mark);
                #inner
            }
        };
        if is_empty { TokenStream::new() } else { module }
    };
    let view_oneofs = module(Section::ViewOneof, TokenStream::new());
    let view = module(Section::View, view_oneofs);
    let oneof = module(Section::Oneof, TokenStream::new());
    let ext = module(Section::Ext, TokenStream::new());
    quote! { #view #oneof #ext }
}

/// Puts texts where their marks are, which are alone on their lines.
fn paste(printed: &str, joined: &dyn Fn(Section) -> String) -> String {
    let mut pasted = String::new();
    for line in printed.split_inclusive('\n') {
        let mark = line.trim().strip_prefix("include!(\"");
        let mark = mark.and_then(|rest| rest.strip_suffix("\");"));
        let section = mark.and_then(|mark| {
            Section::ALL
                .into_iter()
                .find(|it| format!("{it:?}") == mark)
        });
        match section {
            Some(section) => pasted.push_str(&joined(section)),
            None => pasted.push_str(line),
        }
    }
    pasted
}

/// The function that makes a package's messages and extensions known to JSON.
fn expand_registrations(parts: &[Part<'_>], paths: &Paths<'_>, settings: &Settings) -> TokenStream {
    let mut calls = Vec::new();
    for Part { file, texts } in parts {
        let mut registrations = Registrations {
            stand_ins: &paths.named.stand_ins,
            texts,
            calls: &mut calls,
        };
        for message in &file.message_type {
            let name = message.name.as_deref().unwrap_or_default();
            let module = paths.context.nested_module_name(package_of(file), name);
            registrations.message(message, &[], make_field_ident(&module));
        }
        let scope = [format_ident!("__buffa"), format_ident!("ext")];
        registrations.extensions(&file.extension, &scope, Section::Ext);
    }
    if calls.is_empty() {
        return TokenStream::new();
    }
    let private = rust_path_to_tokens(&settings.private_path());
    quote! {
        /// Register this package's `Any` type entries and extension entries.
        pub fn register_types(reg: &mut #private::buffa::type_registry::TypeRegistry) {
            #(#calls)*
        }
    }
}

/// The calls that make what a file declares known to JSON.
struct Registrations<'a> {
    stand_ins: &'a StandIns,
    texts: &'a Texts,
    calls: &'a mut Vec<TokenStream>,
}

impl Registrations<'_> {
    /// The constants of a message are beside it in `scope`, and those of what it declares in its `module`.
    fn message(&mut self, message: &DescriptorProto, scope: &[Ident], module: Ident) {
        if is_map_entry(message) {
            return;
        }
        let constant = format_ident!("__{}_JSON_ANY", constant_name(message.name.as_deref()));
        let call = quote! { reg.register_json_any(super:: #(#scope::)* #constant); };
        self.calls.push(call);
        let scope = [scope, &[module]].concat();
        self.extensions(&message.extension, &scope, Section::Owned);
        for nested in &message.nested_type {
            let module = module_name(nested.name.as_deref().unwrap_or_default());
            self.message(nested, &scope, make_field_ident(&module));
        }
    }

    fn extensions(&mut self, all: &[FieldDescriptorProto], scope: &[Ident], section: Section) {
        for extension in all {
            let constant = format!("__{}_JSON_EXT", constant_name(extension.name.as_deref()));
            let written = format!("const {}:", self.stand_ins.in_code(&constant));
            // JSON has no groups, and in an edition it takes more than the type to tell one.
            if self.texts.get(section).contains(&written) {
                let constant = format_ident!("{constant}");
                let call = quote! { reg.register_json_ext(super:: #(#scope::)* #constant); };
                self.calls.push(call);
            }
        }
    }
}

fn constant_name(name: Option<&str>) -> String {
    module_name(name.unwrap_or_default()).to_uppercase()
}

/// What is in modules of its own under the names that it would have beside the messages, where these are free and clear.
fn expand_exports(
    parts: &[Part<'_>],
    context: &CodeGenContext<'_>,
    has_views: bool,
    has_registrations: bool,
) -> TokenStream {
    let mut taken = BTreeSet::from(["__buffa", "FILE_DESCRIPTOR_SET"].map(str::to_owned));
    let mut exports: BTreeMap<String, Vec<TokenStream>> = BTreeMap::new();
    let mut export = |name: &str, module: &[&str]| {
        let ident = make_field_ident(name);
        let module = module.iter().map(|it| format_ident!("{it}"));
        let tokens = quote! {
            #[doc(inline)]
            pub use self::__buffa:: #(#module::)* #ident;
        };
        exports.entry(name.to_owned()).or_default().push(tokens);
    };
    for Part { file, .. } in parts {
        for name in file.message_type.iter().filter_map(|it| it.name.as_deref()) {
            taken.insert(context.nested_module_name(package_of(file), name));
            taken.insert(name.to_owned());
            if has_views {
                export(&format!("{name}View"), &["view"]);
                export(&format!("{name}OwnedView"), &["view"]);
            }
        }
        taken.extend(file.enum_type.iter().filter_map(|it| it.name.clone()));
        for extension in &file.extension {
            export(&constant_name(extension.name.as_deref()), &["ext"]);
        }
    }
    if has_registrations {
        export("register_types", &[]);
    }
    let clear = exports
        .into_iter()
        .filter(|(name, _)| !taken.contains(name));
    let clear = clear.filter(|(_, tokens)| tokens.len() == 1);
    clear.flat_map(|(_, tokens)| tokens).collect()
}
