//! Hygiene of the macros: the expansion takes nothing from the scope it lands in, and leaves
//! nothing there that clashes.

#![no_implicit_prelude]
#![deny(
    warnings,
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    unused_results,
    clippy::all
)]
#![allow(
    clippy::many_single_char_names,
    clippy::non_minimal_cfg,
    clippy::redundant_closure_for_method_calls,
    clippy::upper_case_acronyms,
    clippy::wrong_self_convention,
    reason = "the names are chosen to be awkward"
)]

extern crate rpc_runtime as renamed;

use ::core::assert_eq;
use ::renamed::rpc_service;
use ::std::option::Option::Some;
use ::std::string::ToString as _;

/// A service without a prelude, whose runtime has another name.
#[rpc_service(name = "hygiene.Bare", crate = ::renamed)]
pub trait Bare {
    /// Has every form of type.
    async fn all(
        &self,
        number: u8,
        text: ::std::string::String,
    ) -> ::core::result::Result<::std::string::String, ::renamed::Status>;
    /// Streams.
    fn many(&self, up_to: u8) -> impl ::futures_util::Stream<Item = u8>;
    /// Takes a stream.
    async fn sum(&self, numbers: ::renamed::Streaming<u8>) -> u8;
    /// Blocks.
    #[rpc(blocking)]
    fn block(&self, ctx: &::renamed::Context) -> bool;
    /// Has a body.
    async fn twice(&self, number: u8) -> u8 {
        number * 2
    }
    /// Is on its way out.
    #[deprecated]
    #[rpc(bare, idempotent, read_only, timeout = "1s", since = "1.0")]
    async fn old(&self, number: u8);
}

/// An error without a prelude.
#[derive(Debug, ::renamed::RpcError, ::serde::Serialize, ::serde::Deserialize)]
#[rpc(crate = ::renamed, error_code = NotFound)]
pub struct Missing;

impl ::core::fmt::Display for Missing {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.write_str("missing")
    }
}

impl ::core::error::Error for Missing {}

struct Implementation;

impl Bare for Implementation {
    async fn all(
        &self,
        number: u8,
        text: ::std::string::String,
    ) -> ::core::result::Result<::std::string::String, ::renamed::Status> {
        ::core::result::Result::Ok(::std::format!("{text}{number}"))
    }

    fn many(&self, up_to: u8) -> impl ::futures_util::Stream<Item = u8> {
        ::futures_util::stream::iter(0..up_to)
    }

    async fn sum(&self, mut numbers: ::renamed::Streaming<u8>) -> u8 {
        let mut sum = 0;
        while let Some(::core::result::Result::Ok(number)) = numbers.next().await {
            sum += number;
        }
        sum
    }

    fn block(&self, ctx: &::renamed::Context) -> bool {
        ctx.method().name() == "block"
    }

    async fn old(&self, _number: u8) {}
}

#[::tokio::test(crate = "::tokio")]
async fn works_without_a_prelude_and_with_a_renamed_runtime() {
    let client = BareClient::new(BareServer::new(Implementation));
    let text = client.all(7, "a".to_string()).await;
    assert_eq!(text.ok().as_deref(), Some("a7"));
    let mut many = client.many(2);
    assert_eq!(
        many.next().await.and_then(::core::result::Result::ok),
        Some(0)
    );
    let numbers = ::futures_util::stream::iter([1, 2, 3]);
    assert_eq!(client.sum(numbers).await.ok(), Some(6));
    assert_eq!(client.block().await.ok(), Some(true));
    assert_eq!(client.twice(4).await.ok(), Some(8));
    assert_eq!(
        ::renamed::RpcError::code(&Missing),
        ::renamed::Code::NotFound
    );
}

/// Types and macros that have the names of everything the expansion could mean.
#[allow(
    dead_code,
    non_camel_case_types,
    unused_macros,
    reason = "their names are all they are for"
)]
mod shadows {
    use ::core::assert_eq;
    use ::renamed::rpc_service;
    use ::serde::{Deserialize, Serialize};

    macro_rules! shadow {
        ($($name:ident),*) => {
            $(
                #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
                pub(super) struct $name {
                    pub(super) number: u8,
                }
            )*
        };
    }

    shadow!(
        Vec,
        String,
        Future,
        Box,
        T,
        Option,
        Send,
        Sync,
        Sized,
        Arc,
        Call,
        Channel,
        Client,
        Serde,
        Service,
        MethodKind,
        MethodDescriptor,
        ServiceDescriptor,
        Handler,
        Items,
        OnWire,
        Codec,
        FallibleCall,
        RpcClient,
        NotOnWire,
        NotResult,
        Target,
        Duration,
        Formatter,
        core,
        std,
        u16,
        METHODS,
        SERVICE,
        __private
    );

    // Aliases: the name is that of something else, and the expansion has to keep out of it.
    pub(super) type Ok = Vec;
    pub(super) type Err = Box;
    pub(super) type Some = Option;
    pub(super) type None = T;

    macro_rules! assert {
        ($($tokens:tt)*) => {
            ::core::compile_error!("the expansion used `assert!` of the user")
        };
    }
    macro_rules! format {
        ($($tokens:tt)*) => {
            ::core::compile_error!("the expansion used `format!` of the user")
        };
    }

    /// Every type of it is called like another.
    #[rpc_service(crate = ::renamed)]
    pub(super) trait Shadowed {
        /// Takes them.
        async fn take(&self, a: Vec, b: String, c: Future, d: Box, e: T, f: Option) -> Ok;
        /// Takes the names of the runtime.
        async fn runtime(&self, a: Call, b: Channel, c: Serde, d: OnWire, e: Target) -> Err;
        /// Has arguments by the names of locals that an expansion could have.
        async fn locals(&self, call: u8, service: u8, ctx: u8, out: u8, result: u8) -> T;
        /// Has arguments by the names of arguments.
        async fn names(&self, args: u8, context: u8, request: u8, client: u8, this: u8) -> Arc;
        /// Has the name of a method of every type.
        async fn clone(&self, into: u8) -> Send;
        /// Has the name of a method of a handler.
        async fn target(&self) -> u16;
        /// Has the name of a function of a client trait.
        async fn from_channel(&self, channel: Channel) -> Service;
        /// Has the name of a field of the client.
        async fn client(&self, method: Sync) -> Handler;
    }

    struct Implementation;

    impl Shadowed for Implementation {
        async fn take(&self, a: Vec, b: String, c: Future, d: Box, e: T, f: Option) -> Ok {
            Vec {
                number: a.number + b.number + c.number + d.number + e.number + f.number,
            }
        }

        async fn runtime(&self, a: Call, b: Channel, c: Serde, d: OnWire, e: Target) -> Err {
            Box {
                number: a.number + b.number + c.number + d.number + e.number,
            }
        }

        async fn locals(&self, call: u8, service: u8, ctx: u8, out: u8, result: u8) -> T {
            T {
                number: call + service + ctx + out + result,
            }
        }

        async fn names(&self, args: u8, context: u8, request: u8, client: u8, this: u8) -> Arc {
            Arc {
                number: args + context + request + client + this,
            }
        }

        async fn clone(&self, into: u8) -> Send {
            Send { number: into }
        }

        async fn target(&self) -> u16 {
            u16 { number: 1 }
        }

        async fn from_channel(&self, channel: Channel) -> Service {
            Service {
                number: channel.number,
            }
        }

        async fn client(&self, method: Sync) -> Handler {
            Handler {
                number: method.number,
            }
        }
    }

    #[::tokio::test(crate = "::tokio")]
    async fn types_of_any_name_can_be_used() {
        let client = ShadowedClient::new(ShadowedServer::new(Implementation));
        let all = client.take(
            Vec { number: 1 },
            String { number: 2 },
            Future { number: 3 },
            Box { number: 4 },
            T { number: 5 },
            Option { number: 6 },
        );
        assert_eq!(
            all.await.ok(),
            ::std::option::Option::Some(Vec { number: 21 })
        );
        let locals = client.locals(1, 2, 3, 4, 5).await.ok();
        assert_eq!(locals, ::std::option::Option::Some(T { number: 15 }));
        let names = client.names(1, 2, 3, 4, 5).await.ok();
        assert_eq!(names, ::std::option::Option::Some(Arc { number: 15 }));
        let cloned = client.clone(9).await.ok();
        assert_eq!(cloned, ::std::option::Option::Some(Send { number: 9 }));
        let channel = client.from_channel(Channel { number: 7 }).await.ok();
        assert_eq!(channel, ::std::option::Option::Some(Service { number: 7 }));
        let target = client.target().await.ok();
        assert_eq!(target, ::std::option::Option::Some(u16 { number: 1 }));
    }
}

mod raw {
    use ::core::assert_eq;
    use ::renamed::{RpcClient as _, rpc_service};

    /// Everything is a keyword.
    #[allow(non_camel_case_types, reason = "keywords are lower case")]
    #[rpc_service(crate = ::renamed)]
    pub(super) trait r#trait {
        /// A method, an argument and a stream of it.
        async fn r#type(&self, r#match: u8, r#fn: u8) -> u8;
        /// An argument beside a stream.
        async fn r#loop(&self, r#in: u8, r#for: ::renamed::Streaming<u8>) -> u8;
    }

    struct Implementation;

    impl r#trait for Implementation {
        async fn r#type(&self, r#match: u8, r#fn: u8) -> u8 {
            r#match * 10 + r#fn
        }

        async fn r#loop(&self, r#in: u8, mut r#for: ::renamed::Streaming<u8>) -> u8 {
            let mut sum = r#in;
            while let ::std::option::Option::Some(::core::result::Result::Ok(n)) =
                r#for.next().await
            {
                sum += n;
            }
            sum
        }
    }

    #[::tokio::test(crate = "::tokio")]
    async fn keywords_are_names() {
        let client = traitClient::new(traitServer::new(Implementation));
        assert_eq!(
            client.r#type(4, 2).await.ok(),
            ::std::option::Option::Some(42)
        );
        let numbers = ::futures_util::stream::iter([1, 2]);
        assert_eq!(
            client.r#loop(3, numbers).await.ok(),
            ::std::option::Option::Some(6)
        );
        let service = traitClient::SERVICE;
        assert_eq!(service.name(), "trait");
        assert_eq!(service.methods()[0].path(), "trait/type");
        assert_eq!(service.methods()[0].args(), ["match", "fn"]);
        assert_eq!(service.methods()[1].args(), ["in"]);
    }
}

mod conditions {
    use ::core::assert_eq;
    use ::renamed::{RpcClient as _, rpc_service};
    use ::std::option::Option::Some;
    use ::std::vec::Vec;

    /// Methods that are there, and methods that are not, in turn: their places must still match.
    #[rpc_service(crate = ::renamed)]
    pub(super) trait Conditional {
        /// Is not there.
        #[cfg(any())]
        async fn gone(&self, a: DoesNotExist) -> DoesNotExist;
        /// Is there.
        async fn first(&self) -> u8;
        /// Is not there either.
        #[cfg(any())]
        fn gone_too(&self) -> impl no::Stream<Item = DoesNotExist>;
        /// Is there.
        #[cfg(all())]
        async fn second(&self) -> u8;
        /// One of two.
        #[cfg(any())]
        async fn third(&self) -> DoesNotExist;
        /// The other one.
        #[cfg(not(any()))]
        async fn third(&self) -> u8;
        /// Is there.
        async fn last(&self) -> u8;
    }

    /// A whole service that is not there.
    #[cfg(any())]
    #[rpc_service(crate = ::renamed)]
    pub(super) trait Absent {
        /// Is not there.
        async fn gone(&self) -> DoesNotExist;
    }

    struct Implementation;

    impl Conditional for Implementation {
        async fn first(&self) -> u8 {
            1
        }

        async fn second(&self) -> u8 {
            2
        }

        async fn third(&self) -> u8 {
            3
        }

        async fn last(&self) -> u8 {
            4
        }
    }

    #[::tokio::test(crate = "::tokio")]
    async fn what_is_there_is_called() {
        let client = ConditionalClient::new(ConditionalServer::new(Implementation));
        assert_eq!(client.first().await.ok(), Some(1));
        assert_eq!(client.second().await.ok(), Some(2));
        assert_eq!(client.third().await.ok(), Some(3));
        assert_eq!(client.last().await.ok(), Some(4));
        let names: Vec<&str> = {
            use ::std::iter::Iterator as _;
            let methods = ConditionalClient::SERVICE.methods().iter();
            methods.map(|method| method.name()).collect()
        };
        assert_eq!(names, ["first", "second", "third", "last"]);
    }

    #[::tokio::test(crate = "::tokio")]
    async fn what_is_there_is_found_by_name() {
        let channel = ::renamed::Channel::new(ConditionalServer::new(Implementation));
        for (path, answer) in [("Conditional/first", 1), ("Conditional/last", 4)] {
            let call = channel.call::<_, u8>(path, ());
            assert_eq!(call.await.ok(), Some(answer));
        }
        let call = channel.call::<_, u8>("Conditional/gone", ());
        let code = call.await.map_err(|status| status.code());
        assert_eq!(code.err(), Some(::renamed::Code::Unimplemented));
    }
}

mod generated {
    use ::core::assert_eq;
    use ::renamed::rpc_service;
    use ::std::option::Option::Some;

    macro_rules! service {
        ($(#[$attr:meta])* $name:ident, $method:ident($($arg:ident: $ty:ty),*) -> $output:ty) => {
            $(#[$attr])*
            #[rpc_service(crate = ::renamed)]
            pub(super) trait $name {
                /// The one method.
                async fn $method(&self, $($arg: $ty),*) -> $output;
            }
        };
    }

    // Two services in one module.
    service!(
        /// Adds.
        Adder, combine(a: u8, b: u8) -> u8
    );
    service!(
        /// Joins; its types are a path, a generic, and a result.
        Joiner,
        combine(
            a: ::std::string::String,
            b: ::std::vec::Vec<::std::string::String>
        ) -> ::core::result::Result<::std::string::String, ::renamed::Status>
    );

    struct Both;

    impl Adder for Both {
        async fn combine(&self, a: u8, b: u8) -> u8 {
            a + b
        }
    }

    impl Joiner for Both {
        async fn combine(
            &self,
            a: ::std::string::String,
            b: ::std::vec::Vec<::std::string::String>,
        ) -> ::core::result::Result<::std::string::String, ::renamed::Status> {
            ::core::result::Result::Ok(a + &b.concat())
        }
    }

    #[::tokio::test(crate = "::tokio")]
    async fn macros_can_write_services() {
        let both = ::std::sync::Arc::new(Both);
        let adder = AdderClient::new(AdderServer::from_arc(::std::clone::Clone::clone(&both)));
        let joiner = JoinerClient::new(JoinerServer::from_arc(both));
        assert_eq!(adder.combine(1, 2).await.ok(), Some(3));
        let words = ::std::vec!["b".into(), "c".into()];
        let joined = joiner.combine("a".into(), words).await;
        assert_eq!(joined.ok().as_deref(), Some("abc"));
    }

    use ::std::convert::Into as _;
}

mod nested {
    use ::core::assert_eq;
    use ::renamed::rpc_service;
    use ::serde::{Deserialize, Serialize};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Private(u8);

    // No `pub`: trait, client, server and types are this module's own.
    #[rpc_service(crate = ::renamed)]
    trait Inner {
        async fn same(&self, value: Private) -> Private;
    }

    struct Implementation;

    impl Inner for Implementation {
        async fn same(&self, value: Private) -> Private {
            value
        }
    }

    #[::tokio::test(crate = "::tokio")]
    async fn private_services_may_have_private_types() {
        let client = InnerClient::new(InnerServer::new(Implementation));
        let same = client.same(Private(1)).await.ok();
        assert_eq!(same, ::std::option::Option::Some(Private(1)));
    }
}
