// Written by rpc-build from grpc/health/v1/health.proto. Do not edit.

use crate::codec::Protobuf;
use crate::{Status, Stream, rpc_service};
use super::{
    HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse,
};

/// Says whether services can be called now.
#[rpc_service(
    name = "grpc.health.v1.Health",
    codec = Protobuf,
    rename_all = "PascalCase",
    descriptors = super::FILE_DESCRIPTOR_SET,
    crate = crate
)]
pub trait Health {
    /// Says how a service is now. Fails with `NOT_FOUND` if it is unknown.
    async fn check(
        &self,
        request: HealthCheckRequest,
    ) -> Result<HealthCheckResponse, Status>;
    /// Says how all services are. Fails with `RESOURCE_EXHAUSTED` if there are more than 100.
    async fn list(
        &self,
        request: HealthListRequest,
    ) -> Result<HealthListResponse, Status>;
    /// Says how a service is now, and again whenever that changes. A service that is unknown is
    /// `SERVICE_UNKNOWN`, until it becomes known.
    fn watch(
        &self,
        request: HealthCheckRequest,
    ) -> impl Stream<Item = Result<HealthCheckResponse, Status>>;
}
