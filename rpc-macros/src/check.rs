//! Rules over several methods, and over a method and what is generated from it.

use syn::ext::IdentExt as _;
use syn::{Ident, Type};

use crate::errors::Errors;
use crate::model::{Method, Service};
use crate::names::{CLIENT_FUNCTIONS, wire_name_problem};
use crate::types::{is_named, last_segment, peel, source, type_arguments};

/// Checks a service whose methods are sound by themselves. No code is generated for a method
/// that breaks a rule here.
pub(crate) fn check_service(service: &mut Service, errors: &mut Errors) {
    check_reserved_names(service, errors);
    check_wire_names(service, errors);
    if service.client_trait.is_some() {
        check_client_trait(service, errors);
    }
}

/// A method must not have the name of a function that every client has.
fn check_reserved_names(service: &mut Service, errors: &mut Errors) {
    for method in &mut service.methods {
        let name = method.ident.unraw();
        if CLIENT_FUNCTIONS.iter().any(|reserved| name == reserved) {
            errors.push(
                &method.ident,
                format!(
                    "method `{name}` clashes with the generated `{}::{name}`\n\
                     (rename the method and keep the wire name with `#[rpc(name = \"{name}\")]`)",
                    service.client_ident
                ),
            );
            method.is_refused = true;
        }
    }
}

/// Names on the wire are well-formed, and no two methods share one.
fn check_wire_names(service: &mut Service, errors: &mut Errors) {
    let mut known: Vec<(String, Ident, bool)> = Vec::new();
    for method in &mut service.methods {
        if method.options.name.is_none()
            && let Some(problem) = wire_name_problem(&method.wire_name)
        {
            let advice = "(write one with `#[rpc(name = \"..\")]`)";
            errors.push(&method.ident, format!("{problem}\n{advice}"));
            method.is_refused = true;
            continue;
        }
        let is_conditional = !method.carried.cfgs.is_empty();
        let clash = known
            .iter()
            .find(|(wire_name, ident, other_is_conditional)| {
                let is_same =
                    *wire_name == method.wire_name || ident.unraw() == method.ident.unraw();
                // Two methods under conditions may exclude each other, which cannot be decided here.
                is_same && !(is_conditional && *other_is_conditional)
            });
        if let Some((_, first, _)) = clash {
            // A second method of the same name is an error that rustc finds in the trait.
            if first.unraw() != method.ident.unraw() {
                report_clash(method, first, errors);
            }
            method.is_refused = true;
        }
        known.push((
            method.wire_name.clone(),
            method.ident.clone(),
            is_conditional,
        ));
    }
}

fn report_clash(method: &Method, first: &Ident, errors: &mut Errors) {
    let message = format!(
        "the wire name `{}` is already that of the method `{first}`\n(give one of them another \
         name, with `#[rpc(name = \"..\")]`)",
        method.wire_name
    );
    match &method.options.name {
        Some(name) => errors.push(name, message),
        None => errors.push(&method.ident, message),
    }
}

/// A client can only stand in for the service where every method may fail with a `Status`,
/// since a call always can.
fn check_client_trait(service: &mut Service, errors: &mut Errors) {
    for method in service
        .methods
        .iter_mut()
        .filter(|method| !method.is_refused)
    {
        let mistakes = errors.len();
        check_fits_client_trait(method, errors);
        method.is_refused = errors.len() > mistakes;
    }
}

fn check_fits_client_trait(method: &Method, errors: &mut Errors) {
    if let Some(blocking) = &method.options.blocking {
        errors.push(
            blocking,
            "with `client_trait` no method can be `blocking`, as a client waits without a thread\n\
             (write `async fn`, or remove `client_trait`)",
        );
        return;
    }
    let ty = &method.output.ty;
    if !method.output.is_fallible {
        report_infallible(method, errors);
    } else if let Some(error) = own_error(ty) {
        errors.push(
            error,
            format!(
                "with `client_trait` the only error is `Status`, found `{}`\n\
                 (write `Status`, or remove `client_trait`)",
                source(error)
            ),
        );
    }
}

fn report_infallible(method: &Method, errors: &mut Errors) {
    let ty = &method.output.ty;
    let found = source(peel(ty));
    let (subject, advice) = if method.output.is_stream() {
        (
            "every item has to be",
            format!("impl Stream<Item = Result<{found}, Status>>"),
        )
    } else {
        (
            "every method has to return",
            format!("Result<{found}, Status>"),
        )
    };
    errors.push(
        ty,
        format!(
            "with `client_trait` {subject} a `Result<_, Status>`, as any call can fail\n\
             (write `{advice}`, or remove `client_trait`)"
        ),
    );
}

/// The `E` of `Result<T, E>`, if it can be seen not to be `Status`. What is behind an alias is
/// left to the compiler, which compares the types.
fn own_error(ty: &Type) -> Option<&Type> {
    match type_arguments(last_segment(ty)?).as_slice() {
        [_, error] if !is_named(error, "Status") => Some(error),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
