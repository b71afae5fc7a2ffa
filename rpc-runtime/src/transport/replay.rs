//! A reader that first gives what was read of it before.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, ReadBuf};

use super::BoxReader;

pub(super) struct Replay {
    first: Bytes,
    reader: BoxReader,
}

impl Replay {
    pub(super) fn new(first: &[u8], reader: BoxReader) -> Self {
        Self {
            first: Bytes::copy_from_slice(first),
            reader,
        }
    }
}

impl AsyncRead for Replay {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            return self.reader.as_mut().poll_read(cx, buffer);
        }
        let length = self.first.len().min(buffer.remaining());
        buffer.put_slice(&self.first[..length]);
        self.first.advance(length);
        Poll::Ready(Ok(()))
    }
}
