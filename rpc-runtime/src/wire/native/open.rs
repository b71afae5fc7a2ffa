//! A byte stream becomes a connection.

use std::sync::{Arc, Weak};

use bytes::BytesMut;
use http::Extensions;

use super::caller::Connection;
use super::connection::{Role, Shared};
use super::driver::Driver;
use crate::call::{ConnectionInfo, Request, Response};
use crate::service::Service;
use crate::status::Status;
use crate::transport::Io;
use crate::wire::budget::Budget;
use crate::wire::config::{Config, Served};

/// Makes a connection of a byte stream. Nothing happens until the driver is polled.
///
/// `received` is what was read already while the wire was detected.
pub(crate) fn open(
    io: Io,
    role: Role,
    config: Arc<Config>,
    served: Option<Served>,
    received: BytesMut,
) -> (Connection, Driver) {
    let (reader, writer, peer, guard) = io.into_parts();
    let budget = Budget::new(config.limits.max_buffered, config.shared_budget.clone());
    let budget = Arc::new(budget);
    let shared = Arc::new_cyclic(|weak| {
        let mut extensions = served
            .as_ref()
            .map_or_else(Extensions::new, |it| it.extensions.clone());
        extensions.insert(PeerService(Weak::clone(weak)));
        extensions.insert(Arc::clone(&budget));
        let info = Arc::new(ConnectionInfo::new(Arc::clone(&peer), extensions));
        let served = served.map(Arc::new);
        Shared::new(role, config, budget, info, peer, served, writer)
    });
    let driver = Driver::new(Arc::clone(&shared), reader, received, guard);
    (Connection::new(shared), driver)
}

/// The other side of the connection that brought a call, to call it back.
#[derive(Clone)]
pub(crate) struct PeerService(Weak<Shared>);

impl Service for PeerService {
    async fn call(&self, request: Request) -> Result<Response, Status> {
        let Some(shared) = self.0.upgrade() else {
            return Err(Status::unavailable("the connection is closed"));
        };
        Connection::new(shared).call(request).await
    }

    fn keeps_deadlines(&self) -> bool {
        true
    }
}

/// Begins to end a connection: open calls finish, new ones are refused.
#[derive(Clone)]
pub(crate) struct Draining(Weak<Shared>);

impl Draining {
    pub(crate) fn of(connection: &Connection) -> Self {
        Self(Arc::downgrade(connection.shared()))
    }

    pub(crate) fn begin(&self) {
        if let Some(shared) = self.0.upgrade() {
            shared.drain();
        }
    }
}
