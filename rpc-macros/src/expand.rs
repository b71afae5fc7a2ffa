//! The way of `#[rpc_service]` from tokens to tokens: options and trait in, expansion out.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::{Item, ItemTrait};

use crate::attr::ServiceOptions;
use crate::errors::Errors;
use crate::{check, generate, parse};

/// Expands `#[rpc_service(attr)] item`.
pub(crate) fn expand(attr: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let options = ServiceOptions::parse(attr, &mut errors);
    let mut item = match syn::parse2::<ItemTrait>(item.clone()) {
        Ok(item) => item,
        Err(error) => return refuse_item(item, error, errors),
    };
    let mut service = parse::parse_service(options, &mut item, &mut errors);
    check::check_service(&mut service, &mut errors);
    // The trait comes first and always: whoever made a mistake must see that mistake, and not
    // "cannot find trait" wherever the trait is used.
    let generated = generate::expand_service(&item, &service);
    let errors = errors.into_compile_errors();
    quote! { #generated #errors }
}

/// What is not a trait is handed back untouched, beside the reason.
fn refuse_item(item: TokenStream, error: syn::Error, mut errors: Errors) -> TokenStream {
    match syn::parse2::<Item>(item.clone()) {
        Ok(parsed) => {
            let (span, found) = describe_item(&parsed);
            errors.push_at(
                span,
                format!(
                    "`#[rpc_service]` goes on a trait, found {found}\n\
                     (write `#[rpc_service] trait Greeter {{ .. }}`, and implement the trait for \
                     the type that serves it)"
                ),
            );
        }
        Err(_) => errors.extend(error),
    }
    let errors = errors.into_compile_errors();
    quote! { #item #errors }
}

fn describe_item(item: &Item) -> (Span, &'static str) {
    match item {
        Item::Struct(item) => (item.struct_token.span, "a struct"),
        Item::Enum(item) => (item.enum_token.span, "an enum"),
        Item::Fn(item) => (item.sig.fn_token.span, "a function"),
        Item::Impl(item) => (item.impl_token.span, "an `impl` block"),
        Item::Mod(item) => (item.mod_token.span, "a module"),
        Item::TraitAlias(item) => (item.trait_token.span, "a trait alias"),
        Item::Type(item) => (item.type_token.span, "a type alias"),
        other => {
            let first = other.to_token_stream().into_iter().next();
            let span = first.map_or_else(Span::call_site, |token| token.span());
            (span, "another item")
        }
    }
}
