//! The services that every server can bring along: health checks and reflection.

#[cfg(feature = "health")]
use super::health::{Health, HealthService};
#[cfg(feature = "jsonrpc")]
use super::open_rpc::OpenRpc;
#[cfg(feature = "reflection")]
use super::reflection;
use super::router::Router;
use super::server::Server;

/// Which of them a server has.
#[derive(Default)]
pub(super) struct Standard {
    #[cfg(feature = "health")]
    health: Option<Health>,
    #[cfg(feature = "reflection")]
    reflects: bool,
    #[cfg(feature = "jsonrpc")]
    pub(super) open_rpc: Option<OpenRpc>,
}

impl Server {
    /// Serves `grpc.health.v1.Health`, the standard health check of gRPC, which load balancers and
    /// orchestrators know: see [`Health`]. Off unless this is called.
    ///
    /// Layers of the server are around it as around everything else.
    ///
    /// # Panics
    ///
    /// Serving panics if this service is served already.
    #[cfg(feature = "health")]
    pub fn health(mut self, health: Health) -> Self {
        self.standard.health = Some(health);
        self
    }

    /// Serves `grpc.reflection.v1.ServerReflection` and its older form `v1alpha`, with which tools
    /// such as `grpcurl` find out what is served. Off unless this is called.
    ///
    /// All services are listed, but for what a [`fallback`](Self::fallback) serves. Those that
    /// `rpc-build` generated from a schema are described, with all that the schema imports. One
    /// that was written as a trait has no descriptor, which is said to whoever asks for it.
    ///
    /// Layers of the server are around it as around everything else.
    ///
    /// # Panics
    ///
    /// Serving panics if this service is served already.
    #[cfg(feature = "reflection")]
    pub fn reflection(mut self) -> Self {
        self.standard.reflects = true;
        self
    }
}

impl Standard {
    /// Adds the services, which say something about all the others.
    pub(super) fn add_to(&self, router: Router) -> Router {
        #[cfg(feature = "health")]
        let router = match &self.health {
            Some(health) => {
                health.add(router.services().iter().map(|it| it.name()));
                router.add(HealthService::server(health.clone()))
            }
            None => router,
        };
        #[cfg(feature = "reflection")]
        let router = match self.reflects {
            true => reflection::add_to(router),
            false => router,
        };
        #[cfg(feature = "jsonrpc")]
        let router = match &self.open_rpc {
            Some(open_rpc) => open_rpc.add_to(router),
            None => router,
        };
        router
    }

    /// Says that the server will soon end.
    pub(super) fn begin_drain(&self) {
        #[cfg(feature = "health")]
        if let Some(health) = &self.health {
            health.drain();
        }
    }

    pub(super) fn begin_shutdown(&self) {
        #[cfg(feature = "health")]
        if let Some(health) = &self.health {
            health.end();
        }
    }
}
