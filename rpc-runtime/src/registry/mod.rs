//! A registry: servers say where they are, and clients hear of it (feature `registry`).
//!
//! A [`Registry`] is a service like any other, served by [`Server::add`](crate::Server::add) with the layers
//! that decide who may use it. A server keeps a [`Lease`] there as long as it lives; a client connects to
//! [`Registered`] servers, and follows as they come and go. What is not renewed in time is forgotten, so a
//! server that dies without a word is gone when its lease is.
//!
//! A [`Registry`] keeps what it knows in memory: after a restart servers register again within a third of
//! their leases, and clients keep the servers that they know meanwhile. A `RedisRegistry` (feature
//! `registry-redis`) is the same service over Redis.
//!
//! # Examples
//!
//! ```
//! use rpc_runtime::registry::{Lease, Registered, Registry};
//! use rpc_runtime::{Channel, Server};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let registry = Server::new().add(Registry::new().service()).listen("tcp://127.0.0.1:0").bind().await?;
//! let registry_url = registry.url().to_owned();
//! tokio::spawn(registry.serve());
//! let registry = Channel::connect(&registry_url).await?;
//!
//! // A server, which registers when it listens.
//! let math = Server::new().function("double", |n: i64| async move { n * 2 });
//! let math = math.listen("tcp://127.0.0.1:0").bind().await?;
//! let lease = Lease::new("math", math.url()).keep(&registry).await?;
//! tokio::spawn(math.serve());
//!
//! // A client, which knows only the registry.
//! let math = Channel::connect(Registered::new("math", &registry)).await?;
//! assert_eq!(math.call::<_, i64>("double", (21,)).await?, 42);
//!
//! // Before the server drains, clients are told to go elsewhere.
//! lease.end().await?;
//! # Ok(()) }
//! ```

mod directory;
mod lease;
#[cfg(feature = "registry-redis")]
mod redis;
mod registered;
mod service;
#[cfg(test)]
mod tests;

pub use lease::{KeptLease, Lease};
#[cfg(feature = "registry-redis")]
pub use redis::RedisRegistry;
pub use registered::Registered;
pub use service::{Registry, RegistryService, RegistryServiceClient, RegistryServiceServer};
