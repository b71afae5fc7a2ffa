//! The services of the `users` program: two versions of a schema over one store.

mod serve_v1;
mod serve_v2;
mod store;

use std::sync::Arc;

use rpc_runtime::Router;

pub use store::Store;

/// Version 1, as its schema says.
pub mod v1 {
    rpc_runtime::include_schema!("users.v1");
}

/// Version 2, as its schema says.
pub mod v2 {
    rpc_runtime::include_schema!("users.v2");
}

/// Returns both versions over one new store.
pub fn router() -> Router {
    let store = Arc::new(Store::default());
    Router::new()
        .add(v1::UsersServer::from_arc(Arc::clone(&store)))
        .add(v2::UsersServer::from_arc(store))
}

#[cfg(test)]
mod tests;
