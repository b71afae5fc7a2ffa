//! The half of a connection that writes.

use std::task::{Context as TaskContext, Poll, Waker};

use bytes::Buf;

use super::chunks::Chunks;
use super::connection::Shared;
use super::state::State;
use crate::transport::BoxWriter;

/// How many slices one vectored write takes.
const SLICES: usize = 16;

/// With so many bytes written the driver reads again. A peer that reads as fast as this side writes
/// would take all of a large message before anything was read, or anything else had its turn.
const MOST_AT_ONCE: usize = 16 << 10;

/// The half that writes, and what it was given and has not written.
pub(super) struct Writer {
    pub(super) io: BoxWriter,
    pub(super) batch: Chunks,
    /// Something was written since the driver last asked.
    pub(super) progress: bool,
    pub(super) shut: bool,
    /// Something was written, and the stream below may hold it back.
    unflushed: bool,
}

impl Writer {
    pub(super) fn new(io: BoxWriter) -> Self {
        Self {
            io,
            batch: Chunks::default(),
            progress: false,
            shut: false,
            unflushed: false,
        }
    }

    /// Writes what is queued; ready with whether that was all.
    pub(super) fn poll_write(
        &mut self,
        shared: &Shared,
        cx: &mut TaskContext<'_>,
    ) -> Poll<std::io::Result<bool>> {
        let mut wrote = 0;
        loop {
            if !self.batch.has_remaining() {
                let mut state = shared.state();
                if wrote >= MOST_AT_ONCE && !state.outgoing.is_empty() {
                    return Poll::Ready(Ok(false));
                }
                if !state.is_corked() {
                    state.take_outgoing(&mut self.batch);
                }
                // Also when there is nothing to write: what took the room may have been given up.
                let State { outgoing, room, .. } = &mut *state;
                let room = room.take_ready(outgoing, &shared.config.limits);
                drop(state);
                room.into_iter().for_each(Waker::wake);
                if !self.batch.has_remaining() {
                    std::task::ready!(self.poll_flush(cx))?;
                    return Poll::Ready(Ok(true));
                }
            }
            let written = std::task::ready!(self.poll_write_some(cx))?;
            if written == 0 {
                return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into()));
            }
            self.batch.advance(written);
            self.progress = true;
            self.unflushed = true;
            wrote += written;
        }
    }

    /// Sends what a stream such as TLS has taken and could not pass on at once.
    fn poll_flush(&mut self, cx: &mut TaskContext<'_>) -> Poll<std::io::Result<()>> {
        if self.unflushed {
            std::task::ready!(self.io.as_mut().poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write_some(&mut self, cx: &mut TaskContext<'_>) -> Poll<std::io::Result<usize>> {
        let mut slices = [std::io::IoSlice::new(&[]); SLICES];
        let filled = self.batch.chunks_vectored(&mut slices);
        let io = self.io.as_mut();
        match slices.get(..filled).unwrap_or_default() {
            // Dearer as a list of one.
            [slice] => io.poll_write(cx, slice),
            slices => io.poll_write_vectored(cx, slices),
        }
    }
}
