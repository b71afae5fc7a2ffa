//! `#[derive(RpcError)]`: which status code an error type has.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::{Attribute, Data, DeriveInput, Path, Variant};

use crate::attr::{self, Entries};
use crate::errors::Errors;

const TYPE_OPTIONS: &[&str] = &["error_code", "crate"];
const VARIANT_OPTIONS: &[&str] = &["error_code"];

/// The codes of gRPC, without `Ok`, which is no failure.
const CODES: &[&str] = &[
    "Cancelled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
];

/// Expands `#[derive(RpcError)]`. Even with mistakes there is an implementation, so that they are
/// not followed by complaints that there is none.
pub(crate) fn expand(item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let expansion = match syn::parse2::<DeriveInput>(item) {
        Ok(input) => expand_impl(&input, &mut errors),
        Err(error) => {
            errors.extend(error);
            TokenStream::new()
        }
    };
    let errors = errors.into_compile_errors();
    quote! { #expansion #errors }
}

fn expand_impl(input: &DeriveInput, errors: &mut Errors) -> TokenStream {
    let options = ErrorOptions::parse(&input.attrs, TYPE_OPTIONS, errors);
    let root = match &options.crate_path {
        Some(path) => path.to_token_stream(),
        None => quote!(::rpc_runtime),
    };
    let default = options
        .expand_code(&root)
        .unwrap_or_else(|| quote!(#root::Code::Unknown));
    let body = match &input.data {
        Data::Struct(_) => default,
        Data::Enum(data) => {
            let arms = data
                .variants
                .iter()
                .map(|variant| expand_arm(variant, &root, &default, errors));
            let arms: Vec<TokenStream> = arms.collect();
            quote! { match *self { #(#arms)* } }
        }
        Data::Union(data) => {
            errors.push(
                data.union_token,
                "`RpcError` cannot be derived for a union\n(write an enum)",
            );
            default
        }
    };
    let ident = &input.ident;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    // Only where it is needed, as a crate may forbid it.
    let allow = mentions_deprecated(input).then(|| quote! { #[allow(deprecated)] });
    quote! {
        #[automatically_derived]
        #allow
        impl #impl_generics #root::RpcError for #ident #type_generics #where_clause {
            fn code(&self) -> #root::Code {
                #body
            }
        }
    }
}

fn mentions_deprecated(input: &DeriveInput) -> bool {
    let of_variants = match &input.data {
        Data::Enum(data) => data.variants.iter().map(|it| &it.attrs).collect(),
        _ => Vec::new(),
    };
    let mut all = of_variants.into_iter().chain([&input.attrs]);
    all.any(|attrs| attr::carried(attrs).mentions_deprecated)
}

fn expand_arm(
    variant: &Variant,
    root: &TokenStream,
    default: &TokenStream,
    errors: &mut Errors,
) -> TokenStream {
    let options = ErrorOptions::parse(&variant.attrs, VARIANT_OPTIONS, errors);
    for field in &variant.fields {
        refuse_on_field(&field.attrs, errors);
    }
    let cfgs = attr::carried(&variant.attrs).cfgs;
    let ident = &variant.ident;
    let code = options.expand_code(root).unwrap_or_else(|| default.clone());
    quote! { #cfgs Self::#ident { .. } => #code, }
}

fn refuse_on_field(attrs: &[Attribute], errors: &mut Errors) {
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("rpc")) {
        errors.push(
            attr,
            "`#[rpc(error_code = ..)]` goes on the type or on a variant",
        );
    }
}

#[derive(Default)]
struct ErrorOptions {
    code: Option<Ident>,
    crate_path: Option<Path>,
}

impl ErrorOptions {
    fn parse(attrs: &[Attribute], allowed: &'static [&'static str], errors: &mut Errors) -> Self {
        let mut entries = Entries::new(allowed);
        for tokens in attr::take_rpc(&mut attrs.to_vec(), errors) {
            entries.read(tokens, errors);
        }
        let mut options = Self::default();
        for entry in entries {
            match entry.key.to_string().as_str() {
                "error_code" => options.code = entry.into_name(CODES, errors),
                _ => options.crate_path = entry.into_path("::rpc_runtime", errors),
            }
        }
        options
    }

    fn expand_code(&self, root: &TokenStream) -> Option<TokenStream> {
        let code = self.code.as_ref()?;
        // The code has the user's span: an unknown one has been refused above.
        Some(quote! { #root::Code::#code })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(item: TokenStream) -> Vec<String> {
        let mut errors = Errors::default();
        match syn::parse2(item) {
            Ok(input) => drop(expand_impl(&input, &mut errors)),
            Err(error) => errors.extend(error),
        }
        errors.into_messages()
    }

    #[test]
    fn unknown_codes_are_listed() {
        let messages = messages(quote! {
            enum E {
                #[rpc(error_code = NotThere)]
                A,
                #[rpc(error_code = "NotFound")]
                B,
                #[rpc(error_code = NotFound, crate = ::x)]
                C,
                D(#[rpc(error_code = NotFound)] u8),
            }
        });
        assert_eq!(messages.len(), 4, "{messages:?}");
        assert!(messages[0].starts_with("option `error_code` takes one of `Cancelled`, `Unknown`"));
        assert!(messages[0].ends_with("`Unauthenticated`"));
        assert_eq!(messages[0], messages[1]);
        assert_eq!(messages[2], "unknown option `crate`, expected `error_code`");
        assert!(messages[3].contains("on the type or on a variant"));
    }

    #[test]
    fn unions_are_refused_and_still_implemented() {
        let tokens = expand(quote!(union U { a: u8 })).to_string();
        assert!(tokens.contains("compile_error") && tokens.contains("RpcError for U"));
    }

    #[test]
    fn all_codes_but_ok_are_known() {
        assert_eq!(CODES.len(), 16);
        assert!(!CODES.contains(&"Ok"));
    }
}
