use proc_macro2::TokenStream;
use syn::ItemTrait;

use crate::attr::ServiceOptions;
use crate::errors::Errors;
use crate::model::{ArgKind, Service};

fn tokens(text: &str) -> TokenStream {
    text.parse().unwrap_or_default()
}

/// Parses a trait, with the source text and the message of each mistake.
fn parse(attr: &str, item: &str) -> (Service, ItemTrait, Vec<(String, String)>) {
    let mut errors = Errors::default();
    let options = ServiceOptions::parse(tokens(attr), &mut errors);
    let mut item: ItemTrait = syn::parse2(tokens(item)).expect("the test is a trait");
    let service = super::parse_service(options, &mut item, &mut errors);
    (service, item, errors.into_reports())
}

/// Parses a trait with one method, which has to be right.
fn parse_method(method: &str) -> Service {
    let (service, _, reports) = parse("", &format!("trait Greeter {{ {method} }}"));
    assert!(reports.is_empty(), "{method}: {reports:?}");
    assert!(service.is_complete());
    service
}

/// Each method has one mistake, at the given source text, with the given words in its message.
fn assert_refused(cases: &[(&str, &str, &str)]) {
    for (method, place, words) in cases {
        let (service, _, reports) = parse("", &format!("trait Greeter {{ {method} }}"));
        assert_eq!(reports.len(), 1, "{method}: {reports:?}");
        let (text, message) = &reports[0];
        assert_eq!(text, place, "{method}: {message}");
        assert!(message.contains(words), "{method}: {message}");
        assert!(service.methods.is_empty() && service.has_losses, "{method}");
    }
}

#[test]
fn methods_have_four_kinds() {
    for (method, kind, is_fallible) in [
        ("async fn f(&self, a: A) -> B;", "Unary", false),
        ("async fn f(&self);", "Unary", false),
        ("async fn f(&self) -> io::Result<B>;", "Unary", true),
        (
            "fn f(&self) -> impl Stream<Item = B>;",
            "ServerStreaming",
            false,
        ),
        (
            "fn f(&self) -> impl s::Stream<Item = MyResult<B>> + Unpin;",
            "ServerStreaming",
            true,
        ),
        (
            "async fn f(&self, a: r::Streaming<A>) -> B;",
            "ClientStreaming",
            false,
        ),
        (
            "fn f(&self, a: Streaming<A>) -> impl Stream<Item = B>;",
            "Bidirectional",
            false,
        ),
        (
            "#[rpc(blocking)] fn f(&self) -> Result<A, B>;",
            "Unary",
            true,
        ),
        ("#[rpc(blocking)] fn f(&self);", "Unary", false),
    ] {
        let service = parse_method(method);
        assert_eq!(service.methods[0].kind(), kind, "{method}");
        assert_eq!(
            service.methods[0].output.is_fallible, is_fallible,
            "{method}"
        );
    }
}

#[test]
fn arguments_travel_in_three_ways() {
    let service = parse_method(
        "async fn f(&self, a: A, s: Streaming<S>, ctx: &rpc::Context, r#type: Vec<B>);",
    );
    let method = &service.methods[0];
    let kinds: Vec<ArgKind> = method.args.iter().map(|arg| arg.kind).collect();
    let (value, upload, context) = (ArgKind::Value, ArgKind::Upload, ArgKind::Context);
    assert_eq!(kinds, [value, upload, context, value]);
    assert_eq!(method.values().count(), 2);
    assert_eq!(method.client_args().count(), 3);
    assert!(method.has_context());
}

#[test]
fn names_come_from_options_or_identifiers() {
    let (service, _, reports) = parse(
        "name = \"a.B\", rename_all = \"PascalCase\"",
        "trait Greeter { async fn say_it(&self); #[rpc(name = \"x.y\")] async fn f(&self); }",
    );
    assert!(reports.is_empty(), "{reports:?}");
    assert_eq!(service.wire_name, "a.B");
    assert_eq!(service.client_ident, "GreeterClient");
    assert_eq!(service.server_ident, "GreeterServer");
    let names: Vec<&str> = service
        .methods
        .iter()
        .map(|m| m.wire_name.as_str())
        .collect();
    assert_eq!(names, ["SayIt", "x.y"]);
}

#[test]
fn versions_are_part_of_the_wire_name() {
    for (attr, wire_name, version) in [
        ("", "Greeter", None),
        ("version = \"v1\"", "v1.Greeter", Some("v1")),
        ("name = \"a.B\", version = \"v1\"", "a.v1.B", Some("v1")),
        ("name = \"a.v1.B\", version = \"v1\"", "a.v1.B", Some("v1")),
        ("name = \"a.v1.B\"", "a.v1.B", Some("v1")),
    ] {
        let (service, _, reports) = parse(attr, "trait Greeter {}");
        assert!(reports.is_empty(), "{reports:?}");
        assert_eq!(service.wire_name, wire_name);
        assert_eq!(service.version.as_deref(), version);
    }
    let (_, _, reports) = parse("name = \"a.v1.B\", version = \"v2\"", "trait Greeter {}");
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0].0, "\"v2\"");
    assert!(reports[0].1.contains("contradicts"), "{reports:?}");
}

#[test]
fn receivers_other_than_a_shared_reference_are_refused() {
    assert_refused(&[
        ("async fn f();", "f", "write `fn f(&self, ..)`"),
        ("async fn f(a: A);", "f", "must take `&self`"),
        ("async fn f(self);", "self", "found `self`"),
        ("async fn f(mut self);", "mut self", "found `mut self`"),
        ("async fn f(&mut self);", "&mut self", "such as a `Mutex`"),
        (
            "async fn f(self: Arc<Self>);",
            "self: Arc<Self>",
            "found `self: Arc<Self>`",
        ),
        (
            "async fn f(&'static self);",
            "&'static self",
            "found `&'static self`",
        ),
    ]);
}

#[test]
fn generic_methods_are_refused() {
    assert_refused(&[
        ("async fn f<T>(&self, a: T);", "<T>", "cannot be generic"),
        (
            "async fn f<const N: usize>(&self, a: [u8; N]);",
            "<const N: usize>",
            "cannot be generic",
        ),
        (
            "async fn f(&self) where Self: Clone;",
            "where Self: Clone",
            "`where`",
        ),
    ]);
    let (_, _, reports) = parse("", "trait G { async fn f<'a>(&self, a: A<'a>); }");
    let places: Vec<&str> = reports.iter().map(|(text, _)| text.as_str()).collect();
    assert_eq!(places, ["<'a>", "'a"]);
}

#[test]
fn qualifiers_are_refused() {
    assert_refused(&[
        (
            "const fn f(&self) -> impl Stream<Item = A>;",
            "const",
            "cannot be `const`",
        ),
        ("async unsafe fn f(&self);", "unsafe", "cannot be `unsafe`"),
        ("async extern \"C\" fn f(&self);", "extern \"C\"", "no ABI"),
        ("async fn f(&self, ...);", "...", "fixed list"),
    ]);
}

#[test]
fn argument_names_that_cannot_be_sent_are_refused() {
    assert_refused(&[
        (
            "async fn f(&self, (a, b): (A, B));",
            "(a, b)",
            "found a pattern",
        ),
        ("async fn f(&self, _: A);", "_", "found `_`"),
        ("async fn f(&self, mut a: A);", "mut a", "have no `mut`"),
        ("async fn f(&self, ref a: A);", "ref a", "found a pattern"),
        (
            "async fn f(&self, a: A, r#a: A);",
            "r#a",
            "argument `a` is given twice",
        ),
        ("async fn f(&self, __rpc_a: A);", "__rpc_a", "reserved"),
        (
            "async fn f(&self, #[cfg(unix)] a: A);",
            "#[cfg(unix)]",
            "condition",
        ),
        ("async fn __rpc_f(&self);", "__rpc_f", "reserved"),
    ]);
}

#[test]
fn argument_types_that_cannot_be_sent_are_refused() {
    assert_refused(&[
        ("async fn f(&self, a: &str);", "&str", "write `String`"),
        (
            "async fn f(&self, a: impl Debug);",
            "impl Debug",
            "`impl Trait`",
        ),
        (
            "async fn f(&self, a: Box<dyn Error>);",
            "dyn Error",
            "`dyn`",
        ),
        ("async fn f(&self, a: Self);", "Self", "`Self`"),
        (
            "async fn f(&self, a: Context);",
            "Context",
            "write `&Context`",
        ),
        (
            "async fn f(&self, a: &mut Context);",
            "&mut Context",
            "write `&Context`",
        ),
        (
            "async fn f(&self, a: &Context, b: &Context);",
            "&Context",
            "one context",
        ),
        (
            "async fn f(&self, a: Streaming<A>, b: Streaming<B>);",
            "Streaming<B>",
            "one stream",
        ),
        (
            "async fn f(&self, a: Streaming);",
            "Streaming",
            "write `Streaming<T>`",
        ),
        (
            "async fn f(&self, a: Streaming<&str>);",
            "&str",
            "write `String`",
        ),
        (
            "async fn f(&self, a: Vec<Streaming<A>>);",
            "Streaming<A>",
            "whole type of an argument",
        ),
    ]);
}

#[test]
fn return_types_that_cannot_be_sent_are_refused() {
    assert_refused(&[
        ("async fn f(&self) -> &str;", "&str", "write `String`"),
        ("async fn f(&self) -> !;", "!", "never"),
        (
            "async fn f(&self) -> Result<A, Box<dyn Error>>;",
            "dyn Error",
            "`Status`",
        ),
        (
            "async fn f(&self) -> Result<impl Stream<Item = A>, E>;",
            "impl Stream<Item = A>",
            "whole",
        ),
        (
            "fn f(&self) -> impl Stream<Item = &str>;",
            "&str",
            "write `String`",
        ),
        (
            "fn f(&self) -> impl Stream;",
            "Stream",
            "write `impl Stream<Item = T>`",
        ),
        (
            "fn f(&self) -> impl Future<Output = A>;",
            "impl Future<Output = A>",
            "write `async fn`",
        ),
        (
            "fn f(&self) -> impl Debug;",
            "impl Debug",
            "only `impl Trait`",
        ),
        (
            "fn f(&self) -> Streaming<A>;",
            "Streaming<A>",
            "write `-> impl Stream<Item = T>`",
        ),
    ]);
}

#[test]
fn forms_that_contradict_each_other_are_refused() {
    assert_refused(&[
        ("fn f(&self) -> A;", "fn", "`#[rpc(blocking)]`"),
        (
            "async fn f(&self) -> impl Stream<Item = A>;",
            "async",
            "remove `async`",
        ),
        (
            "#[rpc(blocking)] async fn f(&self);",
            "blocking",
            "not `async`",
        ),
        (
            "#[rpc(blocking)] fn f(&self) -> impl Stream<Item = A>;",
            "blocking",
            "cannot be `blocking`",
        ),
        (
            "#[rpc(blocking)] fn f(&self, a: Streaming<A>);",
            "blocking",
            "wait for a stream",
        ),
        ("#[rpc(bare)] async fn f(&self);", "bare", "found 0"),
        (
            "#[rpc(bare)] async fn f(&self, a: A, b: B);",
            "bare",
            "found 2",
        ),
        (
            "#[rpc(bare)] async fn f(&self, a: A, b: Streaming<B>);",
            "bare",
            "`Streaming`",
        ),
        (
            "#[rpc(once)] async fn f(&self, a: Streaming<A>);",
            "once",
            "which a stream is not",
        ),
        (
            "#[rpc(once)] fn f(&self) -> impl Stream<Item = A>;",
            "once",
            "which a stream is not",
        ),
        (
            "#[rpc(once, read_only)] async fn f(&self);",
            "once",
            "`read_only` says",
        ),
        (
            "#[rpc(idempotent, once)] async fn f(&self);",
            "once",
            "`idempotent` says",
        ),
        (
            "#[rpc(resumable)] async fn f(&self);",
            "resumable",
            "this one returns none",
        ),
        (
            "#[rpc(resumable)] async fn f(&self, a: Streaming<A>);",
            "resumable",
            "this one returns none",
        ),
        (
            "#[rpc(resumable)] fn f(&self, a: Streaming<A>) -> impl Stream<Item = B>;",
            "resumable",
            "what was read of it is gone",
        ),
        (
            "#[rpc(fast)] async fn f(&self);",
            "fast",
            "expected one of `name`, `idempotent`",
        ),
    ]);
}

#[test]
fn more_than_sixteen_arguments_are_refused() {
    let args = |count: usize| {
        (0..count)
            .map(|n| format!("a{n}: A"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    parse_method(&format!("async fn f(&self, {}, ctx: &Context);", args(16)));
    let method = format!("async fn f(&self, {});", args(18));
    assert_refused(&[(&method, "a16: A", "at most 16")]);
}

#[test]
fn what_is_no_method_is_refused() {
    assert_refused(&[
        ("const A: u8;", "const", "associated constant"),
        ("type A;", "type", "associated type"),
        ("methods!{}", "methods", "found a macro"),
    ]);
}

#[test]
fn traits_that_cannot_be_served_are_refused() {
    for (item, place, words) in [
        ("trait G<T> {}", "<T>", "cannot be generic"),
        ("unsafe trait G {}", "unsafe", "remove `unsafe`"),
        ("auto trait G {}", "auto", "plain trait"),
        ("trait Größe {}", "Größe", "contains 'ö'"),
        ("#[rpc(bare)] trait G {}", "bare", "goes on methods"),
    ] {
        let (_, _, reports) = parse("", item);
        assert_eq!(reports.len(), 1, "{item}: {reports:?}");
        assert_eq!(reports[0].0, place, "{item}");
        assert!(reports[0].1.contains(words), "{reports:?}");
    }
}

#[test]
fn one_mistake_does_not_hide_another() {
    let (service, item, reports) = parse(
        "nmae = \"x\"",
        "trait Greeter {
            #[rpc(bare, fast)]
            async fn f<T>(&mut self, (a, b): (&str, T)) -> &str;
            type A;
            async fn good(&self);
        }",
    );
    let places: Vec<&str> = reports.iter().map(|(text, _)| text.as_str()).collect();
    assert_eq!(
        places,
        [
            "nmae",
            "fast",
            "<T>",
            "&mut self",
            "(a, b)",
            "&str",
            "&str",
            "type"
        ]
    );
    assert_eq!(service.methods.len(), 1);
    // The trait stays whole.
    assert_eq!(item.items.len(), 3);
}
