// Written by rpc-build from options.proto. Do not edit.

use ::rpc_runtime::codec::Protobuf;
use ::rpc_runtime::{Status, Stream, rpc_service};
use super::{Key, StoreError, Value};

#[deprecated]
#[rpc_service(
    name = "store.v2.Store",
    codec = Protobuf,
    rename_all = "PascalCase",
    descriptors = super::FILE_DESCRIPTOR_SET
)]
pub trait Store {
    #[rpc(read_only, timeout = "5s", since = "2.1")]
    async fn get(&self, request: Key) -> Result<Value, StoreError>;
    #[deprecated]
    #[rpc(idempotent)]
    async fn put(&self, request: Value) -> Result<Key, Status>;
    #[rpc(once, priority = High)]
    async fn pay(&self, request: Value) -> Result<Key, Status>;
    #[rpc(resumable)]
    fn watch(&self, request: Key) -> impl Stream<Item = Result<Value, StoreError>>;
}
