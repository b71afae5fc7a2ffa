pub(crate) trait Math: ::core::marker::Send + ::core::marker::Sync + 'static {
    fn add(
        &self,
        a: i64,
        b: i64,
    ) -> impl ::core::future::Future<Output = i64> + ::core::marker::Send;
    fn pi(
        &self,
    ) -> impl ::core::future::Future<
        Output = Result<f64, Status>,
    > + ::core::marker::Send;
}
/// Calls the methods of [`Math`], over a channel or in this process.
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
#[allow(dead_code, non_camel_case_types)]
pub(crate) struct MathClient {
    client: crate::rpc::__private::Client<my::Codec>,
}
impl crate::rpc::__private::RpcClient for MathClient {
    const SERVICE: &'static crate::rpc::__private::ServiceDescriptor = {
        #[allow(unused_imports)]
        use crate::rpc::__private::{MethodDescriptor, MethodKind};
        use crate::rpc::__private::NotOnWire as _;
        const IS_BARE: bool = crate::rpc::__private::OnWire::<my::Codec, ()>::IS_BARE;
        const METHODS: &[MethodDescriptor] = &[
            MethodDescriptor::new("Math/add", MethodKind::Unary, &["a", "b"])
                .bare_by_codec(IS_BARE)
                .idempotent()
                .priority(crate::rpc::__private::Priority::High)
                .timeout(::core::time::Duration::from_millis(500u64)),
            MethodDescriptor::new("Math/pi", MethodKind::Unary, &[])
                .bare_by_codec(IS_BARE)
                .read_only()
                .timeout(::core::time::Duration::from_millis(3600000u64))
                .since("1.2"),
        ];
        static SERVICE: crate::rpc::__private::ServiceDescriptor = crate::rpc::__private::ServiceDescriptor::new(
                "Math",
                METHODS,
            )
            .with_fingerprint(81985529216486895u64)
            .with_descriptors(my::DESCRIPTORS);
        &SERVICE
    };
    fn from_channel(channel: crate::rpc::__private::Channel) -> Self {
        Self {
            client: crate::rpc::__private::Client::new(channel),
        }
    }
}
#[allow(dead_code, clippy::all, clippy::pedantic, clippy::nursery)]
impl MathClient {
    const __RPC: &'static crate::rpc::__private::ServiceDescriptor = <Self as crate::rpc::__private::RpcClient>::SERVICE;
    /// Makes a client of a service in this process, or of a channel.
    pub(crate) fn new(service: impl crate::rpc::__private::Service) -> Self {
        Self {
            client: crate::rpc::__private::Client::new(
                crate::rpc::__private::Channel::new(service),
            ),
        }
    }
    /// Connects to the service at an address, such as `tcp://127.0.0.1:8080`.
    pub(crate) fn connect(
        target: impl crate::rpc::__private::IntoTarget,
    ) -> crate::rpc::__private::Connect<Self> {
        crate::rpc::__private::Connect::new(target)
    }
    /// Calls [`Math::add`].
    pub(crate) fn add(&self, a: i64, b: i64) -> crate::rpc::__private::Call<i64> {
        self.client.call(const { Self::__RPC.method("add") }, (a, b)).unary::<i64>()
    }
    /// Calls [`Math::pi`].
    pub(crate) fn pi(
        &self,
    ) -> crate::rpc::__private::FallibleCall<Result<f64, Status>, my::Codec> {
        self.client
            .call(const { Self::__RPC.method("pi") }, ())
            .fallible::<Result<f64, Status>>()
    }
}
/// Serves an implementation of [`Math`].
#[allow(dead_code, non_camel_case_types)]
pub(crate) struct MathServer<T> {
    service: ::std::sync::Arc<T>,
}
#[allow(dead_code, clippy::all, clippy::pedantic, clippy::nursery)]
impl<T: Math> MathServer<T> {
    /// Serves `service`.
    pub(crate) fn new(service: T) -> Self {
        Self {
            service: ::std::sync::Arc::new(service),
        }
    }
    /// Serves an implementation that is used elsewhere, too.
    pub(crate) fn from_arc(service: ::std::sync::Arc<T>) -> Self {
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
impl<__RpcT: Math> crate::rpc::__private::Handler for MathServer<__RpcT> {
    type Target = __RpcT;
    type Codec = my::Codec;
    const SERVICE: &'static crate::rpc::__private::ServiceDescriptor = <MathClient as crate::rpc::__private::RpcClient>::SERVICE;
    const METHODS: &'static [crate::rpc::__private::MethodHandler<__RpcT>] = {
        #[allow(unused_imports)]
        use crate::rpc::__private::NotOnWire as _;
        type __RpcWire<__RpcT> = crate::rpc::__private::OnWire<my::Codec, __RpcT>;
        &[
            |__rpc_service, mut __rpc_call| crate::rpc::__private::boxed(async move {
                let (a, b) = __rpc_call.args(__RpcWire::<(i64, i64)>::args).await?;
                let __rpc_reply = <__RpcT as Math>::add(&*__rpc_service, a, b).await;
                __rpc_call.reply(__RpcWire::<i64>::value(__rpc_reply))
            }),
            |__rpc_service, mut __rpc_call| crate::rpc::__private::boxed(async move {
                let () = __rpc_call.args(__RpcWire::<()>::args).await?;
                let __rpc_reply = <__RpcT as Math>::pi(&*__rpc_service).await;
                __rpc_call
                    .reply(
                        __RpcWire::<
                            Result<f64, Status>,
                        >::result(__rpc_reply, __RpcWire::<Result<f64, Status>>::CODE),
                    )
            }),
        ]
    };
    fn target(&self) -> &::std::sync::Arc<__RpcT> {
        &self.service
    }
}
