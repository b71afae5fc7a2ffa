pub trait Store: ::core::marker::Send + ::core::marker::Sync + 'static {
    fn get(
        &self,
        key: String,
        ctx: &Context,
    ) -> impl ::core::future::Future<
        Output = Result<String, Status>,
    > + ::core::marker::Send;
    fn watch(
        &self,
        keys: Streaming<Key>,
    ) -> impl Stream<Item = Result<String, Status>> + ::core::marker::Send;
}
/// Calls the methods of [`Store`], over a channel or in this process.
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
#[allow(dead_code, non_camel_case_types)]
pub struct StoreClient {
    client: ::rpc_runtime::__private::Client<::rpc_runtime::__private::Serde>,
}
impl ::rpc_runtime::__private::RpcClient for StoreClient {
    const SERVICE: &'static ::rpc_runtime::__private::ServiceDescriptor = {
        #[allow(unused_imports)]
        use ::rpc_runtime::__private::{MethodDescriptor, MethodKind};
        const METHODS: &[MethodDescriptor] = &[
            MethodDescriptor::new("Store/get", MethodKind::Unary, &["key"]),
            MethodDescriptor::new("Store/watch", MethodKind::Bidirectional, &[]),
        ];
        static SERVICE: ::rpc_runtime::__private::ServiceDescriptor = ::rpc_runtime::__private::ServiceDescriptor::new(
            "Store",
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
impl StoreClient {
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
    /// Calls [`Store::get`].
    pub fn get(
        &self,
        key: String,
    ) -> ::rpc_runtime::__private::FallibleCall<
        Result<String, Status>,
        ::rpc_runtime::__private::Serde,
    > {
        self.client
            .call(const { Self::__RPC.method("get") }, (key,))
            .fallible::<Result<String, Status>>()
    }
    /// Calls [`Store::watch`].
    pub fn watch(
        &self,
        keys: impl ::rpc_runtime::__private::IntoStreaming<Key>,
    ) -> ::rpc_runtime::__private::FallibleStream<
        Result<String, Status>,
        ::rpc_runtime::__private::Serde,
    > {
        self.client
            .call(const { Self::__RPC.method("watch") }, ())
            .upload::<Key>(keys)
            .fallible_stream::<Result<String, Status>>()
    }
}
#[allow(dead_code, clippy::all, clippy::pedantic, clippy::nursery)]
impl Store for StoreClient {
    async fn get(&self, key: String, _: &Context) -> Result<String, Status> {
        StoreClient::get(self, key).await
    }
    fn watch(
        &self,
        keys: Streaming<Key>,
    ) -> impl Stream<Item = Result<String, Status>> + ::core::marker::Send {
        StoreClient::watch(self, keys)
    }
}
/// Serves an implementation of [`Store`].
#[allow(dead_code, non_camel_case_types)]
pub struct StoreServer<T> {
    service: ::std::sync::Arc<T>,
}
#[allow(dead_code, clippy::all, clippy::pedantic, clippy::nursery)]
impl<T: Store> StoreServer<T> {
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
impl<T> ::core::clone::Clone for StoreServer<T> {
    fn clone(&self) -> Self {
        Self {
            service: ::std::sync::Arc::clone(&self.service),
        }
    }
}
impl<T> ::core::fmt::Debug for StoreServer<T> {
    fn fmt(&self, formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        formatter.debug_struct("StoreServer").finish_non_exhaustive()
    }
}
#[allow(dead_code, clippy::all, clippy::pedantic, clippy::nursery)]
impl<__RpcT: Store> ::rpc_runtime::__private::Handler for StoreServer<__RpcT> {
    type Target = __RpcT;
    type Codec = ::rpc_runtime::__private::Serde;
    const SERVICE: &'static ::rpc_runtime::__private::ServiceDescriptor = <StoreClient as ::rpc_runtime::__private::RpcClient>::SERVICE;
    const METHODS: &'static [::rpc_runtime::__private::MethodHandler<__RpcT>] = {
        #[allow(unused_imports)]
        use ::rpc_runtime::__private::NotOnWire as _;
        type __RpcWire<__RpcT> = ::rpc_runtime::__private::OnWire<
            ::rpc_runtime::__private::Serde,
            __RpcT,
        >;
        &[
            |__rpc_service, mut __rpc_call| ::rpc_runtime::__private::boxed(async move {
                let (key,) = __rpc_call.args(__RpcWire::<(String,)>::args).await?;
                let __rpc_context = __rpc_call.context();
                let __rpc_reply = <__RpcT as Store>::get(
                        &*__rpc_service,
                        key,
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
                let ((), keys) = __rpc_call
                    .upload(__RpcWire::<()>::args, __RpcWire::<Key>::read)
                    .await?;
                __rpc_call
                    .stream(move |__rpc_out| async move {
                        __rpc_out
                            .send(
                                <__RpcT as Store>::watch(&*__rpc_service, keys),
                                |__rpc_item| __RpcWire::<
                                    Result<String, Status>,
                                >::result(
                                    __rpc_item,
                                    __RpcWire::<Result<String, Status>>::CODE,
                                ),
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
