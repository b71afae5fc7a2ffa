//! What can be told about a type by its spelling: a macro sees no more.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{
    GenericArgument, Lifetime, Path, PathArguments, PathSegment, Type, TypeImplTrait,
    TypeParamBound,
};

use crate::errors::Errors;

/// Looks through parentheses, and through the invisible groups of `macro_rules`.
pub(crate) fn peel(mut ty: &Type) -> &Type {
    loop {
        match ty {
            Type::Group(group) => ty = &group.elem,
            Type::Paren(paren) => ty = &paren.elem,
            _ => return ty,
        }
    }
}

/// The last segment of a path type.
pub(crate) fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match peel(ty) {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    }
}

/// Whether the last segment of the type has this name.
pub(crate) fn is_named(ty: &Type, name: &str) -> bool {
    last_segment(ty).is_some_and(|segment| segment.ident == name)
}

/// Whether a type is a `Result` by the rule that users can rely on: its name ends so.
pub(crate) fn is_fallible(ty: &Type) -> bool {
    last_segment(ty).is_some_and(|segment| segment.ident.to_string().ends_with("Result"))
}

/// Whether one of these identifiers is among the tokens of a type, however deep.
pub(crate) fn mentions(tokens: impl ToTokens, names: &[&str]) -> bool {
    let mut tokens = tokens.to_token_stream().into_iter();
    tokens.any(|token| match token {
        TokenTree::Group(group) => mentions(group.stream(), names),
        TokenTree::Ident(ident) => names.iter().any(|name| ident == name),
        _ => false,
    })
}

/// The types between the angle brackets of a path segment.
pub(crate) fn type_arguments(segment: &PathSegment) -> Vec<&Type> {
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
        return Vec::new();
    };
    let types = arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    });
    types.collect()
}

/// The `Stream<..>` among the bounds of an `impl Trait`.
pub(crate) fn trait_bound<'a>(ty: &'a TypeImplTrait, name: &str) -> Option<&'a PathSegment> {
    ty.bounds.iter().find_map(|bound| match bound {
        TypeParamBound::Trait(bound) => {
            bound.path.segments.last().filter(|last| last.ident == name)
        }
        _ => None,
    })
}

/// The `T` of `Stream<Item = T>`.
pub(crate) fn item_type(stream: &PathSegment) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = &stream.arguments else {
        return None;
    };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::AssocType(assoc) if assoc.ident == "Item" => Some(&assoc.ty),
        _ => None,
    })
}

/// Types that are certainly no alias of `Result`, unless someone aliases `String` to one; they
/// need no assertion, which keeps the expansion of most methods short.
pub(crate) fn is_plain(ty: &Type) -> bool {
    const PLAIN: [&str; 20] = [
        "bool", "char", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64",
        "i128", "isize", "f32", "f64", "String", "Vec", "Option", "Box",
    ];
    match peel(ty) {
        Type::Tuple(_) | Type::Array(_) => true,
        Type::Path(path) => path
            .path
            .segments
            .last()
            .is_some_and(|last| PLAIN.iter().any(|plain| last.ident == plain)),
        _ => false,
    }
}

/// The place of the type that is most likely to miss a bound: the first that is not plain.
pub(crate) fn suspect_span<'a>(types: impl Iterator<Item = &'a Type>) -> Option<Span> {
    let mut first = None;
    for ty in types {
        if !is_plain(ty) {
            return Some(ty.span());
        }
        first = first.or_else(|| Some(ty.span()));
    }
    first
}

/// Prints tokens the way users write them: `Arc<Self>` and not `Arc < Self >`.
pub(crate) fn source(tokens: impl ToTokens) -> String {
    let mut text = tokens.to_token_stream().to_string();
    for (spaced, tight) in [
        (" <", "<"),
        ("< ", "<"),
        (" >", ">"),
        (" ::", "::"),
        (":: ", "::"),
        (" ,", ","),
        ("& ", "&"),
        (" :", ":"),
        (" ;", ";"),
    ] {
        text = text.replace(spaced, tight);
    }
    text
}

/// Refuses what cannot be sent to another process, or not be named there.
pub(crate) fn check_owned(ty: &Type, errors: &mut Errors) {
    OwnedCheck { errors }.visit_type(ty);
}

struct OwnedCheck<'a> {
    errors: &'a mut Errors,
}

impl<'ast> Visit<'ast> for OwnedCheck<'_> {
    fn visit_type(&mut self, ty: &'ast Type) {
        let message = match ty {
            Type::Reference(reference) => borrowed_message(&reference.elem),
            Type::Slice(slice) => format!(
                "a slice has no size and cannot be sent\n(write `Vec<{}>`)",
                source(&slice.elem)
            ),
            Type::TraitObject(_) => {
                "`dyn` types cannot be sent, as the receiver would not know which type to make\n\
                 (write a struct or an enum, or `Status` where an error is meant)"
                    .to_owned()
            }
            Type::ImplTrait(_) => {
                "`impl Trait` cannot be sent, as the receiver would not know which type to make\n\
                 (write the type; a stream is the whole return type: `-> impl Stream<Item = T>`)"
                    .to_owned()
            }
            Type::FnPtr(_) => "functions cannot be sent\n(write a type that holds data)".to_owned(),
            Type::Ptr(_) => "pointers cannot be sent\n(write the type it points to)".to_owned(),
            Type::Never(_) => "the never type has no value to send\n(write `()`)".to_owned(),
            Type::Infer(_) => {
                "the type must be written out here\n(a signature has no `_`)".to_owned()
            }
            _ => return visit::visit_type(self, ty),
        };
        self.errors.push(ty, message);
    }

    /// Slices are fine inside a pointer that owns them: `Box<[u8]>`.
    fn visit_generic_argument(&mut self, argument: &'ast GenericArgument) {
        match argument {
            GenericArgument::Type(Type::Slice(slice)) => self.visit_type(&slice.elem),
            other => visit::visit_generic_argument(self, other),
        }
    }

    fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
        if lifetime.ident != "static" {
            self.errors.push(
                lifetime,
                "what is sent must own its data, so it has no lifetime\n\
                 (write a type without one, or `'static` as in `Cow<'static, str>`)",
            );
        }
    }

    fn visit_path(&mut self, path: &'ast Path) {
        match path.segments.first() {
            Some(first) if first.ident == "Self" => self.errors.push(
                first,
                "`Self` is the type that serves, which a client does not have\n\
                 (write the name of a type)",
            ),
            _ => {}
        }
        match path.segments.last() {
            Some(last) if last.ident == "Streaming" => self.errors.push(
                last,
                "`Streaming<T>` is the whole type of an argument, and of nothing else\n\
                 (to return a stream, write `-> impl Stream<Item = T>`)",
            ),
            _ => visit::visit_path(self, path),
        }
    }
}

/// What to write instead of a reference.
fn borrowed_message(elem: &Type) -> String {
    let owned = match peel(elem) {
        Type::Slice(slice) => format!("Vec<{}>", source(&slice.elem)),
        Type::Path(path) if path.path.is_ident("str") => "String".to_owned(),
        Type::Path(path)
            if path
                .path
                .segments
                .last()
                .is_some_and(|last| last.ident == "Path") =>
        {
            "PathBuf".to_owned()
        }
        other => source(other),
    };
    format!("what is sent must own its data, so it cannot be a reference\n(write `{owned}`)")
}

/// A position in the user's code with the name resolution of the macro. Lints then know that the
/// tokens are not the user's own, while errors still appear at those.
pub(crate) fn located_at(span: Span) -> Span {
    Span::call_site().located_at(span)
}

/// Shows a path at a position in the user's code, each token with the name resolution it had, so
/// that a `$crate` stays what it is. rustc shows a type at its first token, and that is mostly
/// the path to the runtime.
pub(crate) fn path_at(path: &TokenStream, span: Span) -> TokenStream {
    let tokens = path.clone().into_iter().map(|mut token| {
        token.set_span(token.span().located_at(span));
        token
    });
    tokens.collect()
}

/// An identifier of the expansion that is shown at a position in the user's code.
pub(crate) fn ident_at(name: &str, span: Span) -> Ident {
    Ident::new(name, located_at(span))
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    fn messages(ty: Type) -> Vec<String> {
        let mut errors = Errors::default();
        check_owned(&ty, &mut errors);
        errors.into_messages()
    }

    #[test]
    fn owned_types_pass() {
        for ty in [
            parse_quote!(String),
            parse_quote!((u8, [u64; 4])),
            parse_quote!(Result<Vec<Option<a::B>>, ::c::D>),
            parse_quote!(Box<[u8]>),
            parse_quote!(Cow<'static, str>),
            parse_quote!(<A as B>::C),
        ] {
            let messages = messages(ty);
            assert!(messages.is_empty(), "{messages:?}");
        }
    }

    #[test]
    fn types_that_cannot_be_sent_are_refused_with_advice() {
        let cases: [(Type, &str); 17] = [
            (parse_quote!(&str), "(write `String`)"),
            (parse_quote!(&[u8]), "(write `Vec<u8>`)"),
            (parse_quote!(&[u8; 4]), "(write `[u8; 4]`)"),
            (parse_quote!(&Map<A, b::B>), "(write `Map<A, b::B>`)"),
            (parse_quote!(&std::path::Path), "(write `PathBuf`)"),
            (parse_quote!(Option<&str>), "(write `String`)"),
            (parse_quote!([u8]), "(write `Vec<u8>`)"),
            (parse_quote!(Box<dyn Error>), "`dyn` types"),
            (parse_quote!(Vec<impl Debug>), "`impl Trait`"),
            (parse_quote!(fn(u8) -> u8), "functions"),
            (parse_quote!(*const u8), "pointers"),
            (parse_quote!(!), "never type"),
            (parse_quote!(Vec<_>), "written out"),
            (parse_quote!(Foo<'a>), "lifetime"),
            (parse_quote!(Cow<'_, str>), "lifetime"),
            (parse_quote!(Option<Self>), "`Self`"),
            (parse_quote!(Vec<Streaming<u8>>), "`Streaming<T>`"),
        ];
        for (ty, part) in cases {
            let text = source(&ty);
            let messages = messages(ty);
            assert_eq!(messages.len(), 1, "{text}: {messages:?}");
            assert!(messages[0].contains(part), "{text}: {messages:?}");
        }
    }

    #[test]
    fn results_are_known_by_their_name() {
        for ty in [
            parse_quote!(Result<A, B>),
            parse_quote!(io::Result<A>),
            parse_quote!(MathResult<A>),
        ] {
            assert!(is_fallible(&ty), "{}", source(&ty));
        }
        let other: [Type; 2] = [parse_quote!(Results), parse_quote!((Result<A, B>,))];
        assert!(other.iter().all(|ty| !is_fallible(ty)));
    }

    #[test]
    fn identifiers_are_found_at_any_depth() {
        let ty: Type = parse_quote!(Option<(u8, [Self; 2])>);
        assert!(mentions(&ty, &["Self"]) && !mentions(&ty, &["Streaming", "_"]));
        let ty: Type = parse_quote!(Vec<_>);
        assert!(mentions(&ty, &["_"]));
    }

    #[test]
    fn the_first_type_that_is_not_plain_is_suspect() {
        let plain: Type = parse_quote!(Vec<u8>);
        let other: Type = parse_quote!(Mine);
        assert!(is_plain(&plain) && !is_plain(&other));
        assert!(suspect_span([plain, other].iter()).is_some());
        assert!(suspect_span(std::iter::empty()).is_none());
    }
}
