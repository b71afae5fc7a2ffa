//! An accepted byte stream goes to the wire that it speaks.

use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use super::config::{Config, Served};
use super::detect::{DETECT_BYTES, Detected, Wire, Wires};
use super::draining::Draining;
#[cfg(feature = "jsonrpc")]
use super::jsonrpc::Dialects;
use super::native;
use crate::call::Cancellation;
use crate::status::Status;
use crate::transport::Io;

/// Serves one byte stream to its end.
///
/// # Errors
///
/// Why the connection ended, if not in peace.
///
/// # Cancel safety
///
/// Dropping the future ends the connection at once, with every call on it.
pub(crate) async fn serve(
    mut io: Io,
    wires: Wires,
    config: Arc<Config>,
    served: Served,
    draining: Draining,
) -> Result<(), Status> {
    let mut received = BytesMut::new();
    let wire = if wires.is_native_only() {
        Wire::Native
    } else {
        match first_bytes(&mut io, wires, &config, &draining, &mut received).await? {
            Some(wire) => wire,
            None => return Ok(()),
        }
    };
    match wire {
        Wire::Native => serve_native(io, received, config, served, &draining).await,
        // Boxed, so that a connection of the native wire does not carry its size.
        #[cfg(feature = "http")]
        Wire::Http => {
            Box::pin(super::http::serve(
                io, received, wires, config, served, draining,
            ))
            .await
        }
        // It begins as HTTP, and so is never found in the first bytes.
        #[cfg(feature = "websocket")]
        Wire::WebSocket => Ok(()),
        #[cfg(feature = "jsonrpc")]
        Wire::JsonRpc | Wire::KnSock | Wire::LengthPrefixedJson => {
            let dialects = dialects(wire, wires);
            Box::pin(super::jsonrpc::serve(
                io, received, dialects, config, served, draining,
            ))
            .await
        }
    }
}

/// Returns the dialects that may follow the first bytes of one of them.
#[cfg(feature = "jsonrpc")]
fn dialects(wire: Wire, wires: Wires) -> Dialects {
    match wire {
        Wire::LengthPrefixedJson => Dialects::LengthPrefixed,
        Wire::KnSock => Dialects::KnSock,
        _ if wires.has_kn_sock() => Dialects::JsonRpcOrKnSock,
        _ => Dialects::JsonRpc,
    }
}

/// Serves a byte stream that speaks the native wire.
pub(super) async fn serve_native(
    io: Io,
    received: BytesMut,
    config: Arc<Config>,
    served: Served,
    draining: &Draining,
) -> Result<(), Status> {
    let role = native::Role::Accepted;
    let (connection, driver) = native::open(io, role, config, Some(served), received);
    let connection = native::Draining::of(&connection);
    draining.on_begin(move || connection.begin());
    driver.await
}

/// Reads until it is known which wire the peer speaks; `None` if the connection ended before that
/// without anybody's fault.
async fn first_bytes(
    io: &mut Io,
    wires: Wires,
    config: &Config,
    draining: &Draining,
    received: &mut BytesMut,
) -> Result<Option<Wire>, Status> {
    let drained = Cancellation::new();
    let hook = drained.clone();
    draining.on_begin(move || hook.cancel());
    let detected = timeout(
        config.handshake_timeout,
        read_until_known(io, wires, received),
    );
    tokio::select! {
        biased;
        // A peer that has said nothing has nothing to be finished.
        () = drained.cancelled() => Ok(None),
        detected = detected => detected.unwrap_or_else(|_| {
            Err(Status::unavailable(
                "the peer did not say which wire it speaks within `handshake_timeout`",
            ))
        }),
    }
}

async fn read_until_known(
    io: &mut Io,
    wires: Wires,
    received: &mut BytesMut,
) -> Result<Option<Wire>, Status> {
    received.reserve(DETECT_BYTES);
    loop {
        let read = io.read_buf(received).await;
        let read =
            read.map_err(|error| Status::unavailable("the connection broke").with_source(error))?;
        if read == 0 {
            return Ok(None);
        }
        match wires.detect(received) {
            Detected::Wire(wire) => return Ok(Some(wire)),
            Detected::NeedMore => {}
            // It knows what to tell a client that speaks TLS.
            Detected::Nothing if native::is_tls(received) => return Ok(Some(Wire::Native)),
            Detected::Nothing => return Err(foreign(io, received)),
        }
    }
}

fn foreign(io: &Io, received: &[u8]) -> Status {
    let shown = received
        .get(..24)
        .unwrap_or(received)
        .escape_ascii()
        .to_string();
    tracing::warn!(
        peer = &**io.peer(),
        began_with = shown,
        "closed: the peer speaks none of the wires that are accepted here"
    );
    Status::unavailable(format!(
        "the peer speaks none of the accepted wires: it began with `{shown}`"
    ))
}
