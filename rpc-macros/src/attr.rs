//! Everything about attributes: the options of `#[rpc_service(..)]` and `#[rpc(..)]`, and what of
//! a user's other attributes follows an item into generated code.

mod entries;
mod options;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::{AttrStyle, Attribute, Expr, ExprLit, Lit, Meta, MetaList, Token};

use crate::errors::Errors;
use crate::model::Carried;

pub(crate) use entries::Entries;
pub(crate) use options::{MethodOptions, ServiceOptions};

/// Takes all `#[rpc(..)]` out of `attrs` and returns the tokens in their parentheses.
///
/// The others are written before the item again, also those that stood inside of it, as `//!` does.
pub(crate) fn take_rpc(attrs: &mut Vec<Attribute>, errors: &mut Errors) -> Vec<TokenStream> {
    let mut found = Vec::new();
    for attr in attrs.iter_mut() {
        attr.style = AttrStyle::Outer;
    }
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
/// are decided, so the options could neither be read nor be left in place. Nor can a `cfg`, which has to follow the method
/// into all that is generated from it.
/// Says whether it was one.
fn check_cfg_attr(attr: &Attribute, errors: &mut Errors) -> bool {
    let Meta::List(list) = &attr.meta else {
        return false;
    };
    if !list.path.is_ident("cfg_attr") {
        return false;
    }
    let Some(hidden) = hidden_attribute(list) else {
        return false;
    };
    errors.push(
        attr,
        format!(
            "`#[{hidden}(..)]` cannot depend on a condition\n\
             (write the method twice, each with its own `#[cfg(..)]`)"
        ),
    );
    true
}

/// Finds `rpc` or `cfg` among the attributes of a `cfg_attr`, which stand behind its condition.
fn hidden_attribute(list: &MetaList) -> Option<&'static str> {
    let parts = Punctuated::<Meta, Token![,]>::parse_terminated;
    let parts = list.parse_args_with(parts).ok()?;
    parts.iter().skip(1).find_map(|part| match part {
        _ if part.path().is_ident("rpc") => Some("rpc"),
        _ if part.path().is_ident("cfg") => Some("cfg"),
        Meta::List(list) if part.path().is_ident("cfg_attr") => hidden_attribute(list),
        _ => None,
    })
}

/// Collects what follows an item into everything that is generated from it.
pub(crate) fn carried(attrs: &[Attribute]) -> Carried {
    let mut carried = Carried::default();
    let mut lines = Vec::new();
    for attr in attrs {
        if attr.path().is_ident("doc") {
            attr.to_tokens(&mut carried.docs);
            lines.extend(doc_line(attr));
            continue;
        }
        carried.mentions_deprecated |= attr.to_token_stream().to_string().contains("deprecated");
        if attr.path().is_ident("cfg") {
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
        assert!(carried.mentions_deprecated);
    }

    #[test]
    fn attributes_inside_of_an_item_are_written_before_it() {
        let mut item: syn::ItemTrait = parse_quote! {
            trait T {
                //! Says what it is.
                fn f(&self) {
                    //! And this, what is deprecated.
                }
            }
        };
        let mut errors = Errors::default();
        take_rpc(&mut item.attrs, &mut errors);
        let [syn::TraitItem::Fn(function)] = &mut item.items[..] else {
            panic!("there is one method");
        };
        take_rpc(&mut function.attrs, &mut errors);
        assert!(errors.into_messages().is_empty());
        for attrs in [&item.attrs, &function.attrs] {
            assert!(matches!(
                attrs[..],
                [Attribute {
                    style: AttrStyle::Outer,
                    ..
                }]
            ));
        }
        let carried = carried(&function.attrs);
        assert_eq!(carried.doc_text, "And this, what is deprecated.");
        assert!(!carried.mentions_deprecated);
    }

    #[test]
    fn attributes_that_matter_here_may_not_depend_on_a_condition() {
        let mut item: TraitItemFn = parse_quote! {
            #[cfg_attr(all(), cfg(any()))]
            #[cfg_attr(all(), inline, cfg_attr(unix, cfg(any())))]
            #[cfg_attr(all(), cfg_attr(unix, rpc(bare)))]
            #[cfg_attr(docsrs, doc(cfg(feature = "rpc")))]
            #[cfg_attr(rpc, must_use)]
            #[cfg_attr(cfg, doc = "cfg")]
            fn f();
        };
        let mut errors = Errors::default();
        assert!(take_rpc(&mut item.attrs, &mut errors).is_empty());
        assert_eq!(item.attrs.len(), 3);
        let messages = errors.into_messages();
        let starts = [
            "`#[cfg(..)]` cannot",
            "`#[cfg(..)]` cannot",
            "`#[rpc(..)]` cannot",
        ];
        assert_eq!(messages.len(), starts.len(), "{messages:?}");
        for (message, start) in messages.iter().zip(starts) {
            assert!(message.contains(start), "{message}");
        }
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
