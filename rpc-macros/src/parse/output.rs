//! What a method returns, and with it the kind of the method.

use proc_macro2::Span;
use syn::spanned::Spanned as _;
use syn::{ReturnType, Signature, Type, TypeImplTrait, TypeTuple};

use crate::attr::MethodOptions;
use crate::errors::Errors;
use crate::model::Output;
use crate::types::{check_owned, is_fallible, is_named, item_type, located_at, peel, trait_bound};

pub(super) fn parse_output(
    sig: &Signature,
    options: &MethodOptions,
    errors: &mut Errors,
) -> Option<Output> {
    let ty = match &sig.output {
        ReturnType::Default => unit_type(located_at(sig.ident.span())),
        ReturnType::Type(_, ty) => ty.as_ref().clone(),
    };
    match peel(&ty) {
        Type::ImplTrait(stream) => parse_stream(stream, sig, options, errors),
        _ => parse_value(ty, sig, options, errors),
    }
}

/// The `()` that a method without a return type returns, shown at its name.
fn unit_type(span: Span) -> Type {
    Type::Tuple(TypeTuple {
        attrs: Vec::new(),
        paren_token: syn::token::Paren(span),
        elems: syn::punctuated::Punctuated::new(),
    })
}

fn parse_value(
    ty: Type,
    sig: &Signature,
    options: &MethodOptions,
    errors: &mut Errors,
) -> Option<Output> {
    match (&sig.asyncness, &options.blocking) {
        (Some(_), Some(blocking)) => errors.push(
            blocking,
            "`blocking` is for methods that are not `async`\n(remove one of the two)",
        ),
        (None, None) if !is_named(&ty, "Streaming") => errors.push(
            sig.fn_token,
            "RPC methods are `async`, unless they return a stream or block their thread\n\
             (write `async fn`, or `-> impl Stream<Item = T>`, or `#[rpc(blocking)]`)",
        ),
        _ => {}
    }
    check_owned(&ty, errors);
    let is_fallible = is_fallible(&ty);
    Some(Output {
        ty,
        stream: None,
        is_fallible,
    })
}

fn parse_stream(
    ty: &TypeImplTrait,
    sig: &Signature,
    options: &MethodOptions,
    errors: &mut Errors,
) -> Option<Output> {
    let Some(stream) = trait_bound(ty, "Stream") else {
        refuse_impl_trait(ty, errors);
        return None;
    };
    if let Some(token) = &sig.asyncness {
        errors.push(
            token,
            "a method that returns a stream is not `async`: it returns the stream at once\n\
             (remove `async`; what has to be awaited is awaited inside the stream)",
        );
    }
    if let Some(blocking) = &options.blocking {
        errors.push(
            blocking,
            "a method that returns a stream cannot be `blocking`\n(remove `blocking`)",
        );
    }
    let Some(item) = item_type(stream) else {
        errors.push(
            stream,
            "the stream does not say what it yields\n(write `impl Stream<Item = T>`)",
        );
        return None;
    };
    check_owned(item, errors);
    Some(Output {
        ty: item.clone(),
        stream: Some(Type::ImplTrait(ty.clone())),
        is_fallible: is_fallible(item),
    })
}

fn refuse_impl_trait(ty: &TypeImplTrait, errors: &mut Errors) {
    let message = if trait_bound(ty, "Future").is_some() {
        "a method that returns a future is written as one that is `async`\n\
         (write `async fn`, and the type that the future yields)"
    } else {
        "the only `impl Trait` that RPC methods can return is a stream\n\
         (write the type itself, or `impl Stream<Item = T>`)"
    };
    errors.push_at(ty.span(), message);
}
