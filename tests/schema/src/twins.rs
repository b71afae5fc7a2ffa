//! What a person would write instead of the schemas: traits over the same messages. `tests/parity.rs` compares the two.

/// The twin of `proto/users/v1/users.proto`.
pub mod users {
    use rpc_runtime::codec::Protobuf;
    use rpc_runtime::{Status, Stream, Streaming, rpc_service};

    use crate::schema::users::v1::{
        ChatMessage, CreateUserRequest, CreateUsersResponse, GetUserRequest, ListUsersRequest, User,
    };

    /// Keeps users.
    #[rpc_service(name = "users.v1.Users", codec = Protobuf, rename_all = "PascalCase")]
    pub trait Users {
        /// Finds a user.
        #[rpc(read_only)]
        async fn get_user(&self, request: GetUserRequest) -> Result<User, Status>;
        /// Makes a user.
        async fn create_user(&self, request: CreateUserRequest) -> Result<User, Status>;
        /// Yields all users.
        fn list_users(&self, request: ListUsersRequest)
        -> impl Stream<Item = Result<User, Status>>;
        /// Makes many users.
        async fn create_users(
            &self,
            requests: Streaming<CreateUserRequest>,
        ) -> Result<CreateUsersResponse, Status>;
        /// Answers each message.
        fn chat(
            &self,
            requests: Streaming<ChatMessage>,
        ) -> impl Stream<Item = Result<ChatMessage, Status>>;
    }
}

/// The twin of `proto/store/v1/store.proto`.
pub mod store {
    use rpc_runtime::codec::Protobuf;
    use rpc_runtime::{Stream, rpc_service};

    use crate::schema::store::v1::value::Refused;
    use crate::schema::store::v1::{Key, StoreError, Value};

    /// Keeps values under keys.
    #[rpc_service(name = "store.v1.Store", codec = Protobuf, rename_all = "PascalCase")]
    pub trait Store {
        /// Reads a value.
        #[rpc(read_only, timeout = "5s", since = "1.1")]
        async fn get(&self, request: Key) -> Result<Value, StoreError>;
        /// Reads all values.
        #[rpc(resumable)]
        fn list(&self, request: Key) -> impl Stream<Item = Result<Value, StoreError>>;
        /// Writes a value.
        #[rpc(idempotent)]
        async fn put(&self, request: Value) -> Result<Key, Refused>;
    }
}

/// The twin of the service in `proto/kinds/v1/kinds.proto`.
pub mod echo {
    #![allow(deprecated, missing_docs, reason = "so is the schema")]

    use rpc_runtime::codec::Protobuf;
    use rpc_runtime::protobuf::well_known::{Empty, Timestamp};
    use rpc_runtime::{Status, rpc_service};

    use crate::schema::kinds::v1::kinds::Nested;
    use crate::schema::kinds::v1::{Kinds, Old};
    use crate::schema::shared::v1::Page;

    /// Echoes.
    #[rpc_service(name = "kinds.v1.Echo", codec = Protobuf, rename_all = "PascalCase")]
    pub trait Echo {
        async fn echo(&self, request: Kinds) -> Result<Kinds, Status>;
        async fn now(&self, request: Empty) -> Result<Timestamp, Status>;
        async fn nested(&self, request: Nested) -> Result<Page, Status>;
        #[deprecated]
        async fn deprecated(&self, request: Old) -> Result<Old, Status>;
    }
}
