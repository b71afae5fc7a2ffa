//! One method: what may stand around its arguments and its return type.

use quote::ToTokens;
use syn::{FnArg, Receiver, ReceiverKind, Safety, Signature, TraitItemFn, Type};

use super::argument::{self, Arguments};
use super::output;
use crate::attr::{MethodOptions, ServiceOptions, carried, take_rpc};
use crate::errors::Errors;
use crate::model::{LostMethod, Method, Output};
use crate::names;
use crate::types::source;

/// Reads a method, or reports all that is wrong with it.
pub(super) fn parse_method(
    position: usize,
    function: &mut TraitItemFn,
    service: &ServiceOptions,
    errors: &mut Errors,
) -> Result<Method, Box<LostMethod>> {
    let mistakes = errors.len();
    let lists = take_rpc(&mut function.attrs, errors);
    let options = MethodOptions::parse(lists, errors);
    check_signature(function, errors);
    let arguments = argument::parse_arguments(&function.sig, errors);
    let earlier = errors.len();
    let output = output::parse_output(&function.sig, &options, errors);
    let is_output_sound = errors.len() == earlier;
    check_bare(&options, &arguments, errors);
    check_blocking_upload(&options, &arguments, errors);
    let streams = arguments.has_upload() || output.as_ref().is_some_and(Output::is_stream);
    check_once(&options, streams, errors);
    check_resumable(&options, &arguments, output.as_ref(), errors);
    let ident = function.sig.ident.clone();
    let output = match output {
        Some(output) if errors.len() == mistakes => output,
        output => {
            let output = output.filter(|_| is_output_sound);
            let lost = lose_method(function, arguments.client_args(), output);
            defuse(function);
            return Err(Box::new(lost));
        }
    };
    let wire_name = match &options.name {
        Some(name) => name.value(),
        None => names::method_wire_name(&ident, service.rename_all),
    };
    Ok(Method {
        position,
        ident,
        wire_name,
        carried: carried(&function.attrs),
        options,
        args: arguments.into_args(),
        output,
        is_refused: false,
    })
}

/// Keeps what calls of the method need, so that they are not reported as well.
fn lose_method(
    function: &TraitItemFn,
    args: &[Option<Type>],
    output: Option<Output>,
) -> LostMethod {
    LostMethod {
        ident: function.sig.ident.clone(),
        params: function.sig.generics.params.to_token_stream(),
        client_args: args.to_vec(),
        output,
    }
}

/// Brings a method with mistakes into a form that rustc accepts, as far as that is possible
/// without changing what the user's implementations have to look like.
fn defuse(function: &mut TraitItemFn) {
    // Left `async`, since the rewritten form has a `Send` bound that may not hold here.
    function
        .attrs
        .push(syn::parse_quote!(#[allow(async_fn_in_trait)]));
    function.sig.constness = None;
    function.sig.variadic = None;
    function.modifiers = syn::FnModifiers::default();
    // Whatever the types are: `Self` by value among them is one mistake and not two.
    let clause = function.sig.generics.make_where_clause();
    clause
        .predicates
        .push(syn::parse_quote!(Self: ::core::marker::Sized));
    if function.default.is_none() {
        argument::defuse_patterns(&mut function.sig);
    }
}

fn check_signature(function: &TraitItemFn, errors: &mut Errors) {
    let sig = &function.sig;
    check_qualifiers(function, errors);
    check_generics(sig, errors);
    match sig.inputs.first() {
        Some(FnArg::Receiver(receiver)) => check_receiver(receiver, errors),
        _ => errors.push(
            &sig.ident,
            format!(
                "RPC methods must take `&self`\n(write `fn {}(&self, ..)`)",
                sig.ident
            ),
        ),
    }
    if sig.ident.to_string().starts_with(names::RESERVED_PREFIX) {
        errors.push(
            &sig.ident,
            "names that begin with `__rpc_` are reserved\n(rename the method)",
        );
    }
}

fn check_qualifiers(function: &TraitItemFn, errors: &mut Errors) {
    let sig = &function.sig;
    if let Some(token) = &sig.constness {
        errors.push(
            token,
            "a call to another process cannot be `const`\n(remove `const`)",
        );
    }
    match &sig.safety {
        Safety::Default => {}
        other => errors.push(
            other,
            "RPC methods cannot be `unsafe`, as a caller elsewhere can promise nothing\n\
             (remove the keyword)",
        ),
    }
    if let Some(abi) = &sig.abi {
        errors.push(
            abi,
            "RPC methods have no ABI of their own\n(remove `extern`)",
        );
    }
    if let Some(variadic) = &sig.variadic {
        errors.push(
            variadic,
            "RPC methods have a fixed list of arguments\n(write `Vec<T>` for any number)",
        );
    }
    if let Err(error) = function.modifiers.require_empty() {
        errors.push_at(
            error.span(),
            "RPC methods cannot be `default`\n(remove the keyword)",
        );
    }
}

fn check_generics(sig: &Signature, errors: &mut Errors) {
    if !sig.generics.params.is_empty() {
        errors.push(
            &sig.generics,
            "RPC methods cannot be generic, as their messages have one form on the wire\n\
             (write a type, or an enum of all types that are meant)",
        );
    }
    if let Some(clause) = &sig.generics.where_clause {
        errors.push(
            clause,
            "RPC methods cannot have a `where` clause, as a client cannot check it\n(remove it)",
        );
    }
}

fn check_receiver(receiver: &Receiver, errors: &mut Errors) {
    let message = match &receiver.kind {
        ReceiverKind::Reference(_, None, None) => return,
        ReceiverKind::Reference(_, _, Some(_)) => {
            "RPC methods must take `&self`, found `&mut self`\n\
             (for state, use interior mutability such as a `Mutex`)"
                .to_owned()
        }
        ReceiverKind::Reference(_, Some(lifetime), None) => format!(
            "RPC methods must take `&self`, found `&{lifetime} self`\n\
             (write `&self`; a returned stream may borrow from it all the same)"
        ),
        _ => format!(
            "RPC methods must take `&self`, found `{}`\n\
             (a service answers many calls at once, so none of them can own it)",
            source(receiver)
        ),
    };
    errors.push(receiver.to_token_stream(), message);
}

/// A bare method has no tuple of arguments: its only argument is the whole message.
fn check_bare(options: &MethodOptions, arguments: &Arguments, errors: &mut Errors) {
    let Some(bare) = &options.bare else { return };
    if arguments.has_upload() {
        errors.push(
            bare,
            "`bare` needs exactly one argument and no stream, found a `Streaming` argument\n\
             (remove `bare`)",
        );
    } else if arguments.values() != 1 {
        errors.push(
            bare,
            format!(
                "`bare` needs exactly one argument, which becomes the whole message, found {}\n\
                 (remove `bare`, or put the arguments into one struct)",
                arguments.values()
            ),
        );
    }
}

/// An answer that is kept is one message, and keeping it says that running twice is not the same.
fn check_once(options: &MethodOptions, streams: bool, errors: &mut Errors) {
    let Some(once) = &options.once else { return };
    if streams {
        errors.push(
            once,
            "`once` keeps the answer for calls that are made again, which a stream is not\n\
             (remove `once`)",
        );
    }
    if let Some(other) = options.read_only.as_ref().or(options.idempotent.as_ref()) {
        errors.push(
            once,
            format!(
                "`once` is for methods that must not run twice, `{other}` says that this one may\n\
                 (remove one of them)"
            ),
        );
    }
}

/// What is kept and given again is a stream of the method; what was read of its caller's is gone. Of
/// an output that could not be read, nothing is said.
fn check_resumable(
    options: &MethodOptions,
    arguments: &Arguments,
    output: Option<&Output>,
    errors: &mut Errors,
) {
    let Some(resumable) = &options.resumable else {
        return;
    };
    if output.is_some_and(|it| !it.is_stream()) {
        errors.push(
            resumable,
            "`resumable` lets callers go on with the stream that a method returns, and this one returns none\n\
             (remove `resumable`)",
        );
    } else if arguments.has_upload() {
        errors.push(
            resumable,
            "`resumable` lets callers go on with a stream, which they cannot with their own: what was read of it \
             is gone\n\
             (remove `resumable`, or the `Streaming` argument)",
        );
    }
}

fn check_blocking_upload(options: &MethodOptions, arguments: &Arguments, errors: &mut Errors) {
    if let Some(blocking) = &options.blocking
        && arguments.has_upload()
    {
        errors.push_at(
            blocking.span(),
            "a `blocking` method cannot wait for a stream\n(write `async fn`, and remove `blocking`)",
        );
    }
}
