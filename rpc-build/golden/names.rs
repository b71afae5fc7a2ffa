// Written by rpc-build from names/v1/names.proto. Do not edit.

use ::rpc_runtime::codec::Protobuf;
use ::rpc_runtime::{Status, Stream, Streaming, rpc_service};
use super::{
    Context as ContextMessage, Empty, Result as ResultMessage, SearchResult,
    Status as StatusMessage, Streaming as StreamingMessage, user_type,
};
use ::rpc_runtime::protobuf::well_known::Empty as EmptyMessage;
use super::outer::Inner;

/// The names of messages are taken, so the trait gets another one.
#[rpc_service(name = "names.v1.Names", codec = Protobuf, rename_all = "PascalCase")]
pub trait NamesService {
    #[rpc(name = "GetURL")]
    async fn get_url(&self, request: StatusMessage) -> Result<EmptyMessage, Status>;
    #[rpc(name = "getUrl")]
    async fn get_url_2(&self, request: StreamingMessage) -> Result<Inner, Status>;
    fn r#type(
        &self,
        request: ResultMessage,
    ) -> impl Stream<Item = Result<ResultMessage, Status>>;
    fn new_(&self, request: Empty) -> impl Stream<Item = Result<ContextMessage, Status>>;
    #[rpc(name = "connect")]
    async fn connect_(
        &self,
        requests: Streaming<SearchResult>,
    ) -> Result<SearchResult, Status>;
    async fn self_(&self, request: user_type) -> Result<user_type, Status>;
}

#[rpc_service(name = "names.v1.lower_case", codec = Protobuf, rename_all = "PascalCase")]
pub trait LowerCase {}
