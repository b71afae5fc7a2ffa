pub trait Math: ::core::marker::Send + ::core::marker::Sync + 'static {
    fn primes(&self, up_to: u64) -> impl Stream<Item = u64> + ::core::marker::Send;
    fn checked(
        &self,
        up_to: u64,
    ) -> impl Stream<Item = Result<u64, Status>> + Unpin + ::core::marker::Send;
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
            MethodDescriptor::new(
                "Math/primes",
                MethodKind::ServerStreaming,
                &["up_to"],
            ),
            MethodDescriptor::new(
                "Math/checked",
                MethodKind::ServerStreaming,
                &["up_to"],
            ),
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
    /// Calls [`Math::primes`].
    pub fn primes(&self, up_to: u64) -> ::rpc_runtime::__private::ResponseStream<u64> {
        self.client
            .call(const { Self::__RPC.method("primes") }, (up_to,))
            .stream::<u64>()
    }
    /// Calls [`Math::checked`].
    pub fn checked(
        &self,
        up_to: u64,
    ) -> ::rpc_runtime::__private::FallibleStream<
        Result<u64, Status>,
        ::rpc_runtime::__private::Serde,
    > {
        self.client
            .call(const { Self::__RPC.method("checked") }, (up_to,))
            .fallible_stream::<Result<u64, Status>>()
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
                let (up_to,) = __rpc_call.args(__RpcWire::<(u64,)>::args).await?;
                __rpc_call
                    .stream(move |__rpc_out| async move {
                        __rpc_out
                            .send(
                                <__RpcT as Math>::primes(&*__rpc_service, up_to),
                                __RpcWire::<u64>::value,
                            )
                            .await
                    })
                    .await
            }),
            |__rpc_service, mut __rpc_call| ::rpc_runtime::__private::boxed(async move {
                let (up_to,) = __rpc_call.args(__RpcWire::<(u64,)>::args).await?;
                __rpc_call
                    .stream(move |__rpc_out| async move {
                        __rpc_out
                            .send(
                                <__RpcT as Math>::checked(&*__rpc_service, up_to),
                                |__rpc_item| __RpcWire::<
                                    Result<u64, Status>,
                                >::result(
                                    __rpc_item,
                                    __RpcWire::<Result<u64, Status>>::CODE,
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
