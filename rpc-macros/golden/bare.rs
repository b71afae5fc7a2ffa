pub trait Users: ::core::marker::Send + ::core::marker::Sync + 'static {
    fn get_user(
        &self,
        request: GetUserRequest,
    ) -> impl ::core::future::Future<
        Output = Result<User, Status>,
    > + ::core::marker::Send;
    fn list_users(
        &self,
        request: ListUsersRequest,
    ) -> impl Stream<Item = User> + ::core::marker::Send;
}
/// Calls the methods of [`Users`], over a channel or in this process.
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
#[allow(dead_code, non_camel_case_types)]
pub struct UsersClient {
    client: ::rpc_runtime::__private::Client<::rpc_runtime::__private::Serde>,
}
impl ::rpc_runtime::__private::RpcClient for UsersClient {
    const SERVICE: &'static ::rpc_runtime::__private::ServiceDescriptor = {
        #[allow(unused_imports)]
        use ::rpc_runtime::__private::{MethodDescriptor, MethodKind};
        const METHODS: &[MethodDescriptor] = &[
            MethodDescriptor::new("Users/get_user", MethodKind::Unary, &["request"])
                .bare(),
            MethodDescriptor::new(
                    "Users/list_users",
                    MethodKind::ServerStreaming,
                    &["request"],
                )
                .bare(),
        ];
        static SERVICE: ::rpc_runtime::__private::ServiceDescriptor = ::rpc_runtime::__private::ServiceDescriptor::new(
            "Users",
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
impl UsersClient {
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
    /// Calls [`Users::get_user`].
    pub fn get_user(
        &self,
        request: GetUserRequest,
    ) -> ::rpc_runtime::__private::FallibleCall<
        Result<User, Status>,
        ::rpc_runtime::__private::Serde,
    > {
        self.client
            .call_bare(const { Self::__RPC.method("get_user") }, request)
            .fallible::<Result<User, Status>>()
    }
    /// Calls [`Users::list_users`].
    pub fn list_users(
        &self,
        request: ListUsersRequest,
    ) -> ::rpc_runtime::__private::ResponseStream<User> {
        self.client
            .call_bare(const { Self::__RPC.method("list_users") }, request)
            .stream::<User>()
    }
}
/// Serves an implementation of [`Users`].
#[allow(dead_code, non_camel_case_types)]
pub struct UsersServer<T> {
    service: ::std::sync::Arc<T>,
}
#[allow(dead_code, clippy::all, clippy::pedantic, clippy::nursery)]
impl<T: Users> UsersServer<T> {
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
impl<T> ::core::clone::Clone for UsersServer<T> {
    fn clone(&self) -> Self {
        Self {
            service: ::std::sync::Arc::clone(&self.service),
        }
    }
}
impl<T> ::core::fmt::Debug for UsersServer<T> {
    fn fmt(&self, formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        formatter.debug_struct("UsersServer").finish_non_exhaustive()
    }
}
#[allow(dead_code, clippy::all, clippy::pedantic, clippy::nursery)]
impl<__RpcT: Users> ::rpc_runtime::__private::Handler for UsersServer<__RpcT> {
    type Target = __RpcT;
    type Codec = ::rpc_runtime::__private::Serde;
    const SERVICE: &'static ::rpc_runtime::__private::ServiceDescriptor = <UsersClient as ::rpc_runtime::__private::RpcClient>::SERVICE;
    const METHODS: &'static [::rpc_runtime::__private::MethodHandler<__RpcT>] = {
        #[allow(unused_imports)]
        use ::rpc_runtime::__private::NotOnWire as _;
        type __RpcWire<__RpcT> = ::rpc_runtime::__private::OnWire<
            ::rpc_runtime::__private::Serde,
            __RpcT,
        >;
        const _: () = ::core::assert!(
            ! __RpcWire:: < User > ::IS_RESULT,
            "method `list_users` yields a `Result` under a name that does not end in `Result`: rename the alias, or write `Result<T, E>`"
        );
        &[
            |__rpc_service, mut __rpc_call| ::rpc_runtime::__private::boxed(async move {
                let request = __rpc_call.bare(__RpcWire::<GetUserRequest>::read).await?;
                let __rpc_reply = <__RpcT as Users>::get_user(&*__rpc_service, request)
                    .await;
                __rpc_call
                    .reply(
                        __RpcWire::<
                            Result<User, Status>,
                        >::result(__rpc_reply, __RpcWire::<Result<User, Status>>::CODE),
                    )
            }),
            |__rpc_service, mut __rpc_call| ::rpc_runtime::__private::boxed(async move {
                let request = __rpc_call
                    .bare(__RpcWire::<ListUsersRequest>::read)
                    .await?;
                __rpc_call
                    .stream(move |__rpc_out| async move {
                        __rpc_out
                            .send(
                                <__RpcT as Users>::list_users(&*__rpc_service, request),
                                __RpcWire::<User>::value,
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
