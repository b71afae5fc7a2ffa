//! Server reflection of gRPC, on every wire
//! (<https://github.com/grpc/grpc/blob/master/doc/server-reflection.md>).
//!
//! [`service`] answers requests from the [`descriptors`] that the services were generated from.

mod descriptors;
mod service;
#[cfg(test)]
mod tests;
#[path = "schema/grpc.reflection.v1.rs"]
mod v1;
mod v1alpha;

use std::sync::Arc;

use service::{Known, Reflection};

use super::router::Router;
use crate::call::ServiceDescriptor;
use crate::client::RpcClient as _;

/// Adds reflection, which describes everything that the router serves, and itself.
pub(super) fn add_to(router: Router) -> Router {
    let own: [&'static ServiceDescriptor; 2] = [
        v1::ServerReflectionClient::SERVICE,
        v1alpha::ServerReflectionClient::SERVICE,
    ];
    let services = router.services().iter().copied().chain(own).collect();
    let known = Arc::new(Known::new(services));
    router
        .add(v1::ServerReflectionServer::new(Reflection(Arc::clone(
            &known,
        ))))
        .add(v1alpha::ServerReflectionServer::new(Reflection(known)))
}
