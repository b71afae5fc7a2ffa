use proc_macro2::TokenStream;
use syn::ItemTrait;

use super::check_service;
use crate::attr::ServiceOptions;
use crate::errors::Errors;
use crate::parse::parse_service;

/// The source text and the message of each mistake in a service, and how many methods are sound.
fn check(attr: &str, methods: &str) -> (Vec<(String, String)>, usize) {
    let mut errors = Errors::default();
    let tokens = |text: &str| text.parse::<TokenStream>().unwrap_or_default();
    let options = ServiceOptions::parse(tokens(attr), &mut errors);
    let item = tokens(&format!("trait Greeter {{ {methods} }}"));
    let mut item: ItemTrait = syn::parse2(item).expect("the test is a trait");
    let mut service = parse_service(options, &mut item, &mut errors);
    check_service(&mut service, &mut errors);
    let sound = service.sound_methods().count();
    (errors.into_reports(), sound)
}

fn assert_refused(attr: &str, methods: &str, place: &str, words: &str) {
    let (reports, _) = check(attr, methods);
    assert_eq!(reports.len(), 1, "{methods}: {reports:?}");
    assert_eq!(reports[0].0, place, "{reports:?}");
    assert!(reports[0].1.contains(words), "{reports:?}");
}

#[test]
fn names_of_generated_functions_are_refused() {
    for name in ["new", "connect"] {
        let (reports, sound) = check("", &format!("async fn {name}(&self); async fn g(&self);"));
        assert_eq!(sound, 1);
        assert_eq!(
            reports,
            [(
                name.to_owned(),
                format!(
                    "method `{name}` clashes with the generated `GreeterClient::{name}`\n\
                     (rename the method and keep the wire name with `#[rpc(name = \"{name}\")]`)"
                )
            )]
        );
    }
    assert!(
        check("", "#[rpc(name = \"new\")] async fn make(&self);")
            .0
            .is_empty()
    );
}

#[test]
fn wire_names_are_unique_and_well_formed() {
    let twice = "async fn a(&self); #[rpc(name = \"a\")] async fn b(&self);";
    assert_refused("", twice, "\"a\"", "already that of the method `a`");
    let renamed = "async fn get_it(&self); async fn getit(&self);";
    assert_refused("rename_all = \"lowercase\"", renamed, "getit", "`getit`");
    assert_refused("", "async fn größe(&self);", "größe", "contains 'ö'");
    assert_refused(
        "rename_all = \"camelCase\"",
        "async fn __(&self);",
        "__",
        "cannot be empty",
    );
    assert!(
        check("", "#[rpc(name = \"size\")] async fn größe(&self);")
            .0
            .is_empty()
    );
}

#[test]
fn a_method_given_twice_is_left_to_rustc() {
    let twice = "async fn r#a(&self); #[rpc(name = \"b\")] async fn a(&self);";
    assert_eq!(check("", twice), (Vec::new(), 1));
}

#[test]
fn methods_under_conditions_may_share_a_name() {
    let both = "#[cfg(unix)] async fn a(&self); #[cfg(windows)] async fn a(&self);";
    assert_eq!(check("", both), (Vec::new(), 2));
    let one = "async fn a(&self); #[cfg(unix)] #[rpc(name = \"a\")] async fn b(&self);";
    assert_refused("", one, "\"a\"", "already that of the method `a`");
}

#[test]
fn a_client_trait_needs_methods_that_fail_with_a_status() {
    let good = "async fn a(&self) -> Result<(), Status>;
        async fn b(&self) -> rpc::Result<u8>;
        fn c(&self) -> impl Stream<Item = Result<u8, rpc::Status>>;";
    assert_eq!(check("client_trait", good), (Vec::new(), 3));
    let cases = [
        (
            "async fn f(&self) -> Vec<u8>;",
            "Vec<u8>",
            "write `Result<Vec<u8>, Status>`",
        ),
        ("async fn f(&self);", "f", "write `Result<(), Status>`"),
        (
            "async fn f(&self) -> Result<u8, E>;",
            "E",
            "the only error is `Status`, found `E`",
        ),
        ("fn f(&self) -> impl Stream<Item = u8>;", "u8", "every item"),
        (
            "fn f(&self) -> impl Stream<Item = Result<u8, E>>;",
            "E",
            "the only error",
        ),
        (
            "#[rpc(blocking)] fn f(&self) -> Result<u8, Status>;",
            "blocking",
            "`client_trait`",
        ),
    ];
    for (method, place, words) in cases {
        assert!(check("", method).0.is_empty(), "{method}");
        assert_refused("client_trait", method, place, words);
    }
}
