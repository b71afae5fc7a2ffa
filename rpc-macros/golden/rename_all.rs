pub trait Users: ::core::marker::Send + ::core::marker::Sync + 'static {
    fn get_user(
        &self,
        user_id: u64,
    ) -> impl ::core::future::Future<Output = String> + ::core::marker::Send;
    fn delete_users(
        &self,
    ) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send;
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
            MethodDescriptor::new("Users/getUser", MethodKind::Unary, &["user_id"]),
            MethodDescriptor::new("Users/drop.all", MethodKind::Unary, &[]),
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
    pub fn get_user(&self, user_id: u64) -> ::rpc_runtime::__private::Call<String> {
        self.client
            .call(const { Self::__RPC.method("getUser") }, (user_id,))
            .unary::<String>()
    }
    /// Calls [`Users::delete_users`].
    pub fn delete_users(&self) -> ::rpc_runtime::__private::Call<()> {
        self.client.call(const { Self::__RPC.method("drop.all") }, ()).unary::<()>()
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
        &[
            |__rpc_service, mut __rpc_call| ::rpc_runtime::__private::boxed(async move {
                let (user_id,) = __rpc_call.args(__RpcWire::<(u64,)>::args).await?;
                let __rpc_reply = <__RpcT as Users>::get_user(&*__rpc_service, user_id)
                    .await;
                __rpc_call.reply(__RpcWire::<String>::value(__rpc_reply))
            }),
            |__rpc_service, mut __rpc_call| ::rpc_runtime::__private::boxed(async move {
                let () = __rpc_call.args(__RpcWire::<()>::args).await?;
                let __rpc_reply = <__RpcT as Users>::delete_users(&*__rpc_service).await;
                __rpc_call.reply(__RpcWire::<()>::value(__rpc_reply))
            }),
        ]
    };
    fn target(&self) -> &::std::sync::Arc<__RpcT> {
        &self.service
    }
}
