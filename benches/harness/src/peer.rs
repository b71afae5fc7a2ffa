//! The one trait that a framework implements to take part.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use crate::Result;
use crate::load::{self, Load, Tally};

/// One connection of one framework. Clones share it.
pub trait Peer: Clone + Send + Sync + 'static {
    /// What the tables call it.
    const NAME: &'static str;
    /// Says that the framework's objects stay on one thread. The client then has a single-threaded
    /// runtime, and [`serve`](Peer::serve) starts a thread for the server: two threads, as with
    /// all the others.
    const ONE_THREAD_A_SIDE: bool = false;
    /// What would make no sense to measure, each with the reason. What the framework cannot do at
    /// all is a method left out.
    const UNSUPPORTED: &'static [Unsupported] = &[];

    /// Starts a server on a free port of the loopback interface.
    fn serve() -> impl Future<Output = Result<SocketAddr>> + Send;

    fn connect(server: SocketAddr) -> impl Future<Output = Result<Self>> + Send;

    /// Builds the small message `id`, has it echoed, and returns the checksum of the echo.
    fn echo(&self, id: u64) -> impl Future<Output = Result<u64>> + Send;

    /// Has `body` echoed, in the type that the framework's documentation advises for bytes, and
    /// returns the length of the echo.
    fn echo_bytes(&self, body: Bytes) -> impl Future<Output = Result<usize>> + Send;

    /// The same with a `Vec<u8>`, where that makes a difference.
    fn echo_vec(&self, _body: Vec<u8>) -> impl Future<Output = Result<usize>> + Send {
        async { Err(NotOffered("").into()) }
    }

    /// Has a handler call [`burn`](crate::burn) for `time`.
    fn burn(&self, _time: Duration) -> impl Future<Output = Result<()>> + Send {
        async { Err(NotOffered("no handler that burns CPU").into()) }
    }

    /// Opens a stream of the small messages `0..count` from the server.
    fn items(&self, _count: u64) -> impl Future<Output = Result<impl Items>> + Send {
        async { Err::<Never, _>(NotOffered("no streams").into()) }
    }

    /// Opens a stream of `count` messages of `len` bytes each from the server. The "checksum" of
    /// one is its length.
    fn blobs(&self, _count: u64, _len: u64) -> impl Future<Output = Result<impl Items>> + Send {
        async { Err::<Never, _>(NotOffered("no streams of bytes").into()) }
    }

    /// Opens a stream in both directions, on which the server echoes every message.
    fn ping_pong(&self) -> impl Future<Output = Result<impl PingPong>> + Send {
        async { Err::<Never, _>(NotOffered("no streams in both directions").into()) }
    }

    /// Puts `load` on this connection: that many tasks, each with one call after the other.
    fn drive(&self, load: Load) -> impl Future<Output = Result<Tally>> + Send {
        load::tasks(self, load)
    }
}

/// A stream from the server.
pub trait Items: Send {
    /// Returns the checksum of the next message.
    fn next(&mut self) -> impl Future<Output = Result<Option<u64>>> + Send;
}

/// A stream in both directions.
pub trait PingPong: Send {
    /// Sends the small message `id`, waits for its echo, and returns the checksum of that.
    fn round(&mut self, id: u64) -> impl Future<Output = Result<u64>> + Send;
}

/// What a framework does not have; without a text it is not worth a note.
#[derive(Debug)]
pub struct NotOffered(pub &'static str);

impl fmt::Display for NotOffered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for NotOffered {}

/// A workload that is not run with a framework, and why.
pub struct Unsupported {
    pub workload: &'static str,
    pub why: &'static str,
}

/// A stream that no framework opens.
enum Never {}

impl Items for Never {
    async fn next(&mut self) -> Result<Option<u64>> {
        match *self {}
    }
}

impl PingPong for Never {
    async fn round(&mut self, _id: u64) -> Result<u64> {
        match *self {}
    }
}
