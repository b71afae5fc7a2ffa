// Written by rpc-build from patterns.proto. Do not edit.

use ::rpc_runtime::codec::Protobuf;
use ::rpc_runtime::{Status, Stream, Streaming, rpc_service};
use super::{ChatMessage, CreateUsersResponse, GetUserRequest, ListUsersRequest, User};

/// Keeps users.
#[rpc_service(
    name = "users.v1.Users",
    codec = Protobuf,
    rename_all = "PascalCase",
    descriptors = super::FILE_DESCRIPTOR_SET
)]
pub trait Users {
    /// Finds a user.
    async fn get_user(&self, request: GetUserRequest) -> Result<User, Status>;
    fn list_users(
        &self,
        request: ListUsersRequest,
    ) -> impl Stream<Item = Result<User, Status>>;
    async fn create_users(
        &self,
        requests: Streaming<User>,
    ) -> Result<CreateUsersResponse, Status>;
    fn chat(
        &self,
        requests: Streaming<ChatMessage>,
    ) -> impl Stream<Item = Result<ChatMessage, Status>>;
}
