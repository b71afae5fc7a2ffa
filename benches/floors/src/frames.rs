//! Frames over a socket: a length of four bytes, a head, a body.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};

/// Bodies from this length on are written from where they are.
const LARGE: usize = 16 << 10;
/// Parts that one write takes.
const PARTS: usize = 32;
/// The least room for a read, and what is made when there is less.
const LEAST_ROOM: usize = 1 << 10;
const ROOM: usize = 16 << 10;

/// What waits to be written.
#[derive(Default)]
pub struct Outbox {
    /// Heads and large bodies, in turn; all before `tail`.
    parts: VecDeque<Bytes>,
    /// Small frames, one after the other.
    tail: BytesMut,
    len: usize,
}

impl Outbox {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn push(&mut self, head: &[u8], body: &[u8]) {
        self.begin(head, body.len());
        self.tail.put_slice(body);
        self.len += body.len();
    }

    /// The same without a copy, if that is worth it.
    pub fn push_owned(&mut self, head: &[u8], body: Bytes) {
        if body.len() < LARGE {
            return self.push(head, &body);
        }
        self.begin(head, 0);
        let at = self.tail.len() - head.len() - 4;
        self.tail[at..at + 4].copy_from_slice(&((head.len() + body.len()) as u32).to_le_bytes());
        self.len += body.len();
        self.parts.push_back(self.tail.split().freeze());
        self.parts.push_back(body);
    }

    fn begin(&mut self, head: &[u8], body: usize) {
        self.tail.reserve(4 + head.len() + body);
        self.tail.put_u32_le((head.len() + body) as u32);
        self.tail.put_slice(head);
        self.len += 4 + head.len();
    }

    /// Writes once. It may be dropped: nothing has been written then.
    pub async fn write(&mut self, socket: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let mut socket = Pin::new(socket);
        // The slices are made in each poll, so that they take no room in the task while it waits.
        let written = poll_fn(|context| {
            if self.parts.is_empty() {
                return socket.as_mut().poll_write(context, &self.tail);
            }
            let mut slices = [IoSlice::new(&[]); PARTS];
            let parts = self
                .parts
                .iter()
                .map(|part| &part[..])
                .chain([&self.tail[..]]);
            let count = slices
                .iter_mut()
                .zip(parts)
                .map(|(slice, part)| *slice = IoSlice::new(part))
                .count();
            socket
                .as_mut()
                .poll_write_vectored(context, &slices[..count])
        });
        let written = written.await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.advance(written);
        Ok(())
    }

    fn advance(&mut self, mut written: usize) {
        self.len -= written;
        while let Some(part) = self.parts.front_mut() {
            if written < part.len() {
                return part.advance(written);
            }
            written -= part.len();
            self.parts.pop_front();
        }
        self.tail.advance(written);
        if self.tail.is_empty() {
            self.tail.clear();
        }
    }
}

/// What has been read.
#[derive(Default)]
pub struct Inbox(BytesMut);

impl Inbox {
    /// Reads once, and says whether there can be more. It may be dropped: nothing is lost.
    pub async fn read(&mut self, socket: &mut (impl AsyncRead + Unpin)) -> io::Result<bool> {
        if self.0.capacity() - self.0.len() < LEAST_ROOM {
            self.0.reserve(ROOM);
        }
        Ok(socket.read_buf(&mut self.0).await? != 0)
    }

    /// Returns the next whole frame, without its length.
    pub fn frame(&mut self) -> Option<Bytes> {
        let len = u32::from_le_bytes(*self.0.first_chunk()?) as usize;
        if self.0.len() < 4 + len {
            self.0.reserve(4 + len - self.0.len());
            return None;
        }
        self.0.advance(4);
        Some(self.0.split_to(len).freeze())
    }
}
