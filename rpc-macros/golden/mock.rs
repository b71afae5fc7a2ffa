pub trait Store: ::core::marker::Send + ::core::marker::Sync + 'static {
    fn get(
        &self,
        key: String,
        ctx: &Context,
    ) -> impl ::core::future::Future<
        Output = Result<String, Status>,
    > + ::core::marker::Send;
    fn count(&self) -> u64;
    fn list(&self, prefix: String) -> impl Stream<Item = String> + ::core::marker::Send;
    fn put(
        &self,
        name: String,
        values: Streaming<Value>,
    ) -> impl ::core::future::Future<Output = u64> + ::core::marker::Send;
    #[cfg(feature = "watch")]
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
            MethodDescriptor::new("Store/count", MethodKind::Unary, &[]).blocking(),
            MethodDescriptor::new(
                "Store/list",
                MethodKind::ServerStreaming,
                &["prefix"],
            ),
            MethodDescriptor::new("Store/put", MethodKind::ClientStreaming, &["name"]),
            #[cfg(feature = "watch")]
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
    /// Calls [`Store::count`].
    pub fn count(&self) -> ::rpc_runtime::__private::Call<u64> {
        self.client.call(const { Self::__RPC.method("count") }, ()).unary::<u64>()
    }
    /// Calls [`Store::list`].
    pub fn list(
        &self,
        prefix: String,
    ) -> ::rpc_runtime::__private::ResponseStream<String> {
        self.client
            .call(const { Self::__RPC.method("list") }, (prefix,))
            .stream::<String>()
    }
    /// Calls [`Store::put`].
    pub fn put(
        &self,
        name: String,
        values: impl ::rpc_runtime::__private::IntoStreaming<Value>,
    ) -> ::rpc_runtime::__private::Call<u64> {
        self.client
            .call(const { Self::__RPC.method("put") }, (name,))
            .upload::<Value>(values)
            .unary::<u64>()
    }
    #[cfg(feature = "watch")]
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
                let () = __rpc_call.args(__RpcWire::<()>::args).await?;
                let __rpc_reply = __rpc_call
                    .blocking(move || <__RpcT as Store>::count(&*__rpc_service))
                    .await?;
                __rpc_call.reply(__RpcWire::<u64>::value(__rpc_reply))
            }),
            |__rpc_service, mut __rpc_call| ::rpc_runtime::__private::boxed(async move {
                let (prefix,) = __rpc_call.args(__RpcWire::<(String,)>::args).await?;
                __rpc_call
                    .stream(move |__rpc_out| async move {
                        __rpc_out
                            .send(
                                <__RpcT as Store>::list(&*__rpc_service, prefix),
                                __RpcWire::<String>::value,
                            )
                            .await
                    })
                    .await
            }),
            |__rpc_service, mut __rpc_call| ::rpc_runtime::__private::boxed(async move {
                let ((name,), values) = __rpc_call
                    .upload(__RpcWire::<(String,)>::args, __RpcWire::<Value>::read)
                    .await?;
                let __rpc_reply = <__RpcT as Store>::put(&*__rpc_service, name, values)
                    .await;
                __rpc_call.reply(__RpcWire::<u64>::value(__rpc_reply))
            }),
            #[cfg(feature = "watch")]
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
/// Stands in for a [`Store`] in tests: it answers as its fields are told to, which remember what they were asked.
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
#[allow(dead_code, clippy::all, clippy::pedantic, clippy::nursery)]
#[allow(non_camel_case_types)]
pub struct StoreMock {
    /// What [`Store::get`] does.
    pub get: ::rpc_runtime::__private::MockMethod<(String,), Result<String, Status>>,
    /// What [`Store::count`] does.
    pub count: ::rpc_runtime::__private::MockMethod<(), u64>,
    /// What [`Store::list`] does.
    pub list: ::rpc_runtime::__private::MockMethod<(String,), ::std::vec::Vec<String>>,
    /// What [`Store::put`] does.
    pub put: ::rpc_runtime::__private::MockMethod<
        (
            String,
            ::std::vec::Vec<
                ::core::result::Result<Value, ::rpc_runtime::__private::Status>,
            >,
        ),
        u64,
    >,
    #[cfg(feature = "watch")]
    /// What [`Store::watch`] does.
    pub watch: ::rpc_runtime::__private::MockMethod<
        (
            ::std::vec::Vec<
                ::core::result::Result<Key, ::rpc_runtime::__private::Status>,
            >,
        ),
        ::std::vec::Vec<Result<String, Status>>,
    >,
}
#[allow(dead_code, clippy::all, clippy::pedantic, clippy::nursery)]
impl StoreMock {
    /// Makes a mock of which no method has an answer yet.
    pub fn new() -> Self {
        Self {
            get: ::rpc_runtime::__private::MockMethod::new("Store/get"),
            count: ::rpc_runtime::__private::MockMethod::new("Store/count"),
            list: ::rpc_runtime::__private::MockMethod::new("Store/list"),
            put: ::rpc_runtime::__private::MockMethod::new("Store/put"),
            #[cfg(feature = "watch")]
            watch: ::rpc_runtime::__private::MockMethod::new("Store/watch"),
        }
    }
}
#[allow(dead_code, clippy::all, clippy::pedantic, clippy::nursery)]
impl Store for StoreMock {
    async fn get(&self, key: String, _: &Context) -> Result<String, Status> {
        self.get.call((key,))
    }
    fn count(&self) -> u64 {
        self.count.call(())
    }
    fn list(&self, prefix: String) -> impl Stream<Item = String> + ::core::marker::Send {
        self.list.items((prefix,))
    }
    async fn put(&self, name: String, values: Streaming<Value>) -> u64 {
        let values = ::rpc_runtime::__private::uploaded(values).await;
        self.put.call((name, values))
    }
    #[cfg(feature = "watch")]
    fn watch(
        &self,
        keys: Streaming<Key>,
    ) -> impl Stream<Item = Result<String, Status>> + ::core::marker::Send {
        self.watch.items_behind(keys, move |keys| (keys,))
    }
}
