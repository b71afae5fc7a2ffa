pub trait Who: ::core::marker::Send + ::core::marker::Sync + 'static {
    fn whoami(
        &self,
        ctx: &Context,
    ) -> impl ::core::future::Future<
        Output = Result<String, Status>,
    > + ::core::marker::Send;
    fn watch(
        &self,
        topic: String,
        ctx: &rpc::Context,
    ) -> impl Stream<Item = Event> + ::core::marker::Send;
}
/// Calls the methods of [`Who`], over a channel or in this process.
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
#[allow(dead_code, non_camel_case_types)]
pub struct WhoClient {
    client: ::rpc_runtime::__private::Client<::rpc_runtime::__private::Serde>,
}
impl ::rpc_runtime::__private::RpcClient for WhoClient {
    const SERVICE: &'static ::rpc_runtime::__private::ServiceDescriptor = {
        #[allow(unused_imports)]
        use ::rpc_runtime::__private::{MethodDescriptor, MethodKind};
        const METHODS: &[MethodDescriptor] = &[
            MethodDescriptor::new("Who/whoami", MethodKind::Unary, &[]),
            MethodDescriptor::new("Who/watch", MethodKind::ServerStreaming, &["topic"]),
        ];
        static SERVICE: ::rpc_runtime::__private::ServiceDescriptor = ::rpc_runtime::__private::ServiceDescriptor::new(
            "Who",
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
impl WhoClient {
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
    /// Calls [`Who::whoami`].
    pub fn whoami(
        &self,
    ) -> ::rpc_runtime::__private::FallibleCall<
        Result<String, Status>,
        ::rpc_runtime::__private::Serde,
    > {
        self.client
            .call(const { Self::__RPC.method("whoami") }, ())
            .fallible::<Result<String, Status>>()
    }
    /// Calls [`Who::watch`].
    pub fn watch(
        &self,
        topic: String,
    ) -> ::rpc_runtime::__private::ResponseStream<Event> {
        self.client
            .call(const { Self::__RPC.method("watch") }, (topic,))
            .stream::<Event>()
    }
}
/// Serves an implementation of [`Who`].
#[allow(dead_code, non_camel_case_types)]
pub struct WhoServer<T> {
    service: ::std::sync::Arc<T>,
}
#[allow(dead_code, clippy::all, clippy::pedantic, clippy::nursery)]
impl<T: Who> WhoServer<T> {
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
impl<T> ::core::clone::Clone for WhoServer<T> {
    fn clone(&self) -> Self {
        Self {
            service: ::std::sync::Arc::clone(&self.service),
        }
    }
}
impl<T> ::core::fmt::Debug for WhoServer<T> {
    fn fmt(&self, formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        formatter.debug_struct("WhoServer").finish_non_exhaustive()
    }
}
#[allow(dead_code, clippy::all, clippy::pedantic, clippy::nursery)]
impl<__RpcT: Who> ::rpc_runtime::__private::Handler for WhoServer<__RpcT> {
    type Target = __RpcT;
    type Codec = ::rpc_runtime::__private::Serde;
    const SERVICE: &'static ::rpc_runtime::__private::ServiceDescriptor = <WhoClient as ::rpc_runtime::__private::RpcClient>::SERVICE;
    const METHODS: &'static [::rpc_runtime::__private::MethodHandler<__RpcT>] = {
        #[allow(unused_imports)]
        use ::rpc_runtime::__private::NotOnWire as _;
        type __RpcWire<__RpcT> = ::rpc_runtime::__private::OnWire<
            ::rpc_runtime::__private::Serde,
            __RpcT,
        >;
        const _: () = ::core::assert!(
            ! __RpcWire:: < Event > ::IS_RESULT,
            "method `watch` yields a `Result` under a name that does not end in `Result`: rename the alias, or write `Result<T, E>`"
        );
        &[
            |__rpc_service, mut __rpc_call| ::rpc_runtime::__private::boxed(async move {
                let () = __rpc_call.args(__RpcWire::<()>::args).await?;
                let __rpc_context = __rpc_call.context();
                let __rpc_reply = <__RpcT as Who>::whoami(
                        &*__rpc_service,
                        &__rpc_context,
                    )
                    .await;
                __rpc_call
                    .reply(
                        __RpcWire::<
                            Result<String, Status>,
                        >::result(__rpc_reply, __RpcWire::<Result<String, Status>>::CODE),
                    )
            }),
            |__rpc_service, mut __rpc_call| ::rpc_runtime::__private::boxed(async move {
                let (topic,) = __rpc_call.args(__RpcWire::<(String,)>::args).await?;
                let __rpc_context = __rpc_call.context();
                __rpc_call
                    .stream(move |__rpc_out| async move {
                        __rpc_out
                            .send(
                                <__RpcT as Who>::watch(
                                    &*__rpc_service,
                                    topic,
                                    &__rpc_context,
                                ),
                                __RpcWire::<Event>::value,
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
