//! The constants that describe a service and its methods to the runtime.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt as _;

use crate::model::{Carried, Method, Service};

/// The value of `RpcClient::SERVICE`.
pub(super) fn expand_descriptor(service: &Service) -> TokenStream {
    let Service {
        rt,
        wire_name,
        carried,
        codec,
        ..
    } = service;
    let methods = service
        .sound_methods()
        .map(|method| expand_method(method, service));
    let version = service
        .version
        .iter()
        .map(|version| quote! { .version(#version) });
    let fingerprint = service
        .fingerprint
        .iter()
        .map(|fingerprint| quote! { .with_fingerprint(#fingerprint) });
    let descriptors = service
        .descriptors
        .iter()
        .map(|path| quote! { .with_descriptors(#path) });
    let doc = expand_doc(carried);
    // Of the service's own codec only what it says of every method. `NotOnWire` answers for a type
    // that is none, which is reported elsewhere.
    let is_bare = service.has_own_codec.then(|| {
        quote! {
            use #rt::NotOnWire as _;
            const IS_BARE: bool = #rt::OnWire::<#codec, ()>::IS_BARE;
        }
    });
    // The `use` is in a block that holds no token of the user except conditions. It keeps one
    // method on one line.
    quote! {
        {
            #[allow(unused_imports)]
            use #rt::{MethodDescriptor, MethodKind};
            #is_bare
            const METHODS: &[MethodDescriptor] = &[#(#methods,)*];
            static SERVICE: #rt::ServiceDescriptor =
                #rt::ServiceDescriptor::new(#wire_name, METHODS)
                    #(#version)* #(#fingerprint)* #(#descriptors)* #doc;
            &SERVICE
        }
    }
}

fn expand_method(method: &Method, service: &Service) -> TokenStream {
    let cfgs = &method.carried.cfgs;
    let path = format!("{}/{}", service.wire_name, method.wire_name);
    let kind = quote::format_ident!("{}", method.kind());
    let names = method.values().map(|arg| arg.ident.unraw().to_string());
    let options = expand_options(method, &service.rt);
    let by_codec = service
        .has_own_codec
        .then(|| quote! { .bare_by_codec(IS_BARE) });
    let doc = expand_doc(&method.carried);
    quote! {
        #cfgs
        MethodDescriptor::new(#path, MethodKind::#kind, &[#(#names),*]) #by_codec #options #doc
    }
}

fn expand_options(method: &Method, rt: &TokenStream) -> TokenStream {
    let options = &method.options;
    let flags = [
        (options.idempotent.is_some(), quote! { .idempotent() }),
        (options.read_only.is_some(), quote! { .read_only() }),
        (options.once.is_some(), quote! { .once() }),
        (options.resumable.is_some(), quote! { .resumable() }),
        (options.blocking.is_some(), quote! { .blocking() }),
        (options.bare.is_some(), quote! { .bare() }),
        (
            !method.carried.deprecated.is_empty(),
            quote! { .deprecated() },
        ),
    ];
    let flags = flags
        .into_iter()
        .filter(|(is_set, _)| *is_set)
        .map(|(_, call)| call);
    let timeout = options.timeout_millis.iter().map(|millis| {
        quote! { .timeout(::core::time::Duration::from_millis(#millis)) }
    });
    let since = options.since.iter().map(|since| quote! { .since(#since) });
    let priority = options
        .priority
        .iter()
        .map(|priority| quote! { .priority(#rt::Priority::#priority) });
    quote! { #(#flags)* #(#priority)* #(#timeout)* #(#since)* }
}

fn expand_doc(carried: &Carried) -> TokenStream {
    match carried.doc_text.as_str() {
        "" => TokenStream::new(),
        text => quote! { .doc(#text) },
    }
}
