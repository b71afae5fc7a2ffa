//! What a peer may see when a call fails: [`Code`] and [`Status`].

mod call_error;
mod code;

use std::any::Any;
use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use http::HeaderMap;

use crate::pushback::Pushback;

pub use call_error::CallError;
pub use code::{Code, Phase};

/// Why a call failed: a [`Code`], a message, and what is known of where it happened.
///
/// `Display` says in one line what failed, in which method, at which peer, in which phase, and the
/// root cause; [`source`](StdError::source) carries the chain. Code, message, metadata and a
/// method's own error travel to the peer. Peer, method, phase and source stay here.
///
/// A status that came from a peer is [remote](Self::is_remote). Where a handler returns such a
/// status with `?`, its own caller gets [`Code::Internal`] without the peer's message, and the log
/// keeps the cause; [`forward`](Self::forward) passes it on as it is, and
/// [`Channel::with_forwarding`](crate::Channel::with_forwarding) every status of a channel.
#[derive(Clone)]
pub struct Status(Box<Inner>);

#[derive(Clone)]
struct Inner {
    code: Code,
    message: Cow<'static, str>,
    /// The method's own error, which the call floor puts in and takes out.
    attachment: Option<Arc<dyn Any + Send + Sync>>,
    metadata: HeaderMap,
    remote: bool,
    forward: bool,
    not_started: bool,
    pushback: Option<Pushback>,
    /// How often the call was made, if more than once.
    attempts: Option<NonZeroU32>,
    phase: Option<Phase>,
    peer: Option<Arc<str>>,
    method: Option<Cow<'static, str>>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Status {
    /// Makes a status. The message is shown to the peer: no secrets, lower case, no full stop.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            code,
            message: message.into(),
            attachment: None,
            metadata: HeaderMap::new(),
            remote: false,
            forward: false,
            not_started: false,
            pushback: None,
            attempts: None,
            phase: None,
            peer: None,
            method: None,
            source: None,
        }))
    }

    /// Returns the kind of the failure.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// Returns the text for people, without the surroundings that `Display` adds.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the metadata that came, or will go, with the status.
    pub fn metadata(&self) -> &HeaderMap {
        &self.0.metadata
    }

    /// Returns the metadata for changing it.
    pub fn metadata_mut(&mut self) -> &mut HeaderMap {
        &mut self.0.metadata
    }

    /// Returns whether the status came from a peer.
    pub fn is_remote(&self) -> bool {
        self.0.remote
    }

    /// Returns whether it is certain that no handler saw the call, so that it is safe to make it
    /// again, whatever its method does: the peer said so, or nothing of the call had left. Where
    /// this is false, nobody knows.
    pub fn is_not_started(&self) -> bool {
        self.0.not_started
    }

    /// Returns what the server asks of a client that would make the call again.
    pub fn pushback(&self) -> Option<Pushback> {
        self.0.pushback
    }

    /// Asks the client to wait before it makes the call again, or not to make it again. It travels
    /// with the status over the native wire and gRPC, and [`Retry`](crate::layer::Retry) obeys it.
    #[must_use]
    pub fn with_pushback(mut self, pushback: Pushback) -> Self {
        self.0.pushback = Some(pushback);
        self
    }

    /// Returns how often the call was made before it failed for good; 1 where nothing
    /// [made it again](crate::layer::Retry).
    pub fn attempts(&self) -> u32 {
        self.0.attempts.map_or(1, NonZeroU32::get)
    }

    /// Returns how far the call had come, where that is known.
    pub fn phase(&self) -> Option<Phase> {
        self.0.phase
    }

    /// Returns the peer that the call went to, where that is known.
    pub fn peer(&self) -> Option<&str> {
        self.0.peer.as_deref()
    }

    /// Returns the method that was called, as `package.Service/method`.
    pub fn method(&self) -> Option<&str> {
        self.0.method.as_deref()
    }

    /// Keeps the cause, for [`source`](StdError::source) and `Display`; it never goes on the wire.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(Arc::from(source.into()));
        self
    }

    /// Lets a handler pass a remote status on to its own caller, unchanged.
    ///
    /// ```
    /// # use rpc_runtime::{Code, Status};
    /// # let remote = Status::new(Code::NotFound, "no such user");
    /// let passed_on: Result<(), Status> = Err(remote).map_err(Status::forward);
    /// ```
    #[must_use]
    pub fn forward(mut self) -> Self {
        self.0.forward = true;
        self
    }

    /// Attaches the method's own error.
    #[must_use]
    pub(crate) fn with_attachment(mut self, attachment: Arc<dyn Any + Send + Sync>) -> Self {
        self.0.attachment = Some(attachment);
        self
    }

    /// Leaves the method's own error out.
    #[must_use]
    pub(crate) fn without_attachment(mut self) -> Self {
        self.0.attachment = None;
        self
    }

    /// Leaves the cause out.
    #[must_use]
    pub(crate) fn without_source(mut self) -> Self {
        self.0.source = None;
        self
    }

    pub(crate) fn attachment(&self) -> Option<&Arc<dyn Any + Send + Sync>> {
        self.0.attachment.as_ref()
    }

    /// Marks the status as one that a peer sent.
    #[must_use]
    pub(crate) fn into_remote(mut self) -> Self {
        self.0.remote = true;
        self
    }

    /// Notes that no handler saw the call.
    #[must_use]
    pub(crate) fn into_not_started(mut self) -> Self {
        self.0.not_started = true;
        self
    }

    /// Takes back that no handler saw the call: one failed with a status that says so of another.
    #[must_use]
    pub(crate) fn into_started(mut self) -> Self {
        self.0.not_started = false;
        self
    }

    /// Notes how often the call was made.
    #[must_use]
    pub(crate) fn after_attempts(mut self, attempts: u32) -> Self {
        self.0.attempts = NonZeroU32::new(attempts).filter(|it| it.get() > 1);
        self
    }

    pub(crate) fn is_forwarded(&self) -> bool {
        self.0.forward
    }

    /// Notes the phase, unless a place nearer to the failure noted one already.
    #[must_use]
    pub(crate) fn in_phase(mut self, phase: Phase) -> Self {
        self.0.phase.get_or_insert(phase);
        self
    }

    /// Notes the peer, unless one is noted already.
    #[must_use]
    pub(crate) fn at_peer(mut self, peer: &Arc<str>) -> Self {
        self.0.peer.get_or_insert_with(|| Arc::clone(peer));
        self
    }

    /// Notes the method, unless one is noted already.
    #[must_use]
    pub(crate) fn in_method(mut self, method: impl Into<Cow<'static, str>>) -> Self {
        self.0.method.get_or_insert_with(|| method.into());
        self
    }
}

/// One constructor a code, so that a handler reads `Status::not_found("no user 7")`.
macro_rules! constructors {
    ($($name:ident => $code:ident,)*) => {
        impl Status {
            $(
                #[doc = concat!("Makes a status of [`Code::", stringify!($code), "`].")]
                pub fn $name(message: impl Into<Cow<'static, str>>) -> Self {
                    Self::new(Code::$code, message)
                }
            )*
        }
    };
}

constructors! {
    cancelled => Cancelled,
    unknown => Unknown,
    invalid_argument => InvalidArgument,
    deadline_exceeded => DeadlineExceeded,
    not_found => NotFound,
    already_exists => AlreadyExists,
    permission_denied => PermissionDenied,
    resource_exhausted => ResourceExhausted,
    failed_precondition => FailedPrecondition,
    aborted => Aborted,
    out_of_range => OutOfRange,
    unimplemented => Unimplemented,
    internal => Internal,
    unavailable => Unavailable,
    data_loss => DataLoss,
    unauthenticated => Unauthenticated,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        if let Some(method) = &inner.method {
            write!(f, "{method} ")?;
        }
        if let Some(peer) = &inner.peer {
            write!(f, "at {peer} ")?;
        }
        match inner.attempts {
            Some(attempts) => write!(f, "failed after {attempts} attempts: ")?,
            None if inner.method.is_some() || inner.peer.is_some() => f.write_str("failed: ")?,
            None => {}
        }
        write!(f, "{}", inner.code)?;
        if let Some(phase) = inner.phase {
            write!(f, " in phase {}", phase.name())?;
        }
        if !inner.message.is_empty() {
            f.write_str(": ")?;
            write_on_one_line(f, &inner.message)?;
        }
        let mut root: Option<&dyn StdError> = self.source();
        while let Some(next) = root.and_then(StdError::source) {
            root = Some(next);
        }
        match root.map(ToString::to_string) {
            Some(root) if !inner.message.contains(&root) => {
                f.write_str(": ")?;
                write_on_one_line(f, &root)
            }
            _ => Ok(()),
        }
    }
}

/// Writes text that may be a peer's: what would break the line, or forge another, is escaped.
fn write_on_one_line(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for part in text.split_inclusive(char::is_control) {
        let (plain, control) = match part.char_indices().next_back() {
            Some((at, last)) if last.is_control() => (&part[..at], Some(last)),
            _ => (part, None),
        };
        f.write_str(plain)?;
        if let Some(control) = control {
            write!(f, "{}", control.escape_default())?;
        }
    }
    Ok(())
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        let mut debug = f.debug_struct("Status");
        debug.field("code", &inner.code);
        debug.field("message", &inner.message);
        debug.field("remote", &inner.remote);
        debug.field("phase", &inner.phase);
        debug.field("peer", &inner.peer);
        debug.field("method", &inner.method);
        debug.field("not_started", &inner.not_started);
        debug.field("attempts", &self.attempts());
        debug.field("source", &inner.source);
        debug.finish_non_exhaustive()
    }
}

impl StdError for Status {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source = self.0.source.as_deref()?;
        Some(source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_is_one_line_whatever_a_peer_says() {
        let status = Status::internal("a\nINFO forged\u{0}").with_source("b\r");
        assert_eq!(status.to_string(), "internal: a\\nINFO forged\\u{0}: b\\r");
        let twice = Status::internal("cannot read: eof").with_source("eof");
        assert_eq!(twice.to_string(), "internal: cannot read: eof");
    }

    #[test]
    fn display_names_method_peer_phase_and_root_cause() {
        let cause = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "refused");
        let status = Status::unavailable("cannot connect")
            .with_source(cause)
            .in_phase(Phase::Connect)
            .at_peer(&Arc::from("tcp://127.0.0.1:1"))
            .in_method("math.v1.Math/add");
        assert_eq!(
            status.to_string(),
            "math.v1.Math/add at tcp://127.0.0.1:1 failed: unavailable in phase connect: \
             cannot connect: refused"
        );
        assert!(status.source().is_some());
        assert_eq!(
            (
                status.attempts(),
                status.clone().after_attempts(1).attempts()
            ),
            (1, 1)
        );
        let status = status.after_attempts(3).to_string();
        assert!(status.contains("tcp://127.0.0.1:1 failed after 3 attempts: unavailable in"));
    }
}
