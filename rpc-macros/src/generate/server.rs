//! The server: a struct around the user's implementation, with one handler per method.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::Ident;
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;

use super::{Tuple, expand_allow, expand_tuple};
use crate::model::{ArgKind, Method, Service};
use crate::names;
use crate::types::{is_plain, located_at, path_at};

pub(super) fn expand_server(service: &Service) -> TokenStream {
    let structure = expand_struct(service);
    let handler = (!service.is_hollow).then(|| expand_handler(service));
    quote! { #structure #handler }
}

fn expand_struct(service: &Service) -> TokenStream {
    let Service {
        vis,
        ident,
        server_ident,
        ..
    } = service;
    let cfgs = &service.carried.cfgs;
    let name = server_ident.to_string();
    let doc = format!(" Serves an implementation of [`{}`].", ident.unraw());
    let implementation = names::shown_implementation(ident);
    let allow = expand_allow(service);
    // Without a usable trait there is no bound to ask for.
    let bound = (!service.is_hollow).then(|| quote! { : #ident });
    quote! {
        #cfgs
        #[doc = #doc]
        #[allow(dead_code, non_camel_case_types)]
        #vis struct #server_ident<T> {
            service: ::std::sync::Arc<T>,
        }

        #cfgs
        #allow
        impl<#implementation #bound> #server_ident<#implementation> {
            /// Serves `service`.
            #vis fn new(service: #implementation) -> Self {
                Self { service: ::std::sync::Arc::new(service) }
            }

            /// Serves an implementation that is used elsewhere, too.
            #vis fn from_arc(service: ::std::sync::Arc<#implementation>) -> Self {
                Self { service }
            }
        }

        #cfgs
        impl<T> ::core::clone::Clone for #server_ident<T> {
            fn clone(&self) -> Self {
                Self { service: ::std::sync::Arc::clone(&self.service) }
            }
        }

        #cfgs
        impl<T> ::core::fmt::Debug for #server_ident<T> {
            fn fmt(&self, formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                formatter.debug_struct(#name).finish_non_exhaustive()
            }
        }
    }
}

fn expand_handler(service: &Service) -> TokenStream {
    let Service {
        ident,
        client_ident,
        server_ident,
        rt,
        codec,
        ..
    } = service;
    let cfgs = &service.carried.cfgs;
    let allow = expand_allow(service);
    let implementation = names::implementation();
    let assertions = service.sound_methods().filter_map(expand_assertion);
    let methods = service
        .sound_methods()
        .map(|method| expand_method(method, service));
    let on_wire = names::on_wire(Span::call_site());
    // The trait carries the defaults of what `OnWire` has. Without a name of its own it cannot get
    // into the way of the user's types.
    quote! {
        #cfgs
        #allow
        impl<#implementation: #ident> #rt::Handler for #server_ident<#implementation> {
            type Target = #implementation;
            type Codec = #codec;

            const SERVICE: &'static #rt::ServiceDescriptor =
                <#client_ident as #rt::RpcClient>::SERVICE;

            const METHODS: &'static [#rt::MethodHandler<#implementation>] = {
                #[allow(unused_imports)]
                use #rt::NotOnWire as _;
                type #on_wire<#implementation> = #rt::OnWire<#codec, #implementation>;
                #(#assertions)*
                &[#(#methods,)*]
            };

            fn target(&self) -> &::std::sync::Arc<#implementation> {
                &self.service
            }
        }
    }
}

/// An error must never travel as a value. Whether a type is a `Result` is told by its name, so a
/// `Result` behind another name is refused, by the compiler, which sees through names.
fn expand_assertion(method: &Method) -> Option<TokenStream> {
    let ty = &method.output.ty;
    if method.output.is_fallible || is_plain(ty) {
        return None;
    }
    let cfgs = &method.carried.cfgs;
    let what = if method.output.is_stream() {
        "yields"
    } else {
        "returns"
    };
    let message = format!(
        "method `{}` {what} a `Result` under a name that does not end in `Result`: rename the \
         alias, or write `Result<T, E>`",
        method.ident.unraw()
    );
    let span = located_at(ty.span());
    let is_result = expand_on_wire(ty, "IS_RESULT", span);
    Some(quote_spanned! {span=>
        #cfgs
        const _: () = ::core::assert!(!#is_result, #message);
    })
}

fn expand_method(method: &Method, service: &Service) -> TokenStream {
    let cfgs = &method.carried.cfgs;
    // What is not `Send` is reported here, and should be at the method.
    let span = method.ident.span();
    let (rt, span) = (path_at(&service.rt, span), located_at(span));
    let target = names::local("service", span);
    let call = names::local("call", span);
    let arguments = expand_arguments(method);
    let context = method.has_context().then(|| {
        let context = names::local("context", span);
        quote_spanned! {span=> let #context = #call.context(); }
    });
    let reply = expand_reply(method, service);
    quote_spanned! {span=>
        #cfgs
        |#target, mut #call| #rt::boxed(async move {
            #arguments
            #context
            #reply
        })
    }
}

/// Reads the arguments off the call.
fn expand_arguments(method: &Method) -> TokenStream {
    let Tuple {
        values,
        types,
        span,
    } = expand_tuple(method);
    let call = names::local("call", span);
    let args = expand_on_wire(&types, "args", span);
    if let Some(upload) = method.upload() {
        let (ident, item) = (&upload.ident, &upload.ty);
        let read = expand_on_wire(item, "read", located_at(item.span()));
        return quote_spanned! {span=>
            let (#values, #ident) = #call.upload(#args, #read).await?;
        };
    }
    if method.options.bare.is_some() {
        let idents = method.values().map(|arg| &arg.ident);
        let reads = method
            .values()
            .map(|arg| expand_on_wire(&arg.ty, "read", span));
        return quote_spanned! {span=> #(let #idents = #call.bare(#reads).await?;)* };
    }
    quote_spanned! {span=> let #values = #call.args(#args).await?; }
}

/// What is known of a type under the codec of the service, such as the function that writes it.
fn expand_on_wire(ty: &impl ToTokens, item: &str, span: Span) -> TokenStream {
    let on_wire = names::on_wire(span);
    let item = Ident::new(item, span);
    quote_spanned! {span=> #on_wire::<#ty>::#item }
}

/// Calls the user's method and sends what it returns. All of it is shown at the returned type.
fn expand_reply(method: &Method, service: &Service) -> TokenStream {
    let ty = &method.output.ty;
    let span = located_at(ty.span());
    let call = names::local("call", span);
    let invocation = expand_invocation(method, service, span);
    let code = expand_on_wire(ty, "CODE", span);
    let is_fallible = method.output.is_fallible;
    let write = expand_on_wire(ty, if is_fallible { "result" } else { "value" }, span);
    if method.output.is_stream() {
        let (out, item) = (names::local("out", span), names::local("item", span));
        let write = if is_fallible {
            quote_spanned! {span=> |#item| #write(#item, #code) }
        } else {
            write
        };
        // `move`, as the block inside would only borrow what is `Copy`.
        return quote_spanned! {span=>
            #call.stream(move |#out| async move { #out.send(#invocation, #write).await }).await
        };
    }
    let reply = names::local("reply", span);
    let value = if method.options.blocking.is_some() {
        quote_spanned! {span=> #call.blocking(move || #invocation).await? }
    } else {
        quote_spanned! {span=> #invocation.await }
    };
    let code = is_fallible.then(|| quote_spanned! {span=> , #code });
    quote_spanned! {span=>
        let #reply = #value;
        #call.reply(#write(#reply #code))
    }
}

/// `<T as Greeter>::say_hello(&*service, name)`, which finds no method but that of the trait.
fn expand_invocation(method: &Method, service: &Service, span: Span) -> TokenStream {
    let target = names::local("service", span);
    let context = names::local("context", span);
    let implementation = names::implementation();
    let (trait_ident, ident) = (&service.ident, &method.ident);
    let args = method.args.iter().map(|arg| match arg.kind {
        ArgKind::Context => quote_spanned! {span=> &#context },
        ArgKind::Value | ArgKind::Upload => {
            let ident = &arg.ident;
            quote! { #ident }
        }
    });
    quote_spanned! {span=>
        <#implementation as #trait_ident>::#ident(&*#target, #(#args),*)
    }
}
