//! A request that makes a WebSocket of its connection: RFC 9110, section 7.8.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::BytesMut;
use http::{Request, Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use super::chunks::Chunks;
use super::reply_body::ReplyBody;
use super::respond::plain;
use super::server::Connection;
use super::stalled::Stalled;
use crate::status::Status;
use crate::wire::websocket::{self, Accepted, Refused};
use crate::wire::{Draining, Wires};

/// What a connection becomes when it has ended as HTTP.
pub(super) struct Upgrading {
    /// What is accepted here.
    wires: Wires,
    draining: Draining,
    accepted: Mutex<Option<(OnUpgrade, Accepted)>>,
}

impl Upgrading {
    pub(super) fn new(wires: Wires, draining: Draining) -> Self {
        Self {
            wires,
            draining,
            accepted: Mutex::default(),
        }
    }
}

/// Answers a request that asks for a WebSocket, and gives back every other where others are served.
pub(super) fn begin(
    connection: &Connection,
    mut request: Request<Chunks>,
) -> ControlFlow<Response<ReplyBody>, Request<Chunks>> {
    let wires = connection.upgrading.wires;
    let is_upgrade = wires.has_websocket() && websocket::is_upgrade(&request);
    if !is_upgrade && wires.has_http() {
        return ControlFlow::Continue(request);
    }
    let answered = if is_upgrade {
        websocket::accept(
            request.headers(),
            &connection.config.websocket,
            wires.has_json_rpc(),
        )
    } else {
        Err(Refused::upgrade_required())
    };
    let (accepted, headers) = match answered {
        Ok(answered) => answered,
        Err(Refused {
            status,
            text,
            headers,
        }) => {
            let mut response = plain(status, text);
            response.headers_mut().extend(headers);
            return ControlFlow::Break(response);
        }
    };
    let upgrade = hyper::upgrade::on(&mut request);
    let slot = &connection.upgrading.accepted;
    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some((upgrade, accepted));
    let mut response = Response::new(ReplyBody::Bytes(Default::default()));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = headers;
    ControlFlow::Break(response)
}

/// Serves what the connection has become, if it has become anything.
pub(super) async fn serve(connection: &Arc<Connection>) -> Result<(), Status> {
    let Upgrading {
        draining, accepted, ..
    } = &connection.upgrading;
    let accepted = accepted
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    let Some((upgrade, accepted)) = accepted else {
        return Ok(());
    };
    let failed = |error| Status::unavailable("the connection broke").with_source(error);
    let upgraded = upgrade.await.map_err(failed)?;
    let Ok(parts) = upgraded.downcast::<TokioIo<Stalled>>() else {
        return Err(Status::internal("an upgrade gave back another stream"));
    };
    let (behind, io) = parts.io.into_inner().into_inner().into_parts();
    let mut received = BytesMut::from(parts.read_buf);
    received.extend_from_slice(&behind);
    let (config, served) = (Arc::clone(&connection.config), connection.served.clone());
    websocket::serve(io, received, accepted, config, served, draining).await
}
