//! The mock: a struct with a field per method, which says what it was told to and remembers what it was asked.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt as _;

use super::expand_allow;
use crate::model::{ArgKind, Method, Service};
use crate::names;

/// `GreeterMock`, if it was asked for; without a mistake in the trait it implements that.
pub(super) fn expand_mock(service: &Service) -> Option<TokenStream> {
    service.mock.as_ref()?;
    if service.is_hollow || !service.is_complete() {
        return None;
    }
    let structure = expand_struct(service);
    let (cfgs, ident) = (&service.carried.cfgs, &service.ident);
    let mock_ident = names::mock_ident(ident);
    let allow = expand_allow(service);
    let methods = service
        .sound_methods()
        .map(|method| expand_method(method, service));
    Some(quote! {
        #structure

        #cfgs
        #allow
        impl #ident for #mock_ident {
            #(#methods)*
        }
    })
}

fn expand_struct(service: &Service) -> TokenStream {
    let Service { vis, ident, rt, .. } = service;
    let cfgs = &service.carried.cfgs;
    let mock_ident = names::mock_ident(ident);
    let allow = expand_allow(service);
    let doc = format!(
        " Stands in for a [`{}`] in tests: it answers as its fields are told to, which remember what they were asked.",
        ident.unraw()
    );
    let fields = service
        .sound_methods()
        .map(|method| expand_field(method, service));
    let made = service.sound_methods().map(|method| {
        let Method { ident, carried, .. } = method;
        let cfgs = &carried.cfgs;
        let path = format!("{}/{}", service.wire_name, method.wire_name);
        quote! { #cfgs #ident: #rt::MockMethod::new(#path) }
    });
    quote! {
        #cfgs
        #[doc = #doc]
        #[derive(::core::clone::Clone, ::core::fmt::Debug)]
        #allow
        #[allow(non_camel_case_types)]
        #vis struct #mock_ident {
            #(#fields,)*
        }

        #cfgs
        #allow
        impl #mock_ident {
            /// Makes a mock of which no method has an answer yet.
            #vis fn new() -> Self {
                Self { #(#made,)* }
            }
        }
    }
}

/// `pub add: MockMethod<(i64, i64,), i64>`
fn expand_field(method: &Method, service: &Service) -> TokenStream {
    let Service { vis, rt, .. } = service;
    let Method {
        ident,
        carried,
        output,
        ..
    } = method;
    let cfgs = &carried.cfgs;
    let args = method.client_args().map(|arg| {
        let ty = &arg.ty;
        match arg.kind {
            ArgKind::Upload => quote! { ::std::vec::Vec<::core::result::Result<#ty, #rt::Status>> },
            ArgKind::Value | ArgKind::Context => quote! { #ty },
        }
    });
    let ty = &output.ty;
    let returned = if output.is_stream() {
        quote! { ::std::vec::Vec<#ty> }
    } else {
        quote! { #ty }
    };
    let doc = format!(
        " What [`{}::{}`] does.",
        service.ident.unraw(),
        ident.unraw()
    );
    quote! {
        #cfgs
        #[doc = #doc]
        #vis #ident: #rt::MockMethod<(#(#args,)*), #returned>
    }
}

/// The method asks its field.
fn expand_method(method: &Method, service: &Service) -> TokenStream {
    let Method {
        ident,
        carried,
        output,
        ..
    } = method;
    let cfgs = &carried.cfgs;
    let params = method.args.iter().map(|arg| {
        let (name, ty) = (&arg.ident, &arg.written);
        match arg.kind {
            ArgKind::Context => quote! { _: #ty },
            ArgKind::Value | ArgKind::Upload => quote! { #name: #ty },
        }
    });
    let is_blocking = method.options.blocking.is_some() && method.upload().is_none();
    let (asyncness, returned) = match &output.stream {
        Some(stream) => (None, quote! { #stream + ::core::marker::Send }),
        None => {
            let ty = &output.ty;
            ((!is_blocking).then(|| quote! { async }), quote! { #ty })
        }
    };
    let body = expand_body(method, service);
    quote! {
        #cfgs
        #asyncness fn #ident(&self, #(#params),*) -> #returned {
            #body
        }
    }
}

fn expand_body(method: &Method, service: &Service) -> TokenStream {
    let rt = &service.rt;
    let Method { ident, output, .. } = method;
    let values = method.client_args().map(|arg| &arg.ident);
    let args = quote! { (#(#values,)*) };
    let upload = method.upload().map(|arg| &arg.ident);
    match (output.is_stream(), upload) {
        (true, None) => quote! { self.#ident.items(#args) },
        (true, Some(upload)) => {
            quote! { self.#ident.items_behind(#upload, move |#upload| #args) }
        }
        (false, None) => quote! { self.#ident.call(#args) },
        (false, Some(upload)) => quote! {
            let #upload = #rt::uploaded(#upload).await;
            self.#ident.call(#args)
        },
    }
}
