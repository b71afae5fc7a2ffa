pub trait Greeter: Clone + ::core::marker::Send + ::core::marker::Sync + 'static {
    fn say(
        &self,
        name: String,
    ) -> impl ::core::future::Future<Output = String> + ::core::marker::Send {
        async move { format!("hello {name}") }
    }
    fn all(&self) -> impl Stream<Item = String> + ::core::marker::Send {
        stream::empty()
    }
}
/// Calls the methods of [`Greeter`], over a channel or in this process.
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
#[allow(dead_code, non_camel_case_types)]
pub struct GreeterClient {
    client: ::rpc_runtime::__private::Client<::rpc_runtime::__private::Serde>,
}
impl ::rpc_runtime::__private::RpcClient for GreeterClient {
    const SERVICE: &'static ::rpc_runtime::__private::ServiceDescriptor = {
        #[allow(unused_imports)]
        use ::rpc_runtime::__private::{MethodDescriptor, MethodKind};
        const METHODS: &[MethodDescriptor] = &[
            MethodDescriptor::new("Greeter/say", MethodKind::Unary, &["name"]),
            MethodDescriptor::new("Greeter/all", MethodKind::ServerStreaming, &[]),
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
    /// Calls [`Greeter::say`].
    pub fn say(&self, name: String) -> ::rpc_runtime::__private::Call<String> {
        self.client.call(const { Self::__RPC.method("say") }, (name,)).unary::<String>()
    }
    /// Calls [`Greeter::all`].
    pub fn all(&self) -> ::rpc_runtime::__private::ResponseStream<String> {
        self.client.call(const { Self::__RPC.method("all") }, ()).stream::<String>()
    }
}
/// Serves an implementation of [`Greeter`].
#[allow(dead_code, non_camel_case_types)]
pub struct GreeterServer<T> {
    service: ::std::sync::Arc<T>,
}
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
impl<T> ::core::clone::Clone for GreeterServer<T> {
    fn clone(&self) -> Self {
        Self {
            service: ::std::sync::Arc::clone(&self.service),
        }
    }
}
impl<T> ::core::fmt::Debug for GreeterServer<T> {
    fn fmt(&self, formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        formatter.debug_struct("GreeterServer").finish_non_exhaustive()
    }
}
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
        &[
            |__rpc_service, mut __rpc_call| ::rpc_runtime::__private::boxed(async move {
                let (name,) = __rpc_call.args(__RpcWire::<(String,)>::args).await?;
                let __rpc_reply = <__RpcT as Greeter>::say(&*__rpc_service, name).await;
                __rpc_call.reply(__RpcWire::<String>::value(__rpc_reply))
            }),
            |__rpc_service, mut __rpc_call| ::rpc_runtime::__private::boxed(async move {
                let () = __rpc_call.args(__RpcWire::<()>::args).await?;
                __rpc_call
                    .stream(move |__rpc_out| async move {
                        __rpc_out
                            .send(
                                <__RpcT as Greeter>::all(&*__rpc_service),
                                __RpcWire::<String>::value,
                            )
                            .await
                    })
                    .await
            }),
        ]
    };
    fn target(&self) -> &::std::sync::Arc<__RpcT> {
        &self.service
    }
}
