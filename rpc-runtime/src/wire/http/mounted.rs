//! Requests that an HTTP server of somebody else has read.

use std::error::Error;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use bytes::{Buf, Bytes};
use http::{Extensions, Request, Response};
use http_body::{Body, Frame};

use super::chunks::{ChunkError, Chunks};
use super::reply_body::HttpBody;
use super::respond::respond;
use super::server::Connection;
use crate::call::ConnectionInfo;
use crate::wire::budget::Budget;
use crate::wire::config::{Config, Served};
use crate::wire::{Draining, Wires};

/// How a peer is called whose address nobody told.
const UNNAMED: &str = "a client of the HTTP server around";

/// Answers such requests.
#[derive(Clone)]
pub(crate) struct Mount {
    /// What may be in a request: JSON-RPC or not.
    wires: Wires,
    config: Arc<Config>,
    served: Served,
    /// Nobody says which requests share a connection, so they all share one.
    budget: Arc<Budget>,
}

impl Mount {
    pub(crate) fn new(wires: Wires, config: Arc<Config>, served: Served) -> Self {
        let budget = Budget::new(usize::MAX, config.shared_budget.clone());
        Self {
            // The connection is the host's: it drains it, and nothing else is made of it.
            wires: wires.mounted(),
            config,
            served,
            budget: Arc::new(budget),
        }
    }

    /// Answers one request.
    pub(crate) fn answer<B>(
        &self,
        request: Request<B>,
    ) -> impl Future<Output = Response<HttpBody>> + Send + use<B>
    where
        B: Body + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let connection = self.connection(request.extensions());
        let budget = Arc::clone(&self.budget);
        let request = request.map(|body| Chunks::Foreign(Box::pin(AsBytes(Box::pin(body)))));
        async move { HttpBody::counted(respond(&connection, request).await, budget, None) }
    }

    fn connection(&self, of_request: &Extensions) -> Arc<Connection> {
        let peer = of_request.get::<SocketAddr>();
        let peer = peer.map_or_else(|| UNNAMED.into(), |it| format!("tcp://{it}").into());
        let mut extensions = self.served.extensions.clone();
        extensions.extend(of_request.clone());
        extensions.insert(Arc::clone(&self.budget));
        Arc::new(Connection::new(
            Arc::clone(&self.config),
            self.served.clone(),
            ConnectionInfo::new(peer, extensions),
            Arc::clone(&self.budget),
            self.wires,
            &Draining::default(),
        ))
    }
}

/// A body with its bytes and its error in the form that they have here.
struct AsBytes<B>(Pin<Box<B>>);

impl<B> Body for AsBytes<B>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = ChunkError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ChunkError>>> {
        let frame = ready!(self.0.as_mut().poll_frame(cx));
        Poll::Ready(frame.map(|frame| {
            let frame = frame.map_err(Into::into)?;
            Ok(frame.map_data(|mut data| data.copy_to_bytes(data.remaining())))
        }))
    }
}
