//! The bounds on what a peer may send and have buffered.

use std::time::Duration;

use super::FAR_AHEAD;
use crate::codec::DecodeLimits;

/// The bounds on what a peer may send and have buffered: one set, for both directions, on every
/// wire.
///
/// What goes past a limit fails alone, with
/// [`Code::ResourceExhausted`](crate::Code::ResourceExhausted) and a text that names the limit (a
/// value that nests too deep is [`Code::InvalidArgument`](crate::Code::InvalidArgument), a message
/// that does not come on [`Code::DeadlineExceeded`](crate::Code::DeadlineExceeded));
/// a connection is closed only where its framing is lost or its peer floods it.
#[derive(Clone, Debug)]
pub struct Limits {
    pub(crate) max_message: usize,
    pub(crate) max_metadata: usize,
    pub(crate) max_depth: usize,
    pub(crate) max_element_memory: usize,
    pub(crate) max_stack: usize,
    pub(crate) max_calls: u32,
    #[cfg(feature = "jsonrpc")]
    pub(crate) max_batch: usize,
    #[cfg(feature = "jsonrpc")]
    pub(crate) max_subscriptions: usize,
    pub(crate) stream_window: u32,
    pub(crate) max_buffered: usize,
    pub(crate) max_outgoing: usize,
    pub(crate) message_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_message: 16 << 20,
            max_metadata: 16 << 10,
            max_depth: 64,
            max_element_memory: 32 << 20,
            max_stack: 1 << 20,
            max_calls: 16_384,
            #[cfg(feature = "jsonrpc")]
            max_batch: 1_000,
            #[cfg(feature = "jsonrpc")]
            max_subscriptions: 1_024,
            stream_window: 256 << 10,
            max_buffered: 256 << 20,
            max_outgoing: 4 << 20,
            message_timeout: Duration::from_secs(30),
        }
    }
}

/// How many entries the metadata of one request or reply may have: each takes more memory than it has bytes.
pub(crate) const METADATA_ENTRIES: usize = 128;

/// The smallest values that still let a connection work.
const LEAST_MESSAGE: usize = 1 << 10;
const LEAST_METADATA: usize = 1 << 10;
const LEAST_WINDOW: u32 = 1 << 10;

impl Limits {
    /// Returns the defaults, which each setting names.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bounds one encoded message, in bytes; 16 MiB by default, at least 1 KiB, at most 2 GiB.
    /// Larger things travel as streams. It bounds what is sent as well as what is received, so a
    /// larger one has to be set on both sides; the error says which side's limit it was.
    #[must_use]
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.max_message = bytes.clamp(LEAST_MESSAGE, i32::MAX as usize);
        self
    }

    /// Bounds the metadata of one request or reply, in bytes; 16 KiB by default, at least 1 KiB,
    /// at most 64 KiB. It may have 128 entries; over HTTP/1.1 a head has no more than 100 in all.
    #[must_use]
    pub fn max_metadata(mut self, bytes: usize) -> Self {
        self.max_metadata = bytes.clamp(LEAST_METADATA, 64 << 10);
        self
    }

    /// Bounds how deep values nest; 64 by default, at most 127.
    #[must_use]
    pub fn max_depth(mut self, levels: usize) -> Self {
        self.max_depth = levels.clamp(1, DecodeLimits::HIGHEST_DEPTH);
        self
    }

    /// Bounds the memory that the elements of lists and maps of one message may take, in bytes; 32 MiB
    /// by default. They can take hundreds of times more than they do on the wire. A message of MessagePack
    /// or JSON may always take 16 times its length.
    ///
    /// The unknown fields of binary protobuf may take as much again. In its JSON this also bounds what is
    /// put aside for an `Any` and extensions of registered types, at all levels at which they are in each
    /// other together. What counts, [`DecodeLimits`] says.
    #[must_use]
    pub fn max_element_memory(mut self, bytes: usize) -> Self {
        self.max_element_memory = bytes;
        self
    }

    /// Bounds the stack that decoding one message may take before it goes no deeper, in bytes; 1 MiB
    /// by default, which is for threads of 2 MiB. It keeps values whose types are large from nesting as
    /// deep as [`max_depth`](Self::max_depth) allows, which in a debug build could overflow the stack.
    #[must_use]
    pub fn max_stack(mut self, bytes: usize) -> Self {
        self.max_stack = bytes;
        self
    }

    /// Bounds the calls that one connection may have open at once, in each direction; 16,384 by
    /// default, at least 1. A client waits for a place, up to its call's deadline. On `knsock://`, where
    /// answers have no ids, a call that was given up keeps its place until its answer has come.
    #[must_use]
    pub fn max_calls(mut self, calls: u32) -> Self {
        self.max_calls = calls.max(1);
        self
    }

    /// Bounds the items of one batch of JSON-RPC; 1,000 by default, 0 refuses batches. Each item is
    /// a call and takes a place of [`max_calls`](Self::max_calls); the answers together are bounded
    /// by [`max_message`](Self::max_message).
    #[cfg(feature = "jsonrpc")]
    #[must_use]
    pub fn max_batch(mut self, items: usize) -> Self {
        self.max_batch = items;
        self
    }

    /// Bounds the subscriptions of JSON-RPC that one connection has open at once; 1,024 by default, 0
    /// refuses them. Each is also one of [`max_calls`](Self::max_calls).
    ///
    /// Items of a subscription wait in their stream while [`max_outgoing`](Self::max_outgoing) waits to
    /// be written: a client that reads slowly slows its subscriptions down, and loses nothing.
    #[cfg(feature = "jsonrpc")]
    #[must_use]
    pub fn max_subscriptions(mut self, subscriptions: usize) -> Self {
        self.max_subscriptions = subscriptions;
        self
    }

    /// Bounds the messages of one stream that are received and not yet consumed, in bytes; 256 KiB
    /// by default, at least 1 KiB. One message more than that can be on its way.
    #[must_use]
    pub fn stream_window(mut self, bytes: u32) -> Self {
        self.stream_window = bytes.clamp(LEAST_WINDOW, i32::MAX as u32);
        self
    }

    /// Bounds all that one connection has received and not yet handed on, and the requests of calls
    /// that run, in bytes; 256 MiB by default. Memory of large messages that is kept for a second
    /// to be used again counts too, and gives way when it is needed. Requests and whole replies of up
    /// to 4 KiB are not counted: [`max_calls`](Self::max_calls) bounds them. What waits for slow readers
    /// ([`SlowReader`](super::SlowReader)) counts, and never takes more than half of it.
    ///
    /// Over HTTP/2 it is also the window of a connection: what has come and no handler has read yet may
    /// be this much, and [`stream_window`](Self::stream_window) in each call.
    #[must_use]
    pub fn max_buffered(mut self, bytes: usize) -> Self {
        self.max_buffered = bytes.max(LEAST_MESSAGE);
        self
    }

    /// Bounds what waits to be written to one connection, in bytes; 4 MiB by default. Senders wait
    /// for room; one message more than that can be queued.
    ///
    /// Messages of more than 64 KiB leave in pieces, between which all others pass. So they take no
    /// room from small ones, up to one message of [`max_message`](Self::max_message) more.
    ///
    /// A server takes no new requests of a connection of HTTP/2 either while so much waits for it, or as
    /// much as [`Server::max_buffered_total`](crate::Server::max_buffered_total) leaves it.
    #[must_use]
    pub fn max_outgoing(mut self, bytes: usize) -> Self {
        self.max_outgoing = bytes.max(64 << 10);
        self
    }

    /// Bounds how long a message that comes in several frames may stay incomplete; 30 seconds by
    /// default. Each 16 KiB of it that come put that off by a second, to at most this long from
    /// then: a large message on a slow line arrives, but one that stops, or comes byte by byte,
    /// fails its call and gives its memory back.
    ///
    /// A client that speaks HTTP/1.1 must take what is sent to it as fast, while any of it waits.
    #[must_use]
    pub fn message_timeout(mut self, timeout: Duration) -> Self {
        self.message_timeout = timeout.min(FAR_AHEAD);
        self
    }

    pub(crate) fn decode_limits(&self) -> DecodeLimits {
        DecodeLimits::default()
            .max_depth(self.max_depth)
            .max_element_memory(self.max_element_memory)
            .max_stack(self.max_stack)
    }
}
