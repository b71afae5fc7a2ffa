//! A body that is one message.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use bytes::{Bytes, BytesMut};
use tokio::time::{Instant, timeout_at};

use super::chunks::{Chunks, Stopped};
use super::compression::Compression;
use super::gzip;
use crate::call::Limits;
use crate::status::Status;
use crate::wire::budget::Budget;
use crate::wire::incomplete::{Held, Patience};

/// A body as it comes.
pub(super) struct WholeBody {
    chunks: Chunks,
    held: Held,
    patience: Patience,
    limit: OwnLimit,
    bytes: BytesMut,
}

/// How long a message may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnLimit {
    pub(super) bytes: usize,
    /// The side whose limit it is, as errors name it.
    pub(super) owner: &'static str,
}

impl OwnLimit {
    pub(super) fn check(self, length: usize) -> Result<(), Status> {
        let Self { bytes, owner } = self;
        if length <= bytes {
            return Ok(());
        }
        Err(Status::resource_exhausted(format!(
            "a message is over the {owner}'s limit `max_message` of {bytes} bytes"
        )))
    }

    /// Unpacks a message.
    ///
    /// # Errors
    ///
    /// One that gets too long, or that `malformed` is said of.
    pub(super) fn unpack(
        self,
        bytes: Bytes,
        compression: Compression,
        malformed: impl FnOnce() -> Status,
    ) -> Result<Bytes, Status> {
        if compression == Compression::Identity {
            return Ok(bytes);
        }
        match gzip::unpack(&bytes, self.bytes) {
            Ok(bytes) => Ok(bytes),
            Err(gzip::Error::TooLarge) => self.check(usize::MAX).map(|()| bytes),
            Err(gzip::Error::Malformed(source)) => Err(malformed().with_source(source)),
        }
    }
}

impl WholeBody {
    pub(super) fn new(
        chunks: Chunks,
        budget: &Arc<Budget>,
        limits: &Limits,
        owner: &'static str,
    ) -> Self {
        Self {
            chunks,
            held: Held::new(Arc::clone(budget)),
            patience: Patience::new(limits.message_timeout),
            limit: OwnLimit {
                bytes: limits.max_message,
                owner,
            },
            bytes: BytesMut::new(),
        }
    }

    /// Reads the body of a request to its end; its time begins now.
    ///
    /// # Errors
    ///
    /// A body that breaks off, takes too long, also for the call's `deadline`, or is over a limit.
    pub(super) async fn read(mut self, deadline: Option<Instant>) -> Result<Bytes, Status> {
        self.patience.begin();
        let reading = poll_fn(|cx| self.poll_read(cx));
        let read = match deadline {
            None => reading.await,
            Some(deadline) => timeout_at(deadline, reading).await.unwrap_or_else(|_| {
                let text = "the deadline passed before the request had come";
                Err(Stopped::Failed(Status::deadline_exceeded(text)))
            }),
        };
        read.map_err(|stopped| match stopped {
            Stopped::Failed(status) => status,
            Stopped::Broken(error) => {
                let text = "the caller broke off before the end of its request";
                Status::cancelled(text).with_source(error)
            }
        })
    }

    /// Reads the body to its end.
    pub(super) fn poll_read(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<Bytes, Stopped>> {
        loop {
            let Poll::Ready(chunk) = self.chunks.poll_chunk(cx) else {
                let status = ready!(self.patience.poll_over(cx));
                return Poll::Ready(Err(Stopped::Failed(status)));
            };
            match chunk {
                None => return Poll::Ready(Ok(self.bytes.split().freeze())),
                Some(Err(error)) => return Poll::Ready(Err(Stopped::Broken(error))),
                Some(Ok(chunk)) => self.push(&chunk).map_err(Stopped::Failed)?,
            }
        }
    }

    fn push(&mut self, chunk: &[u8]) -> Result<(), Status> {
        let length = self.bytes.len() + chunk.len();
        self.limit.check(length)?;
        self.held.set(length)?;
        self.patience.begin();
        self.patience.came(chunk.len());
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }
}
