#[cfg(feature = "greeter")]
pub trait Greeter: ::core::marker::Send + ::core::marker::Sync + 'static {
    #[cfg(unix)]
    fn say(
        &self,
        name: Name,
    ) -> impl ::core::future::Future<Output = Greeting> + ::core::marker::Send;
    #[cfg(not(unix))]
    fn say(
        &self,
        name: Name,
    ) -> impl ::core::future::Future<Output = Greeting> + ::core::marker::Send;
}
#[cfg(feature = "greeter")]
/// Calls the methods of [`Greeter`], over a channel or in this process.
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
#[allow(dead_code, non_camel_case_types)]
pub struct GreeterClient {
    client: ::rpc_runtime::__private::Client<::rpc_runtime::__private::Serde>,
}
#[cfg(feature = "greeter")]
impl ::rpc_runtime::__private::RpcClient for GreeterClient {
    const SERVICE: &'static ::rpc_runtime::__private::ServiceDescriptor = {
        #[allow(unused_imports)]
        use ::rpc_runtime::__private::{MethodDescriptor, MethodKind};
        const METHODS: &[MethodDescriptor] = &[
            #[cfg(unix)]
            MethodDescriptor::new("Greeter/say", MethodKind::Unary, &["name"]),
            #[cfg(not(unix))]
            MethodDescriptor::new("Greeter/say", MethodKind::Unary, &["name"]),
        ];
        static SERVICE: ::rpc_runtime::__private::ServiceDescriptor = ::rpc_runtime::__private::ServiceDescriptor::new(
            "Greeter",
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
#[cfg(feature = "greeter")]
#[allow(dead_code, clippy::all, clippy::pedantic, clippy::nursery)]
impl GreeterClient {
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
    #[cfg(unix)]
    /// Calls [`Greeter::say`].
    pub fn say(&self, name: Name) -> ::rpc_runtime::__private::Call<Greeting> {
        self.client
            .call(const { Self::__RPC.method("say") }, (name,))
            .unary::<Greeting>()
    }
    #[cfg(not(unix))]
    /// Calls [`Greeter::say`].
    pub fn say(&self, name: Name) -> ::rpc_runtime::__private::Call<Greeting> {
        self.client
            .call(const { Self::__RPC.method("say") }, (name,))
            .unary::<Greeting>()
    }
}
#[cfg(feature = "greeter")]
/// Serves an implementation of [`Greeter`].
#[allow(dead_code, non_camel_case_types)]
pub struct GreeterServer<T> {
    service: ::std::sync::Arc<T>,
}
#[cfg(feature = "greeter")]
#[allow(dead_code, clippy::all, clippy::pedantic, clippy::nursery)]
impl<T: Greeter> GreeterServer<T> {
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
#[cfg(feature = "greeter")]
impl<T> ::core::clone::Clone for GreeterServer<T> {
    fn clone(&self) -> Self {
        Self {
            service: ::std::sync::Arc::clone(&self.service),
        }
    }
}
#[cfg(feature = "greeter")]
impl<T> ::core::fmt::Debug for GreeterServer<T> {
    fn fmt(&self, formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        formatter.debug_struct("GreeterServer").finish_non_exhaustive()
    }
}
#[cfg(feature = "greeter")]
#[allow(dead_code, clippy::all, clippy::pedantic, clippy::nursery)]
impl<__RpcT: Greeter> ::rpc_runtime::__private::Handler for GreeterServer<__RpcT> {
    type Target = __RpcT;
    type Codec = ::rpc_runtime::__private::Serde;
    const SERVICE: &'static ::rpc_runtime::__private::ServiceDescriptor = <GreeterClient as ::rpc_runtime::__private::RpcClient>::SERVICE;
    const METHODS: &'static [::rpc_runtime::__private::MethodHandler<__RpcT>] = {
        #[allow(unused_imports)]
        use ::rpc_runtime::__private::NotOnWire as _;
        type __RpcWire<__RpcT> = ::rpc_runtime::__private::OnWire<
            ::rpc_runtime::__private::Serde,
            __RpcT,
        >;
        #[cfg(unix)]
        const _: () = ::core::assert!(
            ! __RpcWire:: < Greeting > ::IS_RESULT,
            "method `say` returns a `Result` under a name that does not end in `Result`: rename the alias, or write `Result<T, E>`"
        );
        #[cfg(not(unix))]
        const _: () = ::core::assert!(
            ! __RpcWire:: < Greeting > ::IS_RESULT,
            "method `say` returns a `Result` under a name that does not end in `Result`: rename the alias, or write `Result<T, E>`"
        );
        &[
            #[cfg(unix)]
            |__rpc_service, mut __rpc_call| ::rpc_runtime::__private::boxed(async move {
                let (name,) = __rpc_call.args(__RpcWire::<(Name,)>::args).await?;
                let __rpc_reply = <__RpcT as Greeter>::say(&*__rpc_service, name).await;
                __rpc_call.reply(__RpcWire::<Greeting>::value(__rpc_reply))
            }),
            #[cfg(not(unix))]
            |__rpc_service, mut __rpc_call| ::rpc_runtime::__private::boxed(async move {
                let (name,) = __rpc_call.args(__RpcWire::<(Name,)>::args).await?;
                let __rpc_reply = <__RpcT as Greeter>::say(&*__rpc_service, name).await;
                __rpc_call.reply(__RpcWire::<Greeting>::value(__rpc_reply))
            }),
        ]
    };
    fn target(&self) -> &::std::sync::Arc<__RpcT> {
        &self.service
    }
}
