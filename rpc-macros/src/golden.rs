//! The expansion as text, one feature a file in `golden/`. After a change on purpose, write the
//! files anew with `UPDATE_GOLDEN=1 cargo test -p rpc-macros golden`, and review them like code.

use std::path::PathBuf;

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use crate::{error_derive, expand};

/// Prints an expansion, which has to be valid Rust.
fn pretty(tokens: TokenStream) -> String {
    match syn::parse2(tokens.clone()) {
        Ok(file) => prettyplease::unparse(&file),
        Err(error) => panic!("the expansion is no Rust: {error}\n{tokens}"),
    }
}

/// Compares an expansion with its golden file.
fn compare(name: &str, tokens: TokenStream) {
    let printed = pretty(tokens);
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("golden/{name}.rs"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, printed).expect("the folder golden/ is part of the crate");
        return;
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        printed == golden,
        "the expansion differs from golden/{name}.rs (write it anew with UPDATE_GOLDEN=1)\n{printed}"
    );
}

fn compare_service(name: &str, attr: TokenStream, item: TokenStream) {
    let tokens = expand::expand(attr, item);
    assert!(!tokens.to_string().contains("compile_error"), "{tokens}");
    compare(name, tokens);
}

/// One test per golden file: its name, the options of the service, and the trait.
macro_rules! golden {
    ($($name:ident ($($attr:tt)*) { $($item:tt)* })*) => {$(
        #[test]
        fn $name() {
            compare_service(stringify!($name), quote!($($attr)*), quote!($($item)*));
        }
    )*};
}

golden! {
    unary() {
        pub trait Math {
            async fn add(&self, a: i64, b: i64) -> i64;
            async fn double(&self, a: i64) -> i64;
            async fn reset(&self);
            async fn origin(&self) -> geometry::Point;
        }
    }

    fallible(name = "math.Math") {
        pub trait Math {
            async fn divide(&self, a: f64, b: f64) -> Result<f64, MathError>;
            async fn load(&self) -> io::Result<Vec<u8>>;
        }
    }

    server_stream() {
        pub trait Math {
            fn primes(&self, up_to: u64) -> impl Stream<Item = u64>;
            fn checked(&self, up_to: u64) -> impl Stream<Item = Result<u64, Status>> + Unpin;
        }
    }

    client_stream() {
        pub trait Math {
            async fn sum(&self, numbers: Streaming<i64>) -> i64;
            async fn sum_after(&self, start: i64, numbers: Streaming<i64>) -> Result<i64, Status>;
        }
    }

    bidirectional() {
        pub trait Chat {
            fn echo(&self, lines: Streaming<Line>) -> impl Stream<Item = Line>;
            fn chat(
                &self,
                lines: Streaming<Line>,
                room: String,
            ) -> impl Stream<Item = Result<Line, ChatError>>;
        }
    }

    context() {
        pub trait Who {
            async fn whoami(&self, ctx: &Context) -> Result<String, Status>;
            fn watch(&self, topic: String, ctx: &rpc::Context) -> impl Stream<Item = Event>;
        }
    }

    blocking() {
        pub trait Math {
            #[rpc(blocking)]
            fn factorial(&self, n: u32) -> Result<String, MathError>;
            #[rpc(blocking)]
            fn sleep(&self, ctx: &Context, seconds: u32);
        }
    }

    bare() {
        pub trait Users {
            #[rpc(bare)]
            async fn get_user(&self, request: GetUserRequest) -> Result<User, Status>;
            #[rpc(bare)]
            fn list_users(&self, request: ListUsersRequest) -> impl Stream<Item = User>;
        }
    }

    cfg() {
        #[cfg(feature = "greeter")]
        pub trait Greeter {
            #[cfg(unix)]
            async fn say(&self, name: Name) -> Greeting;
            #[cfg(not(unix))]
            async fn say(&self, name: Name) -> Greeting;
        }
    }

    deprecated_docs() {
        /// Greets.
        ///
        /// At length.
        #[must_use]
        pub trait Greeter {
            /// Says hello.
            #[deprecated(note = "use `greet`")]
            #[must_use]
            async fn say(&self, name: String) -> String;
        }
    }

    rename_all(rename_all = "camelCase") {
        pub trait Users {
            async fn get_user(&self, user_id: u64) -> String;
            #[rpc(name = "drop.all")]
            async fn delete_users(&self);
        }
    }

    version(name = "math.Math", version = "v2") {
        pub trait Math {
            async fn add(&self, a: i64, b: i64) -> i64;
        }
    }

    client_trait(client_trait) {
        pub trait Store {
            async fn get(&self, key: String, ctx: &Context) -> Result<String, Status>;
            fn watch(&self, keys: Streaming<Key>) -> impl Stream<Item = Result<String, Status>>;
        }
    }

    default_body() {
        pub trait Greeter: Clone {
            async fn say(&self, name: String) -> String {
                format!("hello {name}")
            }
            fn all(&self) -> impl Stream<Item = String> {
                stream::empty()
            }
        }
    }

    mock(mock) {
        pub trait Store {
            async fn get(&self, key: String, ctx: &Context) -> Result<String, Status>;
            #[rpc(blocking)]
            fn count(&self) -> u64;
            fn list(&self, prefix: String) -> impl Stream<Item = String>;
            async fn put(&self, name: String, values: Streaming<Value>) -> u64;
            #[cfg(feature = "watch")]
            fn watch(&self, keys: Streaming<Key>) -> impl Stream<Item = Result<String, Status>>;
        }
    }

    raw_ident() {
        trait r#Match {
            async fn r#type(&self, r#fn: String) -> String;
        }
    }

    options(
        codec = my::Codec,
        fingerprint = "0123456789abcdef",
        descriptors = my::DESCRIPTORS,
        crate = crate::rpc
    ) {
        pub(crate) trait Math {
            #[rpc(idempotent, priority = High, timeout = "500ms")]
            async fn add(&self, a: i64, b: i64) -> i64;
            #[rpc(read_only, since = "1.2")]
            #[rpc(timeout = "1h")]
            async fn pi(&self) -> Result<f64, Status>;
        }
    }

    empty() {
        pub trait Nothing {}
    }
}

#[test]
fn error_derive() {
    let on_type = error_derive::expand(quote! {
        #[rpc(error_code = NotFound)]
        struct Missing<T: Debug>(T) where T: Display;
    });
    let on_variants = error_derive::expand(quote! {
        #[rpc(error_code = Internal, crate = crate::rpc)]
        enum MathError {
            #[rpc(error_code = InvalidArgument)]
            DivisionByZero,
            #[cfg(unix)]
            #[rpc(error_code = OutOfRange)]
            TooLarge { limit: u64 },
            Other(String),
        }
    });
    let default = error_derive::expand(quote! { enum Never {} });
    compare("error_derive", quote! { #on_type #on_variants #default });
}

/// With mistakes, the trait, the client and the server are still there.
#[test]
fn mistakes() {
    let tokens = expand::expand(
        quote!(nmae = "x"),
        quote! {
            pub trait Math {
                const LIMIT: u64;
                #[rpc(bare)]
                async fn add(&mut self, (a, b): (i64, i64), mut c: i64, c: i64) -> i64;
                async fn good(&self) -> i64;
                async fn new(&self) -> i64;
            }
        },
    );
    compare("mistakes", tokens);
}

#[test]
fn generic_trait() {
    compare(
        "generic_trait",
        expand::expand(
            quote!(),
            quote! {
                pub trait Store<K: Ord> {
                    async fn get(&self, key: K) -> String;
                }
            },
        ),
    );
}

fn lines_of_unary_methods(count: usize) -> usize {
    let methods = (0..count).map(|number| {
        let ident = format_ident!("m{number}");
        quote! { async fn #ident(&self, a: u32, b: String) -> String; }
    });
    let tokens = expand::expand(
        quote!(name = "math.v1.Math"),
        quote! { pub trait Math { #(#methods)* } },
    );
    pretty(tokens).lines().count()
}

/// What a further method costs. Other frameworks stand between 85 and 290 lines.
#[test]
fn a_unary_method_expands_to_few_lines() {
    let slope = (lines_of_unary_methods(40) - lines_of_unary_methods(20)) as f64 / 20.0;
    assert!(slope <= 15.0, "{slope} lines a method");
}

#[test]
fn what_is_no_trait_is_handed_back_with_the_reason() {
    for (item, found) in [
        (
            quote!(
                struct S {
                    a: u8,
                }
            ),
            "a struct",
        ),
        (
            quote!(
                enum E {}
            ),
            "an enum",
        ),
        (
            quote!(
                fn f() {}
            ),
            "a function",
        ),
        (quote!(impl A for B {}), "an `impl` block"),
        (
            quote!(
                mod m {}
            ),
            "a module",
        ),
        (
            quote!(
                type A = B;
            ),
            "a type alias",
        ),
        (
            quote!(
                static A: u8 = 1;
            ),
            "another item",
        ),
    ] {
        let tokens = expand::expand(quote!(), item.clone()).to_string();
        assert!(tokens.starts_with(&item.to_string()), "{tokens}");
        assert!(tokens.contains(&format!("found {found}")), "{tokens}");
    }
}

#[test]
fn what_cannot_be_parsed_is_handed_back_with_the_error() {
    let tokens = expand::expand(quote!(), quote!(trait T { async fn })).to_string();
    assert!(
        tokens.starts_with("trait T") && tokens.contains("compile_error"),
        "{tokens}"
    );
}
