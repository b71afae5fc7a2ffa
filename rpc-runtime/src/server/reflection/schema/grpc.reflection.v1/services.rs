// Written by rpc-build from grpc/reflection/v1/reflection.proto. Do not edit.

use crate::codec::Protobuf;
use crate::{Status, Stream, Streaming, rpc_service};
use super::{ServerReflectionRequest, ServerReflectionResponse};

/// Says what a server serves, and how its messages look.
#[rpc_service(
    name = "grpc.reflection.v1.ServerReflection",
    codec = Protobuf,
    rename_all = "PascalCase",
    descriptors = super::FILE_DESCRIPTOR_SET,
    crate = crate
)]
pub trait ServerReflection {
    /// Answers each request of the stream, in order.
    fn server_reflection_info(
        &self,
        requests: Streaming<ServerReflectionRequest>,
    ) -> impl Stream<Item = Result<ServerReflectionResponse, Status>>;
}
