//! What a handler knows of the call that it serves.

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant as StdInstant};

use http::{Extensions, HeaderMap};
use tokio::time::Instant;

use super::cancellation::{Cancellation, Cancelled};
use super::connection_info::ConnectionInfo;
use super::metadata::{IntoMetadataValue, Metadata, append_metadata};
use super::method::Method;
use super::request::attempt_of;
use super::schema::Schema;
use super::scope::{Detached, Scoped, current, spawn_in};
use super::slow_reader::SlowReader;
use crate::status::Status;

/// The call that is being served: its deadline, metadata, peer, identity and cancellation.
///
/// A method asks for it with a `&Context` parameter, which never crosses the wire. It is also
/// around the handler: a call that a handler makes inherits the deadline and the cancellation
/// without anyone passing them on. A task that `tokio::spawn` starts loses it;
/// [`spawn`](Self::spawn) carries it along. Metadata and identity are never passed on by
/// themselves.
///
/// Cloning is cheap and gives the same context.
#[derive(Clone)]
pub struct Context(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) method: Method,
    pub(crate) metadata: Metadata,
    pub(crate) extensions: Extensions,
    pub(crate) connection: Option<Arc<ConnectionInfo>>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) cancellation: Cancellation,
    pub(crate) reply: Mutex<ReplyMetadata>,
    pub(crate) compression: CompressionChoice,
}

/// Whether the messages of a reply go out compressed, if the handler has said so.
#[derive(Default)]
pub(crate) struct CompressionChoice(AtomicU8);

impl CompressionChoice {
    const NO: u8 = 1;
    const YES: u8 = 2;

    fn set(&self, is_compressed: bool) {
        let chosen = if is_compressed { Self::YES } else { Self::NO };
        self.0.store(chosen, Ordering::Relaxed);
    }

    fn get(&self) -> Option<bool> {
        match self.0.load(Ordering::Relaxed) {
            Self::NO => Some(false),
            Self::YES => Some(true),
            _ => None,
        }
    }
}

/// What a handler adds to its reply besides the value.
#[derive(Default, Debug)]
pub(crate) struct ReplyMetadata {
    pub(crate) metadata: Metadata,
    pub(crate) trailers: Metadata,
    /// The first entry that could not be added, which fails the call.
    pub(crate) mistake: Option<Status>,
    pub(crate) slow_reader: SlowReader,
}

impl ReplyMetadata {
    fn note(&mut self, added: Result<(), Status>) {
        if let Err(mistake) = added {
            self.mistake.get_or_insert(mistake);
        }
    }

    fn check(&mut self) -> Result<(), Status> {
        self.mistake.take().map_or(Ok(()), |mistake| {
            tracing::error!(%mistake, "a handler added metadata that cannot be sent");
            let text = "the handler added metadata that cannot be sent";
            Err(Status::internal(text).with_source(mistake))
        })
    }
}

impl Context {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// Returns the context of the call that the current task serves, if it serves one.
    pub fn current() -> Option<Self> {
        current()
    }

    /// Returns the method that was called.
    pub fn method(&self) -> &Method {
        &self.0.method
    }

    /// Returns the metadata that came with the request.
    pub fn metadata(&self) -> &HeaderMap {
        &self.0.metadata
    }

    /// Returns who called, as a URL such as `tcp://192.0.2.7:50412`; `None` in process.
    pub fn peer(&self) -> Option<&str> {
        self.0.connection.as_deref().map(ConnectionInfo::peer)
    }

    /// Returns the form of the service that the caller was built with, where the wire tells; the
    /// native one does for clients of traits.
    pub fn caller_schema(&self) -> Option<Schema> {
        let connection = self.0.connection.as_deref()?;
        connection.peer_schema(self.method().service())
    }

    /// Returns who the caller proved to be, where a layer found that out or its certificate says it.
    pub fn identity(&self) -> Option<&Identity> {
        self.extension::<Identity>()
    }

    /// Returns the certificate that the client showed in the handshake of TLS, where the server
    /// [asked for one](crate::tls::ServerTls::client_auth).
    #[cfg(feature = "tls")]
    pub fn peer_certificate(&self) -> Option<&crate::tls::PeerCertificate> {
        self.extension()
    }

    /// Returns the value of type `T` that a layer put into the request's extensions, or else the
    /// one that belongs to the connection.
    pub fn extension<T: Clone + Send + Sync + 'static>(&self) -> Option<&T> {
        let own = self.0.extensions.get::<T>();
        own.or_else(|| self.0.connection.as_deref()?.extensions().get::<T>())
    }

    /// Returns which attempt of its call this is, as the caller counts: 1, and more where it makes
    /// the call again because an earlier attempt failed or is slow.
    pub fn attempt(&self) -> u32 {
        attempt_of(&self.0.extensions)
    }

    /// Returns when the call must have ended; `None` for a stream without a deadline.
    pub fn deadline(&self) -> Option<StdInstant> {
        self.0.deadline.map(Instant::into_std)
    }

    /// Returns the time that is left, zero when the deadline has passed.
    pub fn remaining(&self) -> Option<Duration> {
        let deadline = self.0.deadline?;
        Some(deadline.saturating_duration_since(Instant::now()))
    }

    pub(crate) fn deadline_instant(&self) -> Option<Instant> {
        self.0.deadline
    }

    /// Returns whether the caller gave the call up or the deadline has passed.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancellation.is_cancelled()
    }

    /// Waits until the caller gives the call up or the deadline passes.
    ///
    /// The handler's future is dropped after the server's grace period, so this is the place for
    /// work that must happen before that.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub fn cancelled(&self) -> Cancelled {
        self.0.cancellation.cancelled()
    }

    /// Adds metadata to the reply. It goes out before the value, and before a stream's first item;
    /// for a stream, what is added after its first `.await` comes too late and is not sent.
    ///
    /// Name and value are as for [`Call::metadata`](crate::Call::metadata). What HTTP would not
    /// allow makes the call fail with [`Code::Internal`](crate::Code::Internal), instead of with
    /// its value.
    pub fn add_reply_metadata(&self, name: impl AsRef<str>, value: impl IntoMetadataValue) {
        let (name, value) = (name.as_ref(), value.into_value());
        let mut reply = self.reply();
        let added = append_metadata(&mut reply.metadata, name, value);
        reply.note(added);
    }

    /// Adds metadata behind the reply's value or behind a stream's last item. If the call fails, it
    /// comes with the failure instead, as [`Status::metadata`].
    ///
    /// Name and value are as for [`add_reply_metadata`](Self::add_reply_metadata).
    pub fn add_trailer(&self, name: impl AsRef<str>, value: impl IntoMetadataValue) {
        let (name, value) = (name.as_ref(), value.into_value());
        let mut reply = self.reply();
        let added = append_metadata(&mut reply.trailers, name, value);
        reply.note(added);
    }

    /// Says whether the reply goes out compressed, and in a stream the items from here on, which may
    /// be said again before each. It has an effect where the wire compresses and the caller accepts
    /// that: gzip in gRPC, gRPC-Web and Connect, for messages of at least 256 bytes. A stream must say
    /// something before its first `.await`, as the headers before it name the compression.
    ///
    /// Without it a reply is compressed if the request was, and in a call of Connect that does not
    /// stream, if it is at least 1 KiB. Where an attacker can choose part of a reply that holds a
    /// secret, `false` keeps its length from telling of the secret.
    pub fn compress_reply(&self, is_compressed: bool) {
        self.0.compression.set(is_compressed);
    }

    pub(crate) fn is_reply_compressed(&self) -> Option<bool> {
        self.0.compression.get()
    }

    /// Says what becomes of the stream that the method answers with when its caller reads too slowly,
    /// on every wire and in process. Without it the stream waits for them. It comes before the stream's
    /// first `.await`, later it has no effect.
    ///
    /// With anything but [`SlowReader::Wait`] a task asks the stream for items whether or not they are
    /// read, so one that is always ready runs as fast as it can. Up to so many items as the policy says
    /// wait for the caller, and fewer where they are large: see [`SlowReader`].
    ///
    /// A caller learns how many items were left out before an item by
    /// [`ResponseStream::skipped`](crate::ResponseStream::skipped), on the native wire and in process; on
    /// wires that have no word for it, how many in all by the trailer `rpc-skipped` at the end.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_util::{Stream, stream};
    /// use rpc_runtime::{Context, SlowReader, rpc_service};
    ///
    /// #[rpc_service]
    /// trait Quotes {
    ///     fn prices(&self, ctx: &Context, symbol: String) -> impl Stream<Item = u64>;
    /// }
    ///
    /// struct Exchange;
    ///
    /// impl Quotes for Exchange {
    ///     fn prices(&self, ctx: &Context, symbol: String) -> impl Stream<Item = u64> {
    ///         ctx.slow_reader(SlowReader::KeepLatest);
    ///         stream::iter([symbol.len() as u64])
    ///     }
    /// }
    /// ```
    pub fn slow_reader(&self, policy: SlowReader) {
        self.reply().slow_reader = policy;
    }

    /// Returns what [`slow_reader`](Self::slow_reader) was told.
    pub(crate) fn slow_reader_policy(&self) -> SlowReader {
        self.reply().slow_reader
    }

    fn reply(&self) -> MutexGuard<'_, ReplyMetadata> {
        self.0.reply.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the metadata, and fails for an entry that could not be added so far.
    pub(crate) fn take_reply_metadata(&self) -> Result<Metadata, Status> {
        let mut reply = self.reply();
        reply.check()?;
        Ok(reply.metadata.take())
    }

    /// Takes the trailers, and fails for an entry that could not be added so far.
    pub(crate) fn take_trailers(&self) -> Result<Metadata, Status> {
        let mut reply = self.reply();
        reply.check()?;
        Ok(reply.trailers.take())
    }

    /// Takes the trailers of a call that has failed anyway.
    pub(crate) fn take_trailers_of_failure(&self) -> Metadata {
        self.reply().trailers.take()
    }

    /// Returns the same context without deadline and cancellation, for work that the call starts
    /// and does not wait for.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self::new(Inner {
            method: self.0.method.clone(),
            metadata: self.0.metadata.clone(),
            extensions: self.0.extensions.clone(),
            connection: self.0.connection.clone(),
            deadline: None,
            cancellation: Cancellation::new(),
            reply: Mutex::default(),
            compression: CompressionChoice::default(),
        })
    }

    /// Runs a future inside this context.
    pub fn scope<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        Scoped::new(self.clone(), future)
    }

    /// Starts a task inside this context. When the call is cancelled, the task is dropped.
    ///
    /// Dropping the returned handle leaves the task running.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime.
    pub fn spawn<F>(&self, future: F) -> Detached<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let cancelled = self.cancelled();
        spawn_in(self.clone(), async move {
            tokio::select! {
                // What is done when the call is cancelled is done, every time.
                biased;
                output = future => Ok(output),
                () = cancelled => Err(Status::cancelled("the call was cancelled")),
            }
        })
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("method", &self.0.method)
            .field("peer", &self.peer())
            .field("deadline", &self.0.deadline)
            .field("cancellation", &self.0.cancellation)
            .finish_non_exhaustive()
    }
}

/// Who a caller proved to be.
///
/// An authentication layer puts it into a request's extensions; a handler reads it with
/// [`Context::identity`]. What does not fit a name can be another extension beside it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Identity(Arc<str>);

impl Identity {
    /// Makes an identity of a name, such as a user's or a key's.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{Body, Request};

    /// Both are ready when the task is polled first; which one counts must not be chance.
    #[tokio::test]
    async fn a_task_that_is_done_when_the_call_is_cancelled_is_done() {
        for _ in 0..64 {
            let cancellation = Cancellation::new();
            let mut request = Request::new(Method::named("x"), Body::empty());
            request.set_cancellation(cancellation.clone());
            let (context, _) = request.into_context();
            let done = context.spawn(async { 1 });
            let waiting = context.spawn(std::future::pending::<()>());
            cancellation.cancel();
            assert_eq!(done.await.unwrap(), 1);
            assert!(waiting.await.is_err());
        }
    }
}
