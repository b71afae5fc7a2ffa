//! From model to tokens. Paths are absolute and names are out of the user's way, so the code
//! works in modules without a prelude, with a renamed runtime, and beside types called `Result`.

mod client;
mod descriptor;
mod server;
mod service_trait;

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ItemTrait;

use crate::model::{Arg, Service};
use crate::types::{located_at, suspect_span};

/// The trait, its client and its server.
pub(crate) fn expand_service(item: &ItemTrait, service: &Service) -> TokenStream {
    let service_trait = service_trait::expand_trait(item, service);
    let client = client::expand_client(service);
    let server = server::expand_server(service);
    quote! { #service_trait #client #server }
}

/// The tuple of the names of `args`, and that of their types. They are shown at the type that is
/// most likely to miss what the codec needs.
fn expand_tuples<'a>(args: impl Iterator<Item = &'a Arg>) -> (TokenStream, TokenStream) {
    let args: Vec<&Arg> = args.collect();
    let idents = args.iter().map(|arg| &arg.ident);
    let types = args.iter().map(|arg| &arg.ty);
    let suspect = suspect_span(types.clone()).unwrap_or_else(Span::call_site);
    let span = located_at(suspect);
    (
        quote_spanned! {span=> (#(#idents,)*) },
        quote_spanned! {span=> (#(#types,)*) },
    )
}

/// The lints that generated code, and the user's types in it, must not set off a second time.
fn expand_allow() -> TokenStream {
    quote! { #[allow(dead_code, deprecated, clippy::all, clippy::pedantic, clippy::nursery)] }
}
