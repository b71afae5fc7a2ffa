//! The trait: what the user wrote, with its futures and streams promised to be `Send`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{ItemTrait, ReturnType, TraitItem, TraitItemFn, Type};

use crate::model::Service;
use crate::types::{located_at, peel};

pub(super) fn expand_trait(item: &ItemTrait, service: &Service) -> TokenStream {
    let ItemTrait {
        attrs,
        vis,
        unsafety,
        trait_token,
        ident,
        generics,
        ..
    } = item;
    let (_, _, where_clause) = generics.split_for_impl();
    let params = &generics.params;
    let params = (!params.is_empty()).then(|| quote! { <#params> });
    let supertraits = item.supertraits.iter();
    let members = item
        .items
        .iter()
        .enumerate()
        .map(|(position, member)| match member {
            TraitItem::Fn(function) if is_sound(position, service) => expand_method(function),
            other => other.to_token_stream(),
        });
    quote! {
        #(#attrs)*
        #vis #unsafety #trait_token #ident #params:
            #(#supertraits +)* ::core::marker::Send + ::core::marker::Sync + 'static
        #where_clause
        {
            #(#members)*
        }
    }
}

/// Methods with mistakes stay as they are.
fn is_sound(position: usize, service: &Service) -> bool {
    service
        .methods
        .iter()
        .any(|method| method.position == position)
}

fn expand_method(function: &TraitItemFn) -> TokenStream {
    let attrs = &function.attrs;
    let sig = &function.sig;
    let (fn_token, ident, inputs) = (&sig.fn_token, &sig.ident, &sig.inputs);
    let output = match &sig.asyncness {
        Some(token) => expand_future(&sig.output, located_at(token.span)),
        None => expand_output(&sig.output),
    };
    let body = match (&function.default, &sig.asyncness) {
        (None, _) => function.semi_token.to_token_stream(),
        (Some(block), None) => block.to_token_stream(),
        (Some(block), Some(token)) => {
            quote_spanned! {located_at(token.span)=> { async move #block } }
        }
    };
    quote! { #(#attrs)* #fn_token #ident(#inputs) #output #body }
}

/// `-> impl Future<Output = T> + Send` for the `T` of an `async fn`.
fn expand_future(output: &ReturnType, span: proc_macro2::Span) -> TokenStream {
    let (arrow, ty) = match output {
        ReturnType::Default => (quote_spanned! {span=> -> }, quote_spanned! {span=> () }),
        ReturnType::Type(arrow, ty) => (arrow.to_token_stream(), ty.to_token_stream()),
    };
    quote_spanned! {span=>
        #arrow impl ::core::future::Future<Output = #ty> + ::core::marker::Send
    }
}

/// Streams are `Send` like futures; everything else stays.
fn expand_output(output: &ReturnType) -> TokenStream {
    if let ReturnType::Type(arrow, ty) = output
        && let Type::ImplTrait(stream) = peel(ty)
    {
        let bounds = stream.bounds.iter();
        let impl_token = &stream.impl_token;
        let send = quote_spanned! {located_at(stream.span())=> ::core::marker::Send };
        return quote! { #arrow #impl_token #(#bounds +)* #send };
    }
    output.to_token_stream()
}
