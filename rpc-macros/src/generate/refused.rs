//! Methods with mistakes, on the client: whoever calls one must see its mistake, and not "no method
//! named `greet`" at every call.

use proc_macro2::TokenStream;
use quote::quote;

use super::client::expand_output;
use super::expand_allow;
use crate::model::{LostMethod, Service};

/// Functions of the right names, which take what may be meant. Their bodies are never run, as
/// there is an error beside them.
pub(super) fn expand_refused(service: &Service) -> Option<TokenStream> {
    let refused = service.refused_methods();
    if refused.is_empty() {
        return None;
    }
    let Service {
        vis, client_ident, ..
    } = service;
    let cfgs = &service.carried.cfgs;
    let allow = expand_allow(service);
    let functions = refused
        .iter()
        .map(|method| expand_function(method, service));
    Some(quote! {
        #cfgs
        #[allow(missing_docs)]
        #allow
        impl #client_ident {
            #(#vis #functions)*
        }
    })
}

fn expand_function(method: &LostMethod, service: &Service) -> TokenStream {
    let (ident, generics) = (&method.ident, &method.params);
    let params = method.client_args.iter().map(|ty| match ty {
        Some(ty) if !service.is_hollow => quote! { _: #ty },
        _ => quote! { _: impl ::core::marker::Sized },
    });
    let output = match &method.output {
        Some(output) if !service.is_hollow => expand_output(output, service),
        _ => {
            let rt = &service.rt;
            quote! { #rt::Call<()> }
        }
    };
    quote! { fn #ident<#generics>(&self, #(#params),*) -> #output { loop {} } }
}
