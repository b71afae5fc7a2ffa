//! Methods, and their descriptions: static data that the macro writes down once.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::priority::Priority;
use super::schema::Hash;
use super::service_descriptor::{MethodHandle, ServiceDescriptor};

/// Which sides of a method stream.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MethodKind {
    /// One message each way.
    Unary,
    /// One message out, a stream back.
    ServerStreaming,
    /// A stream out, one message back.
    ClientStreaming,
    /// A stream each way.
    Bidirectional,
}

/// The metadata in which a caller that lacks a method's description says which kind it takes the
/// method for: `unary` or `server-streaming`.
pub(crate) const EXPECTED_KIND: &str = "rpc-kind";

impl MethodKind {
    #[cfg(feature = "http")]
    pub(crate) const ALL: [Self; 4] = [
        Self::Unary,
        Self::ServerStreaming,
        Self::ClientStreaming,
        Self::Bidirectional,
    ];

    /// Returns the kind in words, such as `server-streaming`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unary => "unary",
            Self::ServerStreaming => "server-streaming",
            Self::ClientStreaming => "client-streaming",
            Self::Bidirectional => "bidirectional",
        }
    }

    /// Returns whether the caller sends a stream.
    pub const fn is_upload(self) -> bool {
        matches!(self, Self::ClientStreaming | Self::Bidirectional)
    }

    /// Returns whether the server answers with a stream.
    pub const fn is_download(self) -> bool {
        matches!(self, Self::ServerStreaming | Self::Bidirectional)
    }
}

/// One method of a service, as its trait declares it.
#[derive(Clone, Debug)]
pub struct MethodDescriptor {
    path: &'static str,
    kind: MethodKind,
    args: &'static [&'static str],
    idempotent: bool,
    read_only: bool,
    once: bool,
    resumable: bool,
    blocking: bool,
    bare: bool,
    deprecated: bool,
    priority: Priority,
    timeout: Option<Duration>,
    since: Option<&'static str>,
    doc: &'static str,
}

impl MethodDescriptor {
    /// Describes a method by its path, `package.Service/method`, and the names of its arguments.
    pub const fn new(path: &'static str, kind: MethodKind, args: &'static [&'static str]) -> Self {
        Self {
            path,
            kind,
            args,
            idempotent: false,
            read_only: false,
            once: false,
            resumable: false,
            blocking: false,
            bare: false,
            deprecated: false,
            priority: Priority::Normal,
            timeout: None,
            since: None,
            doc: "",
        }
    }

    /// Says that running the method twice does what running it once does.
    #[must_use]
    pub const fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// Says that the method changes nothing; this implies idempotent.
    #[must_use]
    pub const fn read_only(mut self) -> Self {
        self.read_only = true;
        self.idempotent()
    }

    /// Says that a call that is made again gets the answer that the first time had.
    #[must_use]
    pub const fn once(mut self) -> Self {
        self.once = true;
        self
    }

    /// Says that a caller can go on with the method's stream when its connection was lost.
    #[must_use]
    pub const fn resumable(mut self) -> Self {
        self.resumable = true;
        self
    }

    /// Says that the method blocks its thread, and so runs off the reactor.
    #[must_use]
    pub const fn blocking(mut self) -> Self {
        self.blocking = true;
        self
    }

    /// Says that the method's one argument is the whole message.
    #[must_use]
    pub const fn bare(mut self) -> Self {
        self.bare = true;
        self
    }

    /// Says whether the codec of the service takes the one argument of a method, if it has one, for
    /// the whole message.
    #[must_use]
    pub const fn bare_by_codec(mut self, is_bare: bool) -> Self {
        self.bare = self.bare || (is_bare && self.args.len() == 1 && !self.kind.is_upload());
        self
    }

    /// Says that callers should move to another method.
    #[must_use]
    pub const fn deprecated(mut self) -> Self {
        self.deprecated = true;
        self
    }

    /// Sets how much calls of the method matter where nobody says otherwise.
    #[must_use]
    pub const fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Sets the time a call may take where the caller names none.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Names the version of the service that added the method.
    #[must_use]
    pub const fn since(mut self, version: &'static str) -> Self {
        self.since = Some(version);
        self
    }

    /// Sets the documentation.
    #[must_use]
    pub const fn doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }

    /// Returns `package.Service/method`, the method's name on every wire.
    pub const fn path(&self) -> &'static str {
        self.path
    }

    /// Returns the part of the path behind the slash.
    pub fn name(&self) -> &'static str {
        split_path(self.path).1
    }

    /// Returns which sides stream.
    pub const fn kind(&self) -> MethodKind {
        self.kind
    }

    /// Returns the names of the arguments, in order, without streams and contexts.
    pub const fn args(&self) -> &'static [&'static str] {
        self.args
    }

    /// Returns whether the method may be run again after a failure.
    pub const fn is_idempotent(&self) -> bool {
        self.idempotent
    }

    /// Returns whether the method changes nothing.
    pub const fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Returns whether a call that is made again gets the answer that the first time had.
    pub const fn is_once(&self) -> bool {
        self.once
    }

    /// Returns whether a caller can go on with the method's stream when its connection was lost.
    pub const fn is_resumable(&self) -> bool {
        self.resumable
    }

    /// Returns whether the method runs on a thread of its own.
    pub const fn is_blocking(&self) -> bool {
        self.blocking
    }

    /// Returns whether the one argument is the whole message.
    pub const fn is_bare(&self) -> bool {
        self.bare
    }

    /// Returns how much calls of the method matter where nobody says otherwise.
    pub const fn default_priority(&self) -> Priority {
        self.priority
    }

    /// Returns whether callers should move to another method.
    pub const fn is_deprecated(&self) -> bool {
        self.deprecated
    }

    /// Returns the time a call may take where the caller names none.
    pub const fn default_timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// Returns the version of the service that added the method.
    pub const fn added_in(&self) -> Option<&'static str> {
        self.since
    }

    /// Returns the documentation, without markup of its own.
    pub const fn documentation(&self) -> &'static str {
        self.doc
    }
}

impl MethodDescriptor {
    /// Returns a hash of what a caller must know to call the method.
    pub(super) const fn hash(&self) -> u64 {
        let mut hash = Hash::new().text(self.path).byte(self.kind as u8);
        hash = hash.byte(self.bare as u8);
        let mut index = 0;
        while index < self.args.len() {
            hash = hash.text(self.args[index]);
            index += 1;
        }
        hash.0
    }
}

/// The method that a request asks for.
#[derive(Clone)]
pub struct Method(Repr);

#[derive(Clone)]
enum Repr {
    Described(MethodHandle),
    Named(Arc<str>),
}

impl Method {
    /// Names a method that is known by its path only, `package.Service/method` or `function`.
    pub fn named(path: impl Into<Arc<str>>) -> Self {
        Self(Repr::Named(path.into()))
    }

    /// Returns `package.Service/method`, or the name of a function.
    pub fn path(&self) -> &str {
        match &self.0 {
            Repr::Described(handle) => handle.descriptor().path,
            Repr::Named(path) => path,
        }
    }

    /// Returns the part before the slash; empty for a function.
    pub fn service(&self) -> &str {
        split_path(self.path()).0
    }

    /// Returns the part behind the slash.
    pub fn name(&self) -> &str {
        split_path(self.path()).1
    }

    /// Returns the description, where this side has it.
    pub fn descriptor(&self) -> Option<&'static MethodDescriptor> {
        self.handle().map(MethodHandle::descriptor)
    }

    /// Returns the handle, where this side has the description.
    pub fn handle(&self) -> Option<MethodHandle> {
        match &self.0 {
            Repr::Described(handle) => Some(*handle),
            Repr::Named(_) => None,
        }
    }
}

impl From<MethodHandle> for Method {
    fn from(handle: MethodHandle) -> Self {
        Self(Repr::Described(handle))
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Method").field(&self.path()).finish()
    }
}

fn split_path(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// What a server can be asked for, so that a wire can give known methods short names.
pub(crate) trait MethodTable: Send + Sync + 'static {
    /// Returns the method at this path, if it is served here.
    fn resolve(&self, path: &str) -> Option<Method>;

    /// Returns the methods of this name, whatever their services.
    #[cfg(feature = "jsonrpc")]
    fn find(&self, name: &str) -> Vec<Method>;

    /// Returns the service of this name, if it is served here.
    fn service(&self, name: &str) -> Option<&'static ServiceDescriptor>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_splits_at_its_last_slash() {
        let method = Method::named("a.B/c");
        assert_eq!((method.service(), method.name()), ("a.B", "c"));
        let function = Method::named("hello");
        assert_eq!((function.service(), function.name()), ("", "hello"));
        assert!(function.descriptor().is_none());
    }
}
