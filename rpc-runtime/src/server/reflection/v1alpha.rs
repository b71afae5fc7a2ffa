//! The older form, which has another name and the same messages. Many tools ask for it first.

use super::v1::{ServerReflectionRequest, ServerReflectionResponse};
use crate::codec::Protobuf;
use crate::{Status, Stream, Streaming, rpc_service};

const DESCRIPTORS: &[u8] = include_bytes!("v1alpha.binpb");

/// Says what a server serves, and how its messages look.
#[rpc_service(
    name = "grpc.reflection.v1alpha.ServerReflection",
    codec = Protobuf,
    rename_all = "PascalCase",
    descriptors = DESCRIPTORS,
    crate = crate
)]
pub(super) trait ServerReflection {
    fn server_reflection_info(
        &self,
        requests: Streaming<ServerReflectionRequest>,
    ) -> impl Stream<Item = Result<ServerReflectionResponse, Status>>;
}
