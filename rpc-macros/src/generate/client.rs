//! The client: a struct with one thin function per method.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;

use super::descriptor::expand_descriptor;
use super::{Tuple, expand_allow, expand_tuple};
use crate::model::{Arg, ArgKind, Method, Output, Service};
use crate::names;
use crate::types::{ident_at, located_at, path_at};

pub(super) fn expand_client(service: &Service) -> TokenStream {
    let Service {
        vis,
        ident,
        client_ident,
        rt,
        codec,
        ..
    } = service;
    let cfgs = &service.carried.cfgs;
    let doc = format!(
        " Calls the methods of [`{}`], over a channel or in this process.",
        ident.unraw()
    );
    let descriptor = expand_descriptor(service);
    let functions = expand_functions(service);
    let client_trait = expand_client_trait(service);
    quote! {
        #cfgs
        #[doc = #doc]
        #[derive(::core::clone::Clone, ::core::fmt::Debug)]
        #[allow(dead_code, non_camel_case_types)]
        #vis struct #client_ident {
            client: #rt::Client<#codec>,
        }

        #cfgs
        impl #rt::RpcClient for #client_ident {
            const SERVICE: &'static #rt::ServiceDescriptor = #descriptor;

            fn from_channel(channel: #rt::Channel) -> Self {
                Self { client: #rt::Client::new(channel) }
            }
        }

        #functions
        #client_trait
    }
}

fn expand_functions(service: &Service) -> TokenStream {
    let Service {
        vis,
        client_ident,
        rt,
        ..
    } = service;
    let cfgs = &service.carried.cfgs;
    let allow = expand_allow(service);
    let descriptor = names::client_descriptor();
    let methods = service
        .sound_methods()
        .map(|method| expand_method(method, service));
    quote! {
        #cfgs
        #allow
        impl #client_ident {
            const #descriptor: &'static #rt::ServiceDescriptor = <Self as #rt::RpcClient>::SERVICE;

            /// Makes a client of a service in this process, or of a channel.
            #vis fn new(service: impl #rt::Service) -> Self {
                Self { client: #rt::Client::new(#rt::Channel::new(service)) }
            }

            /// Connects to the service at an address, such as `tcp://127.0.0.1:8080`.
            #vis fn connect(target: impl #rt::IntoTarget) -> #rt::Connect<Self> {
                #rt::Connect::new(target)
            }

            #(#methods)*
        }
    }
}

fn expand_method(method: &Method, service: &Service) -> TokenStream {
    let Service { vis, rt, .. } = service;
    let Method {
        ident,
        wire_name,
        carried,
        ..
    } = method;
    let (cfgs, deprecated) = (&carried.cfgs, &carried.deprecated);
    let docs = expand_docs(method, service);
    let params = method.client_args().map(|arg| expand_param(arg, rt));
    let output = expand_output(&method.output, service);
    let descriptor = names::client_descriptor();
    let handle = quote! { const { Self::#descriptor.method(#wire_name) } };
    // An expression is shown from its first token to its last. All of this one is at the returned
    // type, but for the arguments, which have errors of their own.
    let span = located_at(method.output.ty.span());
    let Tuple { values, .. } = expand_tuple(method);
    let call = if method.options.bare.is_some() {
        let request = method.values().map(|arg| {
            let mut ident = arg.ident.clone();
            ident.set_span(ident.span().located_at(arg.ty.span()));
            ident
        });
        quote_spanned! {span=> call_bare(#handle, #(#request),*) }
    } else {
        quote_spanned! {span=> call(#handle, #values) }
    };
    let upload = method.upload().map(|arg| {
        let Arg { ident, ty, .. } = arg;
        quote_spanned! {located_at(ty.span())=> .upload::<#ty>(#ident) }
    });
    let finish = expand_finish(method);
    let client = quote_spanned! {span=> self.client };
    quote! {
        #cfgs #docs #deprecated
        #vis fn #ident(&self, #(#params),*) -> #output {
            #client.#call #upload #finish
        }
    }
}

fn expand_docs(method: &Method, service: &Service) -> TokenStream {
    if !method.carried.docs.is_empty() {
        return method.carried.docs.clone();
    }
    let doc = format!(
        " Calls [`{}::{}`].",
        service.ident.unraw(),
        method.ident.unraw()
    );
    quote! { #[doc = #doc] }
}

fn expand_param(arg: &Arg, rt: &TokenStream) -> TokenStream {
    let Arg { ident, ty, .. } = arg;
    match arg.kind {
        ArgKind::Upload => quote! { #ident: impl #rt::IntoStreaming<#ty> },
        ArgKind::Value | ArgKind::Context => quote! { #ident: #ty },
    }
}

/// The builder that the method returns.
pub(super) fn expand_output(output: &Output, service: &Service) -> TokenStream {
    let Service { rt, codec, .. } = service;
    let ty = &output.ty;
    let name = match (output.is_stream(), output.is_fallible) {
        (false, false) => "Call",
        (false, true) => "FallibleCall",
        (true, false) => "ResponseStream",
        (true, true) => "FallibleStream",
    };
    let name = ident_at(name, ty.span());
    let rt = path_at(rt, ty.span());
    let span = located_at(ty.span());
    if output.is_fallible {
        quote_spanned! {span=> #rt::#name<#ty, #codec> }
    } else {
        quote_spanned! {span=> #rt::#name<#ty> }
    }
}

fn expand_finish(method: &Method) -> TokenStream {
    let ty = &method.output.ty;
    let span = located_at(ty.span());
    match (method.output.is_stream(), method.output.is_fallible) {
        (false, false) => quote_spanned! {span=> .unary::<#ty>() },
        (false, true) => quote_spanned! {span=> .fallible::<#ty>() },
        (true, false) => quote_spanned! {span=> .stream::<#ty>() },
        (true, true) => quote_spanned! {span=> .fallible_stream::<#ty>() },
    }
}

/// `impl Greeter for GreeterClient`, if it was asked for and no method is missing.
fn expand_client_trait(service: &Service) -> Option<TokenStream> {
    service.client_trait.as_ref()?;
    if service.is_hollow || !service.is_complete() {
        return None;
    }
    let Service {
        ident,
        client_ident,
        ..
    } = service;
    let cfgs = &service.carried.cfgs;
    let allow = expand_allow(service);
    let methods = service
        .sound_methods()
        .map(|method| expand_forward(method, client_ident));
    Some(quote! {
        #cfgs
        #allow
        impl #ident for #client_ident {
            #(#methods)*
        }
    })
}

/// Calls the client's function of the same name, which a path to the struct finds before that of
/// the trait.
fn expand_forward(method: &Method, client_ident: &syn::Ident) -> TokenStream {
    let ident = &method.ident;
    let cfgs = &method.carried.cfgs;
    let params = method.args.iter().map(|arg| {
        let ty = &arg.written;
        match arg.kind {
            // The context of the caller reaches the call by itself.
            ArgKind::Context => quote! { _: #ty },
            ArgKind::Value | ArgKind::Upload => {
                let ident = &arg.ident;
                quote! { #ident: #ty }
            }
        }
    });
    let values = method.client_args().map(|arg| &arg.ident);
    let span = located_at(method.output.ty.span());
    let call = quote_spanned! {span=> #client_ident::#ident(self, #(#values),*) };
    match &method.output.stream {
        Some(stream) => {
            let body = quote_spanned! {span=> { #call } };
            quote! {
                #cfgs
                fn #ident(&self, #(#params),*) -> #stream + ::core::marker::Send #body
            }
        }
        None => {
            let ty = &method.output.ty;
            let body = quote_spanned! {span=> { #call.await } };
            quote! {
                #cfgs
                async fn #ident(&self, #(#params),*) -> #ty #body
            }
        }
    }
}
