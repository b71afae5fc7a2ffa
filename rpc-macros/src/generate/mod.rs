//! From model to tokens. Paths are absolute and names are out of the user's way, so the code
//! works in modules without a prelude, with a renamed runtime, and beside types called `Result`.

mod client;
mod descriptor;
mod mock;
mod refused;
mod server;
mod service_trait;

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{ItemTrait, Type};

use crate::model::{Method, Service};
use crate::types::{located_at, suspect_span};

/// The trait, its client and its server, and its mock if it was asked for.
pub(crate) fn expand_service(item: &ItemTrait, service: &Service) -> TokenStream {
    let service_trait = service_trait::expand_trait(item, service);
    let client = client::expand_client(service);
    let server = server::expand_server(service);
    let mock = mock::expand_mock(service);
    let refused = refused::expand_refused(service);
    quote! { #service_trait #client #server #mock #refused }
}

/// The values of a call, which travel as one tuple.
struct Tuple {
    /// `(a, b,)`
    values: TokenStream,
    /// `(A, B,)`
    types: TokenStream,
    /// The type that is most likely to miss what the codec needs: there such errors are shown.
    span: Span,
}

fn expand_tuple(method: &Method) -> Tuple {
    let idents = method.values().map(|arg| &arg.ident);
    let types: Vec<&Type> = method.values().map(|arg| &arg.ty).collect();
    let suspect = suspect_span(types.iter().copied()).unwrap_or_else(|| method.output.ty.span());
    let span = located_at(suspect);
    Tuple {
        values: quote_spanned! {span=> (#(#idents,)*) },
        types: quote_spanned! {span=> (#(#types,)*) },
        span,
    }
}

/// The lints that generated code, and the user's types in it, must not set off a second time. `deprecated` only where that
/// can be: a crate may forbid it.
fn expand_allow(service: &Service) -> TokenStream {
    let methods = service.methods.iter().map(|method| &method.carried);
    let mut all = methods.chain([&service.carried]);
    let deprecated = all
        .any(|carried| carried.mentions_deprecated)
        .then(|| quote! { deprecated, });
    quote! { #[allow(dead_code, #deprecated clippy::all, clippy::pedantic, clippy::nursery)] }
}
