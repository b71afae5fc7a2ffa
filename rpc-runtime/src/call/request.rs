//! What a client asks of a service.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant as StdInstant};

use http::{Extensions, HeaderMap};
use tokio::time::Instant;

use super::body::Body;
use super::cancellation::Cancellation;
use super::connection_info::ConnectionInfo;
use super::context::{CompressionChoice, Context, Identity, Inner};
use super::metadata::Metadata;
use super::method::Method;
use super::resume::{Resume, ResumeOut};
use crate::codec::Encoding;

/// What a client asks of a [`Service`](crate::Service): a method, metadata, a deadline, and a
/// body.
pub struct Request {
    method: Method,
    metadata: Metadata,
    deadline: Option<Instant>,
    acceptance_deadline: Option<Instant>,
    encoding: Option<Encoding>,
    extensions: Extensions,
    connection: Option<Arc<ConnectionInfo>>,
    cancellation: Option<Cancellation>,
    body: Body,
}

/// Whether the messages of a call go out compressed, as an extension of its request or response: on
/// wires that can, instead of what the connection is set to or how the request came.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "http"), allow(dead_code, reason = "only HTTP asks"))]
pub(crate) struct Compressed(pub(crate) bool);

impl Request {
    /// Makes a request without metadata and without a deadline.
    pub fn new(method: impl Into<Method>, body: Body) -> Self {
        Self {
            method: method.into(),
            metadata: Metadata::default(),
            deadline: None,
            acceptance_deadline: None,
            encoding: None,
            extensions: Extensions::new(),
            connection: None,
            cancellation: None,
            body,
        }
    }

    /// Returns the method that is asked for.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Sets the method, for a layer that renames.
    pub fn set_method(&mut self, method: impl Into<Method>) {
        self.method = method.into();
    }

    /// Returns the metadata.
    pub fn metadata(&self) -> &HeaderMap {
        &self.metadata
    }

    /// Returns the metadata for changing it.
    pub fn metadata_mut(&mut self) -> &mut HeaderMap {
        &mut self.metadata
    }

    /// Returns when the call must have ended.
    pub fn deadline(&self) -> Option<StdInstant> {
        self.deadline.map(Instant::into_std)
    }

    /// Returns the time that is left, zero when the deadline has passed.
    pub fn remaining(&self) -> Option<Duration> {
        let deadline = self.deadline?;
        Some(deadline.saturating_duration_since(Instant::now()))
    }

    /// Moves the deadline nearer: the call ends within `timeout` from now, or sooner.
    pub fn shorten_timeout(&mut self, timeout: Duration) {
        let deadline = deadline_in(timeout);
        self.deadline = Some(self.deadline.map_or(deadline, |it| it.min(deadline)));
    }

    pub(crate) fn set_metadata(&mut self, metadata: Metadata) {
        self.metadata = metadata;
    }

    pub(crate) fn deadline_instant(&self) -> Option<Instant> {
        self.deadline
    }

    pub(crate) fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    /// Returns by when the response stream must be accepted, where that is bounded.
    pub(crate) fn acceptance_deadline(&self) -> Option<Instant> {
        self.acceptance_deadline
    }

    pub(crate) fn set_acceptance_deadline(&mut self, deadline: Option<Instant>) {
        self.acceptance_deadline = deadline;
    }

    /// Returns by when the call must have ended or been accepted, whichever comes first.
    pub(crate) fn first_deadline(&self) -> Option<Instant> {
        match (self.deadline, self.acceptance_deadline) {
            (Some(deadline), Some(acceptance)) => Some(deadline.min(acceptance)),
            (deadline, acceptance) => deadline.or(acceptance),
        }
    }

    /// Returns which attempt of its call the request is: 1 unless the call is made again.
    pub fn attempt(&self) -> u32 {
        attempt_of(&self.extensions)
    }

    /// Sets which attempt of its call the request is, for a layer that makes calls again. The
    /// server is told, and its handler finds it in [`Context::attempt`].
    pub fn set_attempt(&mut self, attempt: u32) {
        if attempt > 1 {
            self.extensions.insert(Attempt(attempt));
        } else {
            self.extensions.remove::<Attempt>();
        }
    }

    /// Returns whether it goes on with a stream. Such a call is made by who knows of the stream, and not
    /// twice: the second would take the stream from the first.
    pub(crate) fn goes_on(&self) -> bool {
        let resume = self.extensions.get::<ResumeOut>();
        matches!(resume, Some(ResumeOut(Resume::Behind { .. })))
    }

    /// Returns the same request once more, unless its body is a stream.
    pub(crate) fn try_clone(&mut self) -> Option<Self> {
        let body = self.body.try_clone()?;
        Some(Self {
            body,
            ..self.clone_without_body()
        })
    }

    /// Returns the same request once more, with an empty body.
    pub(crate) fn clone_without_body(&self) -> Self {
        Self {
            method: self.method.clone(),
            metadata: self.metadata.clone(),
            deadline: self.deadline,
            acceptance_deadline: self.acceptance_deadline,
            encoding: self.encoding,
            extensions: self.extensions.clone(),
            connection: self.connection.clone(),
            cancellation: self.cancellation.clone(),
            body: Body::empty(),
        }
    }

    /// Returns the encoding of the messages both ways; `None` leaves it to the service's codec.
    pub fn encoding(&self) -> Option<Encoding> {
        self.encoding
    }

    /// Sets the encoding of the messages both ways.
    pub fn set_encoding(&mut self, encoding: Encoding) {
        self.encoding = Some(encoding);
    }

    /// Returns the values that layers pass to each other and to the handler; they never cross a
    /// wire.
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// Returns the extensions for changing them.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        &mut self.extensions
    }

    /// Returns the connection that brought the request; `None` in process.
    pub fn connection(&self) -> Option<&Arc<ConnectionInfo>> {
        self.connection.as_ref()
    }

    /// Returns who the caller proved to be, where a layer found that out or its certificate says it.
    pub(crate) fn identity(&self) -> Option<&Identity> {
        let of_connection = || self.connection()?.extensions().get::<Identity>();
        self.extensions.get::<Identity>().or_else(of_connection)
    }

    /// Returns who sent the request, as a URL; `None` in process.
    pub fn peer(&self) -> Option<&str> {
        self.connection.as_deref().map(ConnectionInfo::peer)
    }

    pub(crate) fn set_connection(&mut self, connection: Arc<ConnectionInfo>) {
        self.connection = Some(connection);
    }

    /// Returns the signal of the wire that brought the request; `None` in process.
    pub(crate) fn cancellation(&self) -> Option<&Cancellation> {
        self.cancellation.as_ref()
    }

    pub(crate) fn set_cancellation(&mut self, cancellation: Cancellation) {
        self.cancellation = Some(cancellation);
    }

    /// Lets the call go on when its wire gives it up.
    pub(crate) fn forget_cancellation(&mut self) {
        self.cancellation = None;
    }

    /// Returns the body.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// Returns the body for reading it.
    pub fn body_mut(&mut self) -> &mut Body {
        &mut self.body
    }

    /// Takes the body out and leaves an empty one.
    pub fn take_body(&mut self) -> Body {
        std::mem::replace(&mut self.body, Body::empty())
    }

    /// Replaces the body.
    pub fn set_body(&mut self, body: Body) {
        self.body = body;
    }

    /// Splits the request into what a handler sees of it and the body.
    pub(crate) fn into_context(self) -> (Context, Body) {
        if let Some(cancellation) = &self.cancellation {
            cancellation.start();
        }
        let context = Context::new(Inner {
            method: self.method,
            metadata: self.metadata,
            extensions: self.extensions,
            connection: self.connection,
            deadline: self.deadline,
            cancellation: self.cancellation.unwrap_or_default(),
            reply: Mutex::default(),
            compression: CompressionChoice::default(),
        });
        (context, self.body)
    }
}

/// The metadata in which a caller names a call that it may make again, for methods that run once.
pub(crate) const CALL_ID: &str = "rpc-call-id";

/// Which attempt of its call a request is. An extension, because hardly any request has it.
#[derive(Clone, Copy)]
struct Attempt(u32);

pub(super) fn attempt_of(extensions: &Extensions) -> u32 {
    extensions.get::<Attempt>().map_or(1, |attempt| attempt.0)
}

/// A deadline far enough ahead to stand for "no deadline" where an instant must be.
pub(crate) const FAR_AHEAD: Duration = Duration::from_secs(86_400 * 365 * 30);

/// Returns the instant that is `timeout` ahead; one that does not fit an instant is far ahead.
pub(crate) fn deadline_in(timeout: Duration) -> Instant {
    deadline_after(Instant::now(), timeout)
}

/// Returns the instant that is `timeout` after another, as [`deadline_in`] does.
pub(crate) fn deadline_after(now: Instant, timeout: Duration) -> Instant {
    now + timeout.min(FAR_AHEAD)
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Metadata can hold credentials, so only its names are printed.
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("metadata", &self.metadata.keys().collect::<Vec<_>>())
            .field("deadline", &self.deadline)
            .field("encoding", &self.encoding)
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}
