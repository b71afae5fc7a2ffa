// Written by rpc-build from packages.proto. Do not edit.

use ::rpc_runtime::codec::Protobuf;
use ::rpc_runtime::{Status, rpc_service};
use super::User;
use super::users::v1::GetUserRequest;
use super::users::v1::User as UserMessage;

#[rpc_service(
    name = "Outside",
    codec = Protobuf,
    rename_all = "PascalCase",
    descriptors = super::FILE_DESCRIPTOR_SET
)]
pub trait Outside {
    async fn get(&self, request: GetUserRequest) -> Result<UserMessage, Status>;
    async fn put(&self, request: User) -> Result<User, Status>;
}
