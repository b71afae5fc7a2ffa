pub trait Math: ::core::marker::Send + ::core::marker::Sync + 'static {
    const LIMIT: u64;
    #[allow(async_fn_in_trait)]
    async fn add(&mut self, _: (i64, i64), _: i64, c: i64) -> i64
    where
        Self: ::core::marker::Sized;
    fn good(&self) -> impl ::core::future::Future<Output = i64> + ::core::marker::Send;
    fn new(&self) -> impl ::core::future::Future<Output = i64> + ::core::marker::Send;
}
/// Calls the methods of [`Math`], over a channel or in this process.
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
#[allow(dead_code, non_camel_case_types)]
pub struct MathClient {
    client: ::rpc_runtime::__private::Client<::rpc_runtime::__private::Serde>,
}
impl ::rpc_runtime::__private::RpcClient for MathClient {
    const SERVICE: &'static ::rpc_runtime::__private::ServiceDescriptor = {
        #[allow(unused_imports)]
        use ::rpc_runtime::__private::{MethodDescriptor, MethodKind};
        const METHODS: &[MethodDescriptor] = &[
            MethodDescriptor::new("Math/good", MethodKind::Unary, &[]),
        ];
        static SERVICE: ::rpc_runtime::__private::ServiceDescriptor = ::rpc_runtime::__private::ServiceDescriptor::new(
            "Math",
            METHODS,
        );
        &SERVICE
    };
    fn from_channel(channel: ::rpc_runtime::__private::Channel) -> Self {
        Self {
            client: ::rpc_runtime::__private::Client::new(channel),
        }
    }
}
#[allow(dead_code, clippy::all, clippy::pedantic, clippy::nursery)]
impl MathClient {
    const __RPC: &'static ::rpc_runtime::__private::ServiceDescriptor = <Self as ::rpc_runtime::__private::RpcClient>::SERVICE;
    /// Makes a client of a service in this process, or of a channel.
    pub fn new(service: impl ::rpc_runtime::__private::Service) -> Self {
        Self {
            client: ::rpc_runtime::__private::Client::new(
                ::rpc_runtime::__private::Channel::new(service),
            ),
        }
    }
    /// Connects to the service at an address, such as `tcp://127.0.0.1:8080`.
    pub fn connect(
        target: impl ::rpc_runtime::__private::IntoTarget,
    ) -> ::rpc_runtime::__private::Connect<Self> {
        ::rpc_runtime::__private::Connect::new(target)
    }
    /// Calls [`Math::good`].
    pub fn good(&self) -> ::rpc_runtime::__private::Call<i64> {
        self.client.call(const { Self::__RPC.method("good") }, ()).unary::<i64>()
    }
}
/// Serves an implementation of [`Math`].
#[allow(dead_code, non_camel_case_types)]
pub struct MathServer<T> {
    service: ::std::sync::Arc<T>,
}
#[allow(dead_code, clippy::all, clippy::pedantic, clippy::nursery)]
impl<T: Math> MathServer<T> {
    /// Serves `service`.
    pub fn new(service: T) -> Self {
        Self {
            service: ::std::sync::Arc::new(service),
        }
    }
    /// Serves an implementation that is used elsewhere, too.
    pub fn from_arc(service: ::std::sync::Arc<T>) -> Self {
        Self { service }
    }
}
impl<T> ::core::clone::Clone for MathServer<T> {
    fn clone(&self) -> Self {
        Self {
            service: ::std::sync::Arc::clone(&self.service),
        }
    }
}
impl<T> ::core::fmt::Debug for MathServer<T> {
    fn fmt(&self, formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        formatter.debug_struct("MathServer").finish_non_exhaustive()
    }
}
#[allow(dead_code, clippy::all, clippy::pedantic, clippy::nursery)]
impl<__RpcT: Math> ::rpc_runtime::__private::Handler for MathServer<__RpcT> {
    type Target = __RpcT;
    type Codec = ::rpc_runtime::__private::Serde;
    const SERVICE: &'static ::rpc_runtime::__private::ServiceDescriptor = <MathClient as ::rpc_runtime::__private::RpcClient>::SERVICE;
    const METHODS: &'static [::rpc_runtime::__private::MethodHandler<__RpcT>] = {
        #[allow(unused_imports)]
        use ::rpc_runtime::__private::NotOnWire as _;
        type __RpcWire<__RpcT> = ::rpc_runtime::__private::OnWire<
            ::rpc_runtime::__private::Serde,
            __RpcT,
        >;
        &[
            |__rpc_service, mut __rpc_call| ::rpc_runtime::__private::boxed(async move {
                let () = __rpc_call.args(__RpcWire::<()>::args).await?;
                let __rpc_reply = <__RpcT as Math>::good(&*__rpc_service).await;
                __rpc_call.reply(__RpcWire::<i64>::value(__rpc_reply))
            }),
        ]
    };
    fn target(&self) -> &::std::sync::Arc<__RpcT> {
        &self.service
    }
}
#[allow(missing_docs)]
#[allow(dead_code, clippy::all, clippy::pedantic, clippy::nursery)]
impl MathClient {
    pub fn add(
        &self,
        _: (i64, i64),
        _: i64,
        _: i64,
    ) -> ::rpc_runtime::__private::Call<i64> {
        loop {}
    }
}
::core::compile_error! {
    "unknown option `nmae`, expected one of `name`, `version`, `rename_all`, `codec`, `fingerprint`, `descriptors`, `client_trait`, `mock`, `crate`"
}
::core::compile_error! {
    "a service consists of methods, found an associated constant\n(move it out of the trait)"
}
::core::compile_error! {
    "RPC methods must take `&self`, found `&mut self`\n(for state, use interior mutability such as a `Mutex`)"
}
::core::compile_error! {
    "arguments are sent by name, found a pattern\n(write a name, and take the value apart where the method is implemented)"
}
::core::compile_error! {
    "the arguments of a trait method have no `mut`\n(write `mut` where the method is implemented)"
}
::core::compile_error! {
    "`bare` needs exactly one argument, which becomes the whole message, found 3\n(remove `bare`, or put the arguments into one struct)"
}
::core::compile_error! {
    "method `new` clashes with the generated `MathClient::new`\n(rename the method and keep the wire name with `#[rpc(name = \"new\")]`)"
}
