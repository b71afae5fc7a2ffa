pub trait Chat: ::core::marker::Send + ::core::marker::Sync + 'static {
    fn echo(
        &self,
        lines: Streaming<Line>,
    ) -> impl Stream<Item = Line> + ::core::marker::Send;
    fn chat(
        &self,
        lines: Streaming<Line>,
        room: String,
    ) -> impl Stream<Item = Result<Line, ChatError>> + ::core::marker::Send;
}
/// Calls the methods of [`Chat`], over a channel or in this process.
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
#[allow(dead_code, non_camel_case_types)]
pub struct ChatClient {
    client: ::rpc_runtime::__private::Client<::rpc_runtime::__private::Serde>,
}
impl ::rpc_runtime::__private::RpcClient for ChatClient {
    const SERVICE: &'static ::rpc_runtime::__private::ServiceDescriptor = {
        #[allow(unused_imports)]
        use ::rpc_runtime::__private::{MethodDescriptor, MethodKind};
        const METHODS: &[MethodDescriptor] = &[
            MethodDescriptor::new("Chat/echo", MethodKind::Bidirectional, &[]),
            MethodDescriptor::new("Chat/chat", MethodKind::Bidirectional, &["room"]),
        ];
        static SERVICE: ::rpc_runtime::__private::ServiceDescriptor = ::rpc_runtime::__private::ServiceDescriptor::new(
            "Chat",
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
impl ChatClient {
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
    /// Calls [`Chat::echo`].
    pub fn echo(
        &self,
        lines: impl ::rpc_runtime::__private::IntoStreaming<Line>,
    ) -> ::rpc_runtime::__private::ResponseStream<Line> {
        self.client
            .call(const { Self::__RPC.method("echo") }, ())
            .upload::<Line>(lines)
            .stream::<Line>()
    }
    /// Calls [`Chat::chat`].
    pub fn chat(
        &self,
        lines: impl ::rpc_runtime::__private::IntoStreaming<Line>,
        room: String,
    ) -> ::rpc_runtime::__private::FallibleStream<
        Result<Line, ChatError>,
        ::rpc_runtime::__private::Serde,
    > {
        self.client
            .call(const { Self::__RPC.method("chat") }, (room,))
            .upload::<Line>(lines)
            .fallible_stream::<Result<Line, ChatError>>()
    }
}
/// Serves an implementation of [`Chat`].
#[allow(dead_code, non_camel_case_types)]
pub struct ChatServer<T> {
    service: ::std::sync::Arc<T>,
}
#[allow(dead_code, clippy::all, clippy::pedantic, clippy::nursery)]
impl<T: Chat> ChatServer<T> {
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
impl<T> ::core::clone::Clone for ChatServer<T> {
    fn clone(&self) -> Self {
        Self {
            service: ::std::sync::Arc::clone(&self.service),
        }
    }
}
impl<T> ::core::fmt::Debug for ChatServer<T> {
    fn fmt(&self, formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        formatter.debug_struct("ChatServer").finish_non_exhaustive()
    }
}
#[allow(dead_code, clippy::all, clippy::pedantic, clippy::nursery)]
impl<__RpcT: Chat> ::rpc_runtime::__private::Handler for ChatServer<__RpcT> {
    type Target = __RpcT;
    type Codec = ::rpc_runtime::__private::Serde;
    const SERVICE: &'static ::rpc_runtime::__private::ServiceDescriptor = <ChatClient as ::rpc_runtime::__private::RpcClient>::SERVICE;
    const METHODS: &'static [::rpc_runtime::__private::MethodHandler<__RpcT>] = {
        #[allow(unused_imports)]
        use ::rpc_runtime::__private::NotOnWire as _;
        type __RpcWire<__RpcT> = ::rpc_runtime::__private::OnWire<
            ::rpc_runtime::__private::Serde,
            __RpcT,
        >;
        const _: () = ::core::assert!(
            ! __RpcWire:: < Line > ::IS_RESULT,
            "method `echo` yields a `Result` under a name that does not end in `Result`: rename the alias, or write `Result<T, E>`"
        );
        &[
            |__rpc_service, mut __rpc_call| ::rpc_runtime::__private::boxed(async move {
                let ((), lines) = __rpc_call
                    .upload(__RpcWire::<()>::args, __RpcWire::<Line>::read)
                    .await?;
                __rpc_call
                    .stream(move |__rpc_out| async move {
                        __rpc_out
                            .send(
                                <__RpcT as Chat>::echo(&*__rpc_service, lines),
                                __RpcWire::<Line>::value,
                            )
                            .await
                    })
                    .await
            }),
            |__rpc_service, mut __rpc_call| ::rpc_runtime::__private::boxed(async move {
                let ((room,), lines) = __rpc_call
                    .upload(__RpcWire::<(String,)>::args, __RpcWire::<Line>::read)
                    .await?;
                __rpc_call
                    .stream(move |__rpc_out| async move {
                        __rpc_out
                            .send(
                                <__RpcT as Chat>::chat(&*__rpc_service, lines, room),
                                |__rpc_item| __RpcWire::<
                                    Result<Line, ChatError>,
                                >::result(
                                    __rpc_item,
                                    __RpcWire::<Result<Line, ChatError>>::CODE,
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
