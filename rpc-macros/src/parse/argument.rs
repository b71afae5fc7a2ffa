//! The arguments of a method.

use proc_macro2::Ident;
use syn::ext::IdentExt as _;
use syn::{FnArg, Pat, PatIdent, PatType, PathArguments, Signature, Type, TypeReference};

use crate::errors::Errors;
use crate::model::{Arg, ArgKind};
use crate::names::RESERVED_PREFIX;
use crate::types::{check_owned, is_named, last_segment, mentions, peel, source, type_arguments};

/// The runtime encodes tuples up to this size.
const MAX_VALUES: usize = 16;

/// The arguments of one method, in their order. Those with a mistake are counted all the same, so
/// that one mistake does not lead to a second message about the number.
#[derive(Default)]
pub(super) struct Arguments {
    args: Vec<Arg>,
    values: usize,
    uploads: usize,
    contexts: usize,
    client_args: Vec<Option<Type>>,
}

impl Arguments {
    pub(super) fn into_args(self) -> Vec<Arg> {
        self.args
    }

    /// How many travel as the tuple of arguments.
    pub(super) fn values(&self) -> usize {
        self.values
    }

    /// What a client passes: the types of values, where a client could have them at all.
    pub(super) fn client_args(&self) -> &[Option<Type>] {
        &self.client_args
    }

    pub(super) fn has_upload(&self) -> bool {
        self.uploads > 0
    }
}

pub(super) fn parse_arguments(sig: &Signature, errors: &mut Errors) -> Arguments {
    let mut arguments = Arguments::default();
    let mut names = Vec::new();
    for input in &sig.inputs {
        let FnArg::Typed(input) = input else { continue };
        check_attributes(input, errors);
        let ident = parse_name(&input.pat, &mut names, errors);
        let kind = parse_kind(input, &mut arguments, errors);
        if !is_context(peel(&input.ty)) {
            let ty = input.ty.as_ref();
            let is_known = !mentions(ty, &["Self", "Streaming", "_"]);
            arguments.client_args.push(is_known.then(|| ty.clone()));
        }
        if let (Some(ident), Some((kind, ty))) = (ident, kind) {
            arguments.args.push(Arg {
                ident,
                ty,
                written: (*input.ty).clone(),
                kind,
            });
        }
    }
    arguments
}

fn check_attributes(input: &PatType, errors: &mut Errors) {
    for attr in &input.attrs {
        if attr.path().is_ident("cfg") || attr.path().is_ident("cfg_attr") {
            errors.push(
                attr,
                "an argument cannot depend on a condition, as both sides have to agree on it\n\
                 (write the method twice, each with its own `#[cfg(..)]`)",
            );
        }
    }
}

/// A plain, new name.
fn parse_name(pat: &Pat, names: &mut Vec<Ident>, errors: &mut Errors) -> Option<Ident> {
    let ident = match plain_name(pat) {
        Ok(ident) => ident,
        Err(message) => {
            errors.push(pat, message);
            return None;
        }
    };
    // `r#a` and `a` are one name on the wire.
    if names.contains(&ident.unraw()) {
        errors.push(
            ident,
            format!("argument `{}` is given twice", ident.unraw()),
        );
        return None;
    }
    names.push(ident.unraw());
    if ident.to_string().starts_with(RESERVED_PREFIX) {
        errors.push(
            ident,
            "names that begin with `__rpc_` are reserved\n(rename the argument)",
        );
        return None;
    }
    Some(ident.clone())
}

fn plain_name(pat: &Pat) -> Result<&Ident, &'static str> {
    match pat {
        Pat::Ident(PatIdent {
            by_ref: None,
            mutability: None,
            subpat: None,
            ident,
            ..
        }) => Ok(ident),
        Pat::Ident(PatIdent {
            mutability: Some(_),
            by_ref: None,
            subpat: None,
            ..
        }) => Err("the arguments of a trait method have no `mut`\n\
                   (write `mut` where the method is implemented)"),
        Pat::Wild(_) => Err("arguments are sent by name, found `_`\n(write a name)"),
        _ => Err("arguments are sent by name, found a pattern\n\
                  (write a name, and take the value apart where the method is implemented)"),
    }
}

/// What the type says about how an argument travels.
fn parse_kind(
    input: &PatType,
    arguments: &mut Arguments,
    errors: &mut Errors,
) -> Option<(ArgKind, Type)> {
    let ty = peel(&input.ty);
    if let Type::Reference(reference) = ty
        && is_named(&reference.elem, "Context")
    {
        check_context(reference, arguments, errors);
        return Some((ArgKind::Context, input.ty.as_ref().clone()));
    }
    if is_context_value(ty) {
        errors.push(
            ty,
            "the context of a call is lent to the method\n\
             (write `&Context`; if this is a message of your own, give it another name)",
        );
        return None;
    }
    if is_named(ty, "Streaming") {
        return parse_upload(ty, arguments, errors);
    }
    arguments.values += 1;
    if arguments.values == MAX_VALUES + 1 {
        errors.push(
            input,
            format!(
                "RPC methods have at most {MAX_VALUES} arguments\n(put some of them into a struct)"
            ),
        );
    }
    check_owned(&input.ty, errors);
    Some((ArgKind::Value, input.ty.as_ref().clone()))
}

fn check_context(reference: &TypeReference, arguments: &mut Arguments, errors: &mut Errors) {
    arguments.contexts += 1;
    if reference.mutability.is_some() || reference.lifetime.is_some() {
        errors.push(
            reference,
            "the context of a call is shared\n(write `&Context`)",
        );
    } else if arguments.contexts > 1 {
        errors.push(
            reference,
            "a call has one context\n(remove the second `&Context`)",
        );
    }
}

/// Also where it is not lent as it should be, which is another mistake.
fn is_context(ty: &Type) -> bool {
    match ty {
        Type::Reference(reference) => is_named(&reference.elem, "Context"),
        _ => is_context_value(ty),
    }
}

fn is_context_value(ty: &Type) -> bool {
    last_segment(ty).is_some_and(|last| {
        last.ident == "Context" && matches!(last.arguments, PathArguments::None)
    })
}

fn parse_upload(
    ty: &Type,
    arguments: &mut Arguments,
    errors: &mut Errors,
) -> Option<(ArgKind, Type)> {
    arguments.uploads += 1;
    if arguments.uploads > 1 {
        errors.push(
            ty,
            "a call can upload one stream\n(merge the streams into one of an enum)",
        );
    }
    let items = type_arguments(last_segment(ty)?);
    let [item] = items.as_slice() else {
        errors.push(
            ty,
            format!(
                "`Streaming` takes the type of its items, found `{}`\n(write `Streaming<T>`)",
                source(ty)
            ),
        );
        return None;
    };
    check_owned(item, errors);
    Some((ArgKind::Upload, (*item).clone()))
}

/// Replaces patterns and repeated names by `_`: both have been reported, and rustc would report
/// them again.
pub(super) fn defuse_patterns(sig: &mut Signature) {
    let mut names: Vec<Ident> = Vec::new();
    for input in &mut sig.inputs {
        let FnArg::Typed(input) = input else { continue };
        match plain_name(&input.pat) {
            Ok(ident) if !names.contains(&ident.unraw()) => names.push(ident.unraw()),
            _ => *input.pat = syn::parse_quote!(_),
        }
    }
}
