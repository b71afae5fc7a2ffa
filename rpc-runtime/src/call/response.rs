//! What a service answers.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use http::{Extensions, HeaderMap};

use super::body::Body;
#[cfg(feature = "http")]
use super::message::Message;
use super::metadata::Metadata;
use super::request::Compressed;

/// What a [`Service`](crate::Service) answers: metadata and a body.
///
/// A call ends with its body, not with the future that gives the response: see
/// [`on_end`](Self::on_end).
pub struct Response {
    metadata: Metadata,
    trailers: Metadata,
    extensions: Extensions,
    /// Who answered, where a wire brought the response.
    peer: Option<Arc<dyn Peer>>,
    body: Body,
}

impl Response {
    /// Makes a response without metadata.
    pub fn new(body: Body) -> Self {
        Self {
            metadata: Metadata::default(),
            trailers: Metadata::default(),
            extensions: Extensions::new(),
            peer: None,
            body,
        }
    }

    /// Returns the metadata, which goes before the body.
    pub fn metadata(&self) -> &HeaderMap {
        &self.metadata
    }

    /// Returns the metadata for changing it.
    pub fn metadata_mut(&mut self) -> &mut HeaderMap {
        &mut self.metadata
    }

    /// Returns the metadata that goes behind a body that is one message. A body that streams
    /// carries its trailers itself, as its last frame.
    pub fn trailers(&self) -> &HeaderMap {
        &self.trailers
    }

    /// Returns the trailers for changing them.
    pub fn trailers_mut(&mut self) -> &mut HeaderMap {
        &mut self.trailers
    }

    /// Returns the values that layers pass to each other; they never cross a wire.
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// Returns the extensions for changing them.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        &mut self.extensions
    }

    pub(crate) fn set_metadata(&mut self, metadata: Metadata) {
        self.metadata = metadata;
    }

    pub(crate) fn set_trailers(&mut self, trailers: Metadata) {
        self.trailers = trailers;
    }

    pub(crate) fn take_metadata(&mut self) -> Metadata {
        self.metadata.take()
    }

    pub(crate) fn take_trailers(&mut self) -> Metadata {
        self.trailers.take()
    }

    pub(crate) fn take_peer(&mut self) -> Option<Arc<dyn Peer>> {
        self.peer.take()
    }

    pub(crate) fn set_peer(&mut self, peer: Arc<dyn Peer>) {
        self.peer = Some(peer);
    }

    /// Says whether the messages of the response go out compressed, where their wire compresses and
    /// the caller accepts it: gzip in gRPC, gRPC-Web and Connect. Otherwise they are as the request
    /// was, or in a call of Connect that does not stream, if they are long. Handlers say it with
    /// [`Context::compress_reply`](super::Context::compress_reply); one message can differ by
    /// [`Message::compressed`](super::Message::compressed).
    pub fn set_compressed(&mut self, is_compressed: bool) {
        self.extensions.insert(Compressed(is_compressed));
    }

    /// Returns whether the messages go out compressed, if somebody has said so.
    #[cfg(feature = "http")]
    pub(crate) fn is_compressed(&self) -> Option<bool> {
        let of_message = self.body.single().and_then(Message::is_compressed);
        of_message.or_else(|| self.extensions.get::<Compressed>().map(|it| it.0))
    }

    /// Returns the body.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// Returns the body for reading it.
    pub fn body_mut(&mut self) -> &mut Body {
        &mut self.body
    }

    /// Takes the body out and leaves an empty one. Guards stay with the body that is taken.
    pub fn take_body(&mut self) -> Body {
        std::mem::replace(&mut self.body, Body::empty())
    }

    /// Replaces the body; guards of the old body move to the new one.
    pub fn set_body(&mut self, mut body: Body) {
        body.extend_guards(self.body.take_guards());
        self.body = body;
    }

    /// Keeps `guard` until the call has ended, and drops it then.
    ///
    /// A call ends when its body has been read to the end, failed, or was dropped. This is the one
    /// way for a layer to follow a call to its end: a permit of a concurrency limit, a timer of a
    /// metric.
    pub fn on_end(&mut self, guard: impl Any + Send) {
        self.body.on_end(Box::new(guard));
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Metadata can hold credentials, so only its names are printed.
        f.debug_struct("Response")
            .field("metadata", &self.metadata.keys().collect::<Vec<_>>())
            .field("trailers", &self.trailers.keys().collect::<Vec<_>>())
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}

/// What knows who answered: the connection that brought the response, which is handed on as it is,
/// as all calls of a connection would meet at a count of who holds its name.
pub(crate) trait Peer: Send + Sync {
    /// Returns the name in errors.
    fn name(&self) -> &Arc<str>;
}

/// A value with the metadata that came around it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Reply<T> {
    /// What the method returned.
    pub value: T,
    /// The metadata before the value.
    pub metadata: HeaderMap,
    /// The metadata behind the value.
    pub trailers: HeaderMap,
}

impl<T> Reply<T> {
    pub(crate) fn new(value: T, metadata: Metadata, trailers: Metadata) -> Self {
        Self {
            value,
            metadata: metadata.into_map(),
            trailers: trailers.into_map(),
        }
    }
}
