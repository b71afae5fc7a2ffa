//! A body that is one message.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, ready};

use bytes::{Bytes, BytesMut};

use super::chunks::Chunks;
use super::server::Connection;
use crate::status::Status;
use crate::wire::incomplete::{Held, Patience};

/// Says that a message is over a limit of the server's.
pub(super) fn too_large(limit: usize) -> Status {
    Status::resource_exhausted(format!(
        "a message is over the server's limit `max_message` of {limit} bytes"
    ))
}

/// The body of a request as it comes.
pub(super) struct WholeBody {
    chunks: Chunks,
    held: Held,
    patience: Patience,
    limit: usize,
    bytes: BytesMut,
}

impl WholeBody {
    pub(super) fn new(connection: &Connection, chunks: Chunks) -> Self {
        let limits = &connection.config.limits;
        let mut patience = Patience::new(limits.message_timeout);
        patience.begin();
        Self {
            chunks,
            held: Held::new(Arc::clone(&connection.budget)),
            patience,
            limit: limits.max_message,
            bytes: BytesMut::new(),
        }
    }

    /// Reads it to its end.
    ///
    /// # Errors
    ///
    /// A body that breaks off, takes too long, or is over a limit.
    pub(super) async fn read(mut self) -> Result<Bytes, Status> {
        poll_fn(|cx| {
            loop {
                let Poll::Ready(chunk) = self.chunks.poll_chunk(cx) else {
                    let status = ready!(self.patience.poll_over(cx));
                    return Poll::Ready(Err(status));
                };
                match chunk {
                    None => return Poll::Ready(Ok(())),
                    Some(Err(error)) => {
                        let text = "the caller broke off before the end of its request";
                        return Poll::Ready(Err(Status::cancelled(text).with_source(error)));
                    }
                    Some(Ok(chunk)) => {
                        if self.bytes.len() + chunk.len() > self.limit {
                            return Poll::Ready(Err(too_large(self.limit)));
                        }
                        self.held.set(self.bytes.len() + chunk.len())?;
                        self.patience.came(chunk.len());
                        self.bytes.extend_from_slice(&chunk);
                    }
                }
            }
        })
        .await?;
        Ok(self.bytes.freeze())
    }
}
