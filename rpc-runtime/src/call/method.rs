//! Descriptions of services and methods: static data that the macro writes down once.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::priority::Priority;
use super::schema::{Hash, compare_revisions};

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
    const fn hash(&self) -> u64 {
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

/// One service, as its trait declares it.
pub struct ServiceDescriptor {
    name: &'static str,
    methods: &'static [MethodDescriptor],
    version: Option<&'static str>,
    fingerprint: Option<u64>,
    descriptors: Option<&'static [u8]>,
    doc: &'static str,
}

impl ServiceDescriptor {
    /// Describes a service by its full name, `package.Service`, and its methods.
    pub const fn new(name: &'static str, methods: &'static [MethodDescriptor]) -> Self {
        Self {
            name,
            methods,
            version: None,
            fingerprint: None,
            descriptors: None,
            doc: "",
        }
    }

    /// Sets the version.
    #[must_use]
    pub const fn version(mut self, version: &'static str) -> Self {
        self.version = Some(version);
        self
    }

    /// Sets the fingerprint, which is otherwise made of the methods.
    #[must_use]
    pub const fn with_fingerprint(mut self, fingerprint: u64) -> Self {
        self.fingerprint = Some(fingerprint);
        self
    }

    /// Sets what the service was generated from: a serialized `google.protobuf.FileDescriptorSet`
    /// that has its file and all that this imports.
    #[must_use]
    pub const fn with_descriptors(mut self, set: &'static [u8]) -> Self {
        self.descriptors = Some(set);
        self
    }

    /// Sets the documentation.
    #[must_use]
    pub const fn doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }

    /// Returns the full name, `package.Service`.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the methods in the order of the trait.
    pub const fn methods(&self) -> &'static [MethodDescriptor] {
        self.methods
    }

    /// Returns the version that the trait declares.
    pub const fn declared_version(&self) -> Option<&'static str> {
        self.version
    }

    /// Returns a number that differs, but for chance, where methods differ in name, kind or
    /// arguments, whatever their order; or the one that the trait declares.
    pub const fn fingerprint(&self) -> u64 {
        if let Some(fingerprint) = self.fingerprint {
            return fingerprint;
        }
        let mut sum = Hash::new().text(self.name).0;
        let mut index = 0;
        while index < self.methods.len() {
            sum = sum.wrapping_add(self.methods[index].hash());
            index += 1;
        }
        sum
    }

    /// Returns the serialized `google.protobuf.FileDescriptorSet` that the service was generated
    /// from; `None` for one that a trait declares.
    pub const fn descriptors(&self) -> Option<&'static [u8]> {
        self.descriptors
    }

    /// Returns the latest revision that a method names with `since`.
    pub fn revision(&self) -> Option<&'static str> {
        let revisions = self.methods.iter().filter_map(MethodDescriptor::added_in);
        revisions.max_by(|left, right| compare_revisions(left, right))
    }

    /// Returns the documentation.
    pub const fn documentation(&self) -> &'static str {
        self.doc
    }

    /// Returns the handle of the method with this name on the wire.
    ///
    /// # Panics
    ///
    /// Panics if there is none. Generated code calls this in constants, where a panic is an error
    /// of the compiler; [`find`](Self::find) is for names that come from elsewhere.
    pub const fn method(&'static self, name: &str) -> MethodHandle {
        let mut index = 0;
        while index < self.methods.len() {
            if is_method_of_path(self.methods[index].path, name) {
                return MethodHandle {
                    service: self,
                    index,
                };
            }
            index += 1;
        }
        panic!("the service has no method of this name")
    }

    /// Returns the handle of the method with this name, if the service has it.
    pub fn find(&'static self, name: &str) -> Option<MethodHandle> {
        let index = self.methods.iter().position(|it| it.name() == name)?;
        Some(MethodHandle {
            service: self,
            index,
        })
    }
}

impl fmt::Debug for ServiceDescriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceDescriptor")
            .field("name", &self.name)
            .field("methods", &self.methods)
            .field("version", &self.version)
            .field("fingerprint", &self.fingerprint)
            .field("doc", &self.doc)
            .finish_non_exhaustive()
    }
}

/// Says whether `path` ends in a slash and `name`; lengths first, because it runs in constants.
const fn is_method_of_path(path: &str, name: &str) -> bool {
    let (path, name) = (path.as_bytes(), name.as_bytes());
    if path.len() <= name.len() {
        return false;
    }
    let start = path.len() - name.len();
    if path[start - 1] != b'/' {
        return false;
    }
    let mut at = 0;
    while at < name.len() {
        if path[start + at] != name[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// A method of a described service; cheap to copy and to compare.
#[derive(Clone, Copy)]
pub struct MethodHandle {
    service: &'static ServiceDescriptor,
    index: usize,
}

impl MethodHandle {
    /// Returns the service.
    pub const fn service(self) -> &'static ServiceDescriptor {
        self.service
    }

    /// Returns the method's place in the service's list.
    pub const fn index(self) -> usize {
        self.index
    }

    /// Returns the method's description.
    pub const fn descriptor(self) -> &'static MethodDescriptor {
        // A handle is made only from an index that was found in this list.
        &self.service.methods[self.index]
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

    const METHODS: &[MethodDescriptor] = &[
        MethodDescriptor::new("m.M/add", MethodKind::Unary, &["a", "b"]).idempotent(),
        MethodDescriptor::new("m.M/dd", MethodKind::Bidirectional, &[]).read_only(),
    ];
    static SERVICE: ServiceDescriptor = ServiceDescriptor::new("m.M", METHODS).version("v1");

    #[test]
    fn a_method_is_found_in_a_constant_by_its_whole_name() {
        const DD: MethodHandle = SERVICE.method("dd");
        assert_eq!(DD.index(), 1);
        assert_eq!(DD.descriptor().name(), "dd");
        assert!(DD.descriptor().is_idempotent() && DD.descriptor().is_read_only());
        assert!(SERVICE.find("d").is_none());
    }

    #[test]
    fn a_path_splits_at_its_last_slash() {
        let method = Method::named("a.B/c");
        assert_eq!((method.service(), method.name()), ("a.B", "c"));
        let function = Method::named("hello");
        assert_eq!((function.service(), function.name()), ("", "hello"));
        assert!(function.descriptor().is_none());
    }
}
