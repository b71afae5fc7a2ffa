//! Methods with mistakes, on the client: whoever calls one must see its mistake, and not "no method
//! named `greet`" at every call.

use proc_macro2::TokenStream;
use quote::quote;

use super::expand_allow;
use crate::errors::Errors;
use crate::model::{LostMethod, Service};
use crate::names;

/// Functions of the right names, with the type that the compiler itself gives to what it could not
/// make sense of. It is the type of a `compile_error!`, goes with every other type, and nothing is
/// complained about twice.
pub(super) fn expand_refused(service: &Service, errors: &mut Errors) -> Option<TokenStream> {
    let refused = service.refused_methods();
    if refused.is_empty() {
        return None;
    }
    let mistake = errors.take_first()?;
    let Service {
        vis, client_ident, ..
    } = service;
    let cfgs = &service.carried.cfgs;
    let unknown = names::refused_ident(&service.ident);
    let functions = refused.iter().map(|method| {
        let LostMethod { ident, client_args } = method;
        let params = (0..*client_args).map(|_| quote! { _: #unknown });
        quote! { #vis fn #ident(&self, #(#params),*) -> #unknown { loop {} } }
    });
    let allow = expand_allow();
    Some(quote! {
        #cfgs
        #[allow(dead_code, non_camel_case_types)]
        type #unknown = #mistake;

        #cfgs
        #[allow(missing_docs)]
        #allow
        impl #client_ident {
            #(#functions)*
        }
    })
}
