//! From syntax to model: each method by itself, with all that is wrong with it.

mod argument;
mod method;
mod output;

use quote::{ToTokens, quote};
use syn::ext::IdentExt as _;
use syn::{ItemTrait, TraitItem};

use crate::attr::{ServiceOptions, carried, take_rpc};
use crate::errors::Errors;
use crate::model::{Carried, LostMethod, Method, Service};
use crate::names;

/// Reads a trait. What only `#[rpc_service]` understands is taken out of `item`, and methods with
/// mistakes are brought into a form that rustc does not complain about a second time.
pub(crate) fn parse_service(
    options: ServiceOptions,
    item: &mut ItemTrait,
    errors: &mut Errors,
) -> Service {
    check_trait(item, errors);
    let (wire_name, version) = parse_name(&options, item, errors);
    let root = match &options.crate_path {
        Some(path) => path.to_token_stream(),
        None => quote!(::rpc_runtime),
    };
    let rt = quote!(#root::__private);
    let codec = match &options.codec {
        Some(path) => path.to_token_stream(),
        None => quote!(#rt::Serde),
    };
    let members = parse_members(item, &options, errors);
    Service {
        vis: item.vis.clone(),
        ident: item.ident.clone(),
        client_ident: names::client_ident(&item.ident),
        server_ident: names::server_ident(&item.ident),
        wire_name,
        version,
        fingerprint: options.fingerprint,
        descriptors: options.descriptors,
        carried: parse_carried(item, errors),
        rt,
        codec,
        has_own_codec: options.codec.is_some(),
        client_trait: options.client_trait,
        mock: options.mock,
        methods: members.methods,
        has_losses: members.has_losses,
        lost_methods: members.lost_methods,
        is_hollow: !item.generics.params.is_empty(),
    }
}

/// What is in the trait.
#[derive(Default)]
struct Members {
    methods: Vec<Method>,
    lost_methods: Vec<LostMethod>,
    has_losses: bool,
}

fn parse_members(item: &mut ItemTrait, options: &ServiceOptions, errors: &mut Errors) -> Members {
    let mut members = Members::default();
    for (position, member) in item.items.iter_mut().enumerate() {
        match member {
            TraitItem::Fn(function) => {
                match method::parse_method(position, function, options, errors) {
                    Ok(method) => members.methods.push(method),
                    Err(lost) => {
                        members.has_losses = true;
                        members.lost_methods.push(*lost);
                    }
                }
            }
            other => {
                members.has_losses = true;
                check_member(other, errors);
            }
        }
    }
    members
}

fn parse_carried(item: &mut ItemTrait, errors: &mut Errors) -> Carried {
    for tokens in take_rpc(&mut item.attrs, errors) {
        errors.push(
            tokens,
            "`#[rpc(..)]` goes on methods\n(options of the service go into `#[rpc_service(..)]`)",
        );
    }
    carried(&item.attrs)
}

fn check_trait(item: &mut ItemTrait, errors: &mut Errors) {
    if !item.generics.params.is_empty() {
        errors.push(
            &item.generics,
            "a service cannot be generic, as its messages have one form on the wire\n\
             (move the type into the messages, or write one trait per type)",
        );
    }
    if let Some(token) = &item.unsafety {
        errors.push(
            token,
            "a service cannot be an `unsafe trait`\n(remove `unsafe`)",
        );
    }
    if let Err(error) = item.modifiers.require_empty() {
        errors.push_at(
            error.span(),
            "a service is a plain trait\n(remove the modifier before `trait`)",
        );
        item.modifiers = syn::TraitModifiers::default();
    }
}

/// A service consists of methods.
fn check_member(member: &TraitItem, errors: &mut Errors) {
    match member {
        TraitItem::Const(member) => errors.push(
            member.const_token,
            "a service consists of methods, found an associated constant\n\
             (move it out of the trait)",
        ),
        TraitItem::Type(member) => errors.push(
            member.type_token,
            "a service consists of methods, found an associated type\n\
             (write the type in the methods; both sides have to know it)",
        ),
        TraitItem::Macro(member) => errors.push(
            &member.mac.path,
            "a service consists of methods, found a macro, whose methods cannot be seen here\n\
             (write the methods out, or let the macro write the whole trait)",
        ),
        other => errors.push(other, "a service consists of methods"),
    }
}

/// The full name on the wire, and the version in it.
fn parse_name(
    options: &ServiceOptions,
    item: &ItemTrait,
    errors: &mut Errors,
) -> (String, Option<String>) {
    let name = match &options.name {
        Some(name) => name.value(),
        None => item.ident.unraw().to_string(),
    };
    if options.name.is_none()
        && let Some(problem) = names::wire_name_problem(&name)
    {
        errors.push(
            &item.ident,
            format!("{problem}\n(write one with `#[rpc_service(name = \"..\")]`)"),
        );
    }
    let in_name = names::version_in(&name).map(str::to_owned);
    let Some(version) = &options.version else {
        return (name, in_name);
    };
    let wanted = version.value();
    match in_name {
        None => (names::with_version(&name, &wanted), Some(wanted)),
        Some(found) => {
            if found != wanted {
                errors.push(
                    version,
                    format!(
                        "version `{wanted}` contradicts the version `{found}` in the name \
                         `{name}`\n(remove one of them)"
                    ),
                );
            }
            (name, Some(found))
        }
    }
}

#[cfg(test)]
mod tests;
