//! Everything about attributes: the options of `#[rpc_service(..)]` and `#[rpc(..)]`, and what of
//! a user's other attributes follows an item into generated code.

mod entries;
mod options;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Attribute, Expr, ExprLit, Lit, Meta};

use crate::errors::Errors;
use crate::model::Carried;

pub(crate) use entries::Entries;
pub(crate) use options::{MethodOptions, ServiceOptions};

/// Takes all `#[rpc(..)]` out of `attrs` and returns the tokens in their parentheses.
pub(crate) fn take_rpc(attrs: &mut Vec<Attribute>, errors: &mut Errors) -> Vec<TokenStream> {
    let mut found = Vec::new();
    attrs.retain(|attr| {
        if !attr.path().is_ident("rpc") {
            return !check_cfg_attr(attr, errors);
        }
        match &attr.meta {
            Meta::List(list) => found.push(list.tokens.clone()),
            other => errors.push(
                other,
                "`#[rpc]` takes its options in parentheses, as in `#[rpc(idempotent)]`",
            ),
        }
        false
    });
    found
}

/// Refuses `#[cfg_attr(.., rpc(..))]`: an attribute macro sees its item before such conditions
/// are decided, so the options could neither be read nor be left in place.
/// Says whether it was one.
fn check_cfg_attr(attr: &Attribute, errors: &mut Errors) -> bool {
    let Meta::List(list) = &attr.meta else {
        return false;
    };
    if !list.path.is_ident("cfg_attr") {
        return false;
    }
    let hides_rpc = list
        .tokens
        .clone()
        .into_iter()
        .any(|token| matches!(&token, proc_macro2::TokenTree::Ident(ident) if ident == "rpc"));
    if hides_rpc {
        errors.push(
            attr,
            "`#[rpc(..)]` cannot depend on a condition\n\
             (write the method twice, each with its own `#[cfg(..)]`)",
        );
    }
    hides_rpc
}

/// Collects what follows an item into everything that is generated from it.
pub(crate) fn carried(attrs: &[Attribute]) -> Carried {
    let mut carried = Carried::default();
    let mut lines = Vec::new();
    for attr in attrs {
        if attr.path().is_ident("doc") {
            attr.to_tokens(&mut carried.docs);
            lines.extend(doc_line(attr));
        } else if attr.path().is_ident("cfg") {
            attr.to_tokens(&mut carried.cfgs);
        } else if attr.path().is_ident("deprecated") {
            attr.to_tokens(&mut carried.deprecated);
        }
    }
    carried.doc_text = lines.join("\n").trim().to_owned();
    carried
}

/// The text of `#[doc = "text"]`, which is also what `/// text` becomes.
fn doc_line(attr: &Attribute) -> Option<String> {
    let Meta::NameValue(pair) = &attr.meta else {
        return None;
    };
    let Expr::Lit(ExprLit {
        lit: Lit::Str(text),
        ..
    }) = &pair.value
    else {
        return None;
    };
    let text = text.value();
    Some(text.strip_prefix(' ').unwrap_or(&text).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::{TraitItemFn, parse_quote};

    #[test]
    fn docs_cfgs_and_deprecation_are_carried() {
        let item: TraitItemFn = parse_quote! {
            /// First line.
            ///
            ///   Indented.
            #[cfg(unix)]
            #[deprecated(note = "old")]
            #[must_use]
            fn f();
        };
        let carried = carried(&item.attrs);
        assert_eq!(carried.doc_text, "First line.\n\n  Indented.");
        assert_eq!(carried.cfgs.to_string(), "# [cfg (unix)]");
        assert!(carried.deprecated.to_string().contains("old"));
        assert!(!carried.docs.to_string().contains("must_use"));
    }

    #[test]
    fn rpc_attributes_are_taken_out() {
        let mut item: TraitItemFn = parse_quote! {
            #[rpc(idempotent)]
            #[must_use]
            #[rpc]
            #[cfg_attr(unix, rpc(bare))]
            fn f();
        };
        let mut errors = Errors::default();
        let found = take_rpc(&mut item.attrs, &mut errors);
        assert_eq!(found.len(), 1);
        assert_eq!(item.attrs.len(), 1);
        let messages = errors.into_messages();
        assert!(messages[0].contains("in parentheses"), "{messages:?}");
        assert!(messages[1].contains("condition"), "{messages:?}");
    }
}
