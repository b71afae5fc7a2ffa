//! Every name that the expansion generates, and the rules for names on the wire.

use proc_macro2::Span;
use quote::format_ident;
use syn::Ident;
use syn::ext::IdentExt as _;

use crate::types::located_at;

/// The functions that every generated client has. A method of one of these names would clash.
pub(crate) const CLIENT_FUNCTIONS: [&str; 2] = ["new", "connect"];

/// The prefix of everything in an expansion that shares a scope with the user's identifiers.
pub(crate) const RESERVED_PREFIX: &str = "__rpc_";

/// `GreeterClient` for `Greeter`.
pub(crate) fn client_ident(service: &Ident) -> Ident {
    format_ident!("{}Client", service, span = service.span())
}

/// `GreeterServer` for `Greeter`.
pub(crate) fn server_ident(service: &Ident) -> Ident {
    format_ident!("{}Server", service, span = service.span())
}

/// `GreeterMock` for `Greeter`.
pub(crate) fn mock_ident(service: &Ident) -> Ident {
    format_ident!("{}Mock", service, span = service.span())
}

/// A local variable of the expansion, out of the way of the user's names.
pub(crate) fn local(name: &str, span: Span) -> Ident {
    Ident::new(&format!("{RESERVED_PREFIX}{name}"), located_at(span))
}

/// The constant of a client through which its methods find their descriptors.
pub(crate) fn client_descriptor() -> Ident {
    Ident::new("__RPC", Span::call_site())
}

/// The type parameter of a server. It shares a scope with the types of the user, who may well
/// have a `T` of their own.
pub(crate) fn implementation() -> Ident {
    Ident::new("__RpcT", Span::call_site())
}

/// The same where the documentation shows it, and no type of the user but the trait is around.
pub(crate) fn shown_implementation(service: &Ident) -> Ident {
    if service == "T" {
        return implementation();
    }
    Ident::new("T", Span::call_site())
}

/// The alias in a server of what reads and writes a type with the codec of the service.
pub(crate) fn on_wire(span: Span) -> Ident {
    Ident::new("__RpcWire", located_at(span))
}

/// How the names of methods are written on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RenameRule {
    Camel,
    Pascal,
    Snake,
    Kebab,
    ScreamingSnake,
    Lower,
}

impl RenameRule {
    /// The rules by the names that users give them.
    pub(crate) const ALL: [(&'static str, RenameRule); 6] = [
        ("camelCase", RenameRule::Camel),
        ("PascalCase", RenameRule::Pascal),
        ("snake_case", RenameRule::Snake),
        ("kebab-case", RenameRule::Kebab),
        ("SCREAMING_SNAKE_CASE", RenameRule::ScreamingSnake),
        ("lowercase", RenameRule::Lower),
    ];

    pub(crate) fn from_name(name: &str) -> Option<RenameRule> {
        let found = RenameRule::ALL.iter().find(|(known, _)| *known == name);
        found.map(|(_, rule)| *rule)
    }

    /// Applies the rule to an identifier in snake case.
    fn apply(self, ident: &str) -> String {
        let words: Vec<String> = ident
            .split('_')
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect();
        match self {
            RenameRule::Camel => {
                let mut words = words.into_iter();
                let first = words.next().unwrap_or_default();
                first + &words.map(|word| capitalize(&word)).collect::<String>()
            }
            RenameRule::Pascal => words.iter().map(|word| capitalize(word)).collect(),
            RenameRule::Snake => words.join("_"),
            RenameRule::Kebab => words.join("-"),
            RenameRule::ScreamingSnake => words.join("_").to_uppercase(),
            RenameRule::Lower => words.concat(),
        }
    }
}

fn capitalize(word: &str) -> String {
    let mut chars = word.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().collect::<String>() + chars.as_str(),
        None => String::new(),
    }
}

/// The name of a method on the wire, when its user gave none.
pub(crate) fn method_wire_name(ident: &Ident, rule: Option<RenameRule>) -> String {
    let name = ident.unraw().to_string();
    match rule {
        Some(rule) => rule.apply(&name),
        None => name,
    }
}

/// Says what is wrong with a name for the wire. The letters are those that every wire can carry
/// unescaped: URLs, JSON-RPC, gRPC paths, queue names.
pub(crate) fn wire_name_problem(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("a name on the wire cannot be empty".to_owned());
    }
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if let Some(wrong) = name.chars().find(|c| !is_allowed(*c)) {
        return Some(format!(
            "the wire name {name:?} contains {wrong:?}\n\
             (allowed are `A-Z`, `a-z`, `0-9`, `_`, `-`, and `.` between parts)"
        ));
    }
    if name.split('.').any(str::is_empty) {
        return Some(format!(
            "the wire name {name:?} has an empty part\n\
             (a `.` stands between two parts, as in `math.v1.Math`)"
        ));
    }
    None
}

/// Whether a part of a package is a version, such as `v1` or `v2beta1`.
pub(crate) fn is_version(part: &str) -> bool {
    let Some(rest) = part.strip_prefix('v') else {
        return false;
    };
    rest.starts_with(|c: char| c.is_ascii_digit())
        && rest
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
}

/// The version in the package of a service name: `v1` in `math.v1.Math`.
pub(crate) fn version_in(name: &str) -> Option<&str> {
    let (package, _) = name.rsplit_once('.')?;
    package.split('.').rev().find(|part| is_version(part))
}

/// Puts the version before the last part: `math.Math` becomes `math.v1.Math`, `Math` becomes
/// `v1.Math`.
pub(crate) fn with_version(name: &str, version: &str) -> String {
    match name.rsplit_once('.') {
        Some((package, last)) => format!("{package}.{version}.{last}"),
        None => format!("{version}.{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rename_rules_apply_to_snake_case() {
        let renamed: Vec<String> = RenameRule::ALL
            .iter()
            .map(|(_, rule)| rule.apply("get_user_by_id"))
            .collect();
        assert_eq!(
            renamed,
            [
                "getUserById",
                "GetUserById",
                "get_user_by_id",
                "get-user-by-id",
                "GET_USER_BY_ID",
                "getuserbyid"
            ]
        );
        assert_eq!(RenameRule::Camel.apply("_private"), "private");
        assert_eq!(RenameRule::from_name("Train-Case"), None);
    }

    #[test]
    fn raw_identifiers_lose_their_prefix_on_the_wire() {
        let ident: Ident = syn::parse_quote!(r#type);
        assert_eq!(method_wire_name(&ident, None), "type");
        assert_eq!(method_wire_name(&ident, Some(RenameRule::Pascal)), "Type");
        let service: Ident = syn::parse_quote!(r#async);
        assert_eq!(client_ident(&service), "asyncClient");
    }

    #[test]
    fn wire_names_are_checked() {
        for good in ["Math", "math.v1.Math", "say-hello", "a_b.C9"] {
            assert_eq!(wire_name_problem(good), None, "{good}");
        }
        for (bad, part) in [
            ("", "empty"),
            ("a/b", "'/'"),
            ("größe", "'ö'"),
            ("a b", "' '"),
            (".a", "empty part"),
            ("a..b", "empty part"),
            ("a.", "empty part"),
        ] {
            let problem = wire_name_problem(bad).unwrap_or_default();
            assert!(problem.contains(part), "{bad}: {problem}");
        }
    }

    #[test]
    fn versions_are_found_and_inserted() {
        assert_eq!(version_in("math.v1.Math"), Some("v1"));
        assert_eq!(version_in("v2beta1.Math"), Some("v2beta1"));
        assert_eq!(version_in("math.Math"), None);
        assert_eq!(version_in("v1"), None);
        assert_eq!(version_in("vector.Math"), None);
        assert_eq!(with_version("Math", "v1"), "v1.Math");
        assert_eq!(with_version("math.Math", "v1"), "math.v1.Math");
    }
}
