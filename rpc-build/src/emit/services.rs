//! Services as annotated traits, as a person would have written them.

use std::collections::{BTreeMap, BTreeSet};

use buffa_codegen::idents::{make_field_ident, rust_path_to_tokens};
use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

use super::Settings;
use super::docs::expand_docs;
use super::names::Paths;
use super::options::{Idempotency, Options, rust_priority};
use super::service::{Method, Service};
use crate::ident;

/// What has a meaning in the file, or to the attribute, so that nothing else can be called so there.
pub(super) const RESERVED: [&str; 11] = [
    "Context",
    "Option",
    "Protobuf",
    "Result",
    "Send",
    "Status",
    "Stream",
    "Streaming",
    "Sync",
    "rpc_service",
    "super",
];

/// All services of one package: what is imported, and the traits.
pub(crate) fn expand_services(
    package: &str,
    services: &[Service],
    paths: &Paths<'_>,
    settings: &Settings,
) -> Vec<TokenStream> {
    let imports = Imports::new(package, services, paths, settings);
    let traits = services
        .iter()
        .map(|service| expand_service(service, &imports, settings));
    let traits: Vec<TokenStream> = traits.collect();
    std::iter::once(imports.expand(services, settings))
        .chain(traits)
        .collect()
}

fn expand_service(service: &Service, imports: &Imports, settings: &Settings) -> TokenStream {
    let Service {
        ident,
        wire_name,
        methods,
        ..
    } = service;
    let docs = expand_docs(&service.comment);
    let deprecated = service.deprecated.then(|| quote! { #[deprecated] });
    let root = (settings.root != Settings::ROOT).then(|| {
        let root = settings.root_tokens();
        quote! { , crate = #root }
    });
    let methods = methods.iter().map(|method| expand_method(method, imports));
    quote! {
        #docs
        #deprecated
        #[rpc_service(
            name = #wire_name,
            codec = Protobuf,
            rename_all = "PascalCase",
            descriptors = super::FILE_DESCRIPTOR_SET
            #root
        )]
        pub trait #ident {
            #(#methods)*
        }
    }
}

fn expand_method(method: &Method, imports: &Imports) -> TokenStream {
    let Method { ident, .. } = method;
    let docs = expand_docs(&method.comment);
    let deprecated = method.options.deprecated.then(|| quote! { #[deprecated] });
    let options = expand_options(method);
    let input = imports.ident(&method.input);
    let argument = match method.takes_stream {
        true => quote! { requests: Streaming<#input> },
        false => quote! { request: #input },
    };
    let output = imports.ident(&method.output);
    let error = match &method.error {
        Some(error) => imports.ident(error),
        None => format_ident!("Status"),
    };
    let result = quote! { Result<#output, #error> };
    let signature = match method.returns_stream {
        true => quote! { fn #ident(&self, #argument) -> impl Stream<Item = #result>; },
        false => quote! { async fn #ident(&self, #argument) -> #result; },
    };
    quote! { #docs #deprecated #options #signature }
}

fn expand_options(method: &Method) -> Option<TokenStream> {
    let Options {
        timeout,
        since,
        idempotency,
        priority,
        once,
        resumable,
        ..
    } = &method.options;
    let name = (pascal_case(&method.ident) != method.wire_name).then(|| {
        let name = &method.wire_name;
        quote! { name = #name }
    });
    let idempotency = match idempotency {
        Idempotency::Unknown => None,
        Idempotency::Idempotent => Some(quote! { idempotent }),
        Idempotency::ReadOnly => Some(quote! { read_only }),
    };
    let once = once.then(|| quote! { once });
    let resumable = resumable.then(|| quote! { resumable });
    let priority = priority.as_deref().and_then(rust_priority).map(|priority| {
        let priority = format_ident!("{priority}");
        quote! { priority = #priority }
    });
    let timeout = timeout.iter().map(|timeout| quote! { timeout = #timeout });
    let since = since.iter().map(|since| quote! { since = #since });
    let options: Vec<TokenStream> = name
        .into_iter()
        .chain(idempotency)
        .chain(once)
        .chain(resumable)
        .chain(priority)
        .chain(timeout)
        .chain(since)
        .collect();
    (!options.is_empty()).then(|| quote! { #[rpc(#(#options),*)] })
}

/// What `rename_all = "PascalCase"` makes of a method's name.
fn pascal_case(ident: &Ident) -> String {
    let name = ident.to_string();
    let words = name.strip_prefix("r#").unwrap_or(&name).split('_');
    let capitalized = words.filter(|word| !word.is_empty()).map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_uppercase() + &rest.to_lowercase()
    });
    capitalized.collect()
}

/// The names of the messages in the file of services.
struct Imports {
    /// By the name in descriptors: the path, and the name in the file.
    types: BTreeMap<String, (String, String)>,
}

impl Imports {
    fn new(package: &str, services: &[Service], paths: &Paths<'_>, settings: &Settings) -> Self {
        let mut taken: BTreeSet<String> = RESERVED.map(str::to_owned).into();
        for service in services {
            let name = service.ident.to_string();
            taken.extend([format!("{name}Client"), format!("{name}Server"), name]);
        }
        let methods = services.iter().flat_map(|service| &service.methods);
        let names: BTreeSet<&String> = methods
            .flat_map(|it| [&it.input, &it.output].into_iter().chain(&it.error))
            .collect();
        let mut found: Vec<(&String, String)> = names
            .into_iter()
            .filter_map(|name| Some((name, paths.relative(name, package, 1)?)))
            .collect();
        // The package's own messages choose their names first.
        found.sort_by_key(|(_, path)| (!is_own(path), path.clone()));
        let types = found.into_iter().map(|(name, path)| {
            let last = path.rsplit("::").next().unwrap_or_default();
            let local = ident::local_type_name(last, &mut taken);
            (name.clone(), (settings.redirect_path(&path), local))
        });
        Self {
            types: types.collect(),
        }
    }

    fn ident(&self, name: &str) -> Ident {
        let local = self.types.get(name).map_or("Unknown", |(_, local)| local);
        make_field_ident(local)
    }

    fn expand(&self, services: &[Service], settings: &Settings) -> TokenStream {
        let root = settings.root_tokens();
        let methods = || services.iter().flat_map(|service| &service.methods);
        let names = [
            ("Status", methods().any(|method| method.error.is_none())),
            ("Stream", methods().any(|method| method.returns_stream)),
            ("Streaming", methods().any(|method| method.takes_stream)),
            ("rpc_service", true),
        ];
        let names = names
            .iter()
            .filter(|(_, is_used)| *is_used)
            .map(|(name, _)| format_ident!("{name}"));
        let (own, other): (Vec<_>, Vec<_>) =
            self.types.values().partition(|(path, _)| is_own(path));
        let mut own: Vec<TokenStream> = own
            .into_iter()
            .map(|(path, local)| expand_use(path, local, "super::"))
            .collect();
        own.sort_by_key(ToString::to_string);
        let own = (!own.is_empty()).then(|| quote! { use super::{#(#own),*}; });
        let other = other
            .into_iter()
            .map(|(path, local)| expand_use(path, local, ""));
        quote! {
            use #root::codec::Protobuf;
            use #root::{#(#names),*};
            #own
            #(use #other;)*
        }
    }
}

/// Whether this is the path of a top-level message of the package itself.
fn is_own(path: &str) -> bool {
    path.strip_prefix("super::")
        .is_some_and(|rest| !rest.contains("::"))
}

fn expand_use(path: &str, local: &str, prefix: &str) -> TokenStream {
    let last = path.rsplit("::").next().unwrap_or_default();
    let tokens = rust_path_to_tokens(path.strip_prefix(prefix).unwrap_or(path));
    if last == local {
        return tokens;
    }
    let local = make_field_ident(local);
    quote! { #tokens as #local }
}
