//! Names of a schema as Rust identifiers: case, keywords, clashes.

use std::collections::BTreeSet;

use buffa_codegen::idents::{make_field_ident, to_shouty_snake_case, to_upper_camel_case};
use proc_macro2::Ident;

/// The functions of every generated client, which no method can be called.
const CLIENT_FUNCTIONS: [&str; 2] = ["new", "connect"];

/// `get_user` for `GetUser`; keywords become raw, or get an underscore where they cannot.
pub(crate) fn method_ident(name: &str, taken: &mut BTreeSet<String>) -> Ident {
    let snake = to_shouty_snake_case(name).to_lowercase();
    // The macro keeps names that begin so to itself, and `_` alone is no name.
    let snake = match snake.strip_prefix("__rpc_") {
        Some(rest) => format!("rpc_{rest}"),
        None if snake == "_" => "__".to_owned(),
        None => snake,
    };
    let snake = match CLIENT_FUNCTIONS.contains(&snake.as_str()) {
        true => format!("{snake}_"),
        false => snake,
    };
    make_field_ident(&first_free(&snake, taken))
}

/// `Users` for a service of that name, as long as nothing else in the package is called so, or as
/// its client and server will be. Otherwise `UsersService`.
pub(crate) fn service_ident(name: &str, taken: &mut BTreeSet<String>) -> Ident {
    let name = type_name(name);
    let candidates = std::iter::once(name.clone())
        .chain(std::iter::once(format!("{name}Service")))
        .chain((2..).map(|number| format!("{name}Service{number}")));
    for candidate in candidates {
        let names = [
            candidate.clone(),
            format!("{candidate}Client"),
            format!("{candidate}Server"),
        ];
        if names.iter().all(|name| !taken.contains(name)) {
            taken.extend(names);
            return make_field_ident(&candidate);
        }
    }
    unreachable!("one of infinitely many names is free")
}

/// A name for a type in a file where some names have a meaning already.
pub(crate) fn local_type_name(name: &str, taken: &mut BTreeSet<String>) -> String {
    let plain = name.strip_prefix("r#").unwrap_or(name);
    if taken.insert(plain.to_owned()) {
        return plain.to_owned();
    }
    let name = format!("{plain}Message");
    first_free(&name, taken)
}

/// Names in camel case stay as they are, even `HTTPGateway`: rustc takes them, and users search for them.
fn type_name(name: &str) -> String {
    let is_camel = name.starts_with(|first: char| first.is_ascii_uppercase())
        && !name.contains('_')
        && name.contains(|letter: char| letter.is_ascii_lowercase());
    let name = match is_camel {
        true => name.to_owned(),
        false => to_upper_camel_case(name),
    };
    match name.starts_with(|first: char| first.is_ascii_digit()) || name.is_empty() {
        true => format!("Service{name}"),
        false => name,
    }
}

fn first_free(name: &str, taken: &mut BTreeSet<String>) -> String {
    let mut candidate = name.to_owned();
    let mut number = 2;
    while !taken.insert(candidate.clone()) {
        candidate = format!("{}_{number}", name.trim_end_matches('_'));
        number += 1;
    }
    candidate
}

#[cfg(test)]
mod tests {
    use super::*;

    fn methods(names: &[&str]) -> Vec<String> {
        let mut taken = BTreeSet::new();
        let idents = names.iter().map(|name| method_ident(name, &mut taken));
        idents.map(|ident| ident.to_string()).collect()
    }

    #[test]
    fn methods_are_in_snake_case_and_differ() {
        assert_eq!(
            methods(&[
                "GetUser", "getURL", "GetUrl", "Type", "Self", "New", "Connect", "__rpc_x", "_"
            ]),
            [
                "get_user",
                "get_url",
                "get_url_2",
                "r#type",
                "self_",
                "new_",
                "connect_",
                "rpc_x",
                "__"
            ]
        );
    }

    #[test]
    fn services_stay_clear_of_messages() {
        let mut taken = BTreeSet::from([
            "UsersClient".to_owned(),
            "MathService".to_owned(),
            "Math".to_owned(),
        ]);
        let mut ident = |name| service_ident(name, &mut taken).to_string();
        assert_eq!(ident("Users"), "UsersService");
        assert_eq!(ident("Math"), "MathService2");
        assert_eq!(ident("user_store"), "UserStore");
        assert_eq!(ident("UserStore"), "UserStoreService");
        assert_eq!(ident("HTTPGateway"), "HTTPGateway");
        assert_eq!(ident("_1"), "Service1");
        assert_eq!(ident("Self"), "Self_");
    }

    #[test]
    fn types_that_would_mean_something_else_get_another_name() {
        let mut taken = BTreeSet::from(["Status".to_owned()]);
        assert_eq!(local_type_name("User", &mut taken), "User");
        assert_eq!(local_type_name("Status", &mut taken), "StatusMessage");
        assert_eq!(local_type_name("Status", &mut taken), "StatusMessage_2");
        assert_eq!(local_type_name("User", &mut taken), "UserMessage");
    }
}
