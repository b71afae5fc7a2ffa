//! Which form of a service a side was built with: [`Schema`].

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use super::service_descriptor::{MethodHandle, ServiceDescriptor};

/// The longest revision that is read from a peer.
const MAX_REVISION: usize = 32;

/// The form of a service that a side was built with, for comparing the two sides of a call.
///
/// # Examples
///
/// ```
/// use rpc_runtime::{RpcClient, rpc_service};
/// use rpc_runtime::call::Schema;
///
/// #[rpc_service(name = "greeting.v1.Greeter")]
/// trait Greeter {
///     async fn greet(&self, name: String) -> String;
///     #[rpc(since = "1.1")]
///     async fn part(&self, name: String) -> String;
/// }
///
/// assert_eq!(Schema::of(GreeterClient::SERVICE).to_string(), "revision 1.1");
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Schema {
    fingerprint: u64,
    revision: Option<Cow<'static, str>>,
}

impl Schema {
    /// Returns the form of a service that this side knows.
    pub fn of(service: &'static ServiceDescriptor) -> Self {
        // No peer would read a longer one.
        let revision = service.revision().filter(|it| it.len() <= MAX_REVISION);
        Self {
            fingerprint: service.fingerprint(),
            revision: revision.map(Cow::Borrowed),
        }
    }

    /// Makes what a peer told; the revision may be empty.
    pub(crate) fn from_peer(fingerprint: u64, revision: &str) -> Option<Self> {
        // It is shown to people, so it is nothing else than what `since` can be.
        let is_allowed = |byte: u8| byte.is_ascii_digit() || byte == b'.';
        if revision.len() > MAX_REVISION || !revision.bytes().all(is_allowed) {
            return None;
        }
        let revision = (!revision.is_empty()).then(|| Cow::Owned(revision.to_owned()));
        Some(Self {
            fingerprint,
            revision,
        })
    }

    /// Returns a number that differs, but for chance, where methods differ in name, kind or
    /// arguments, or what the option `fingerprint` of the service says.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Returns the latest revision that a method of the service names with `since`.
    pub fn revision(&self) -> Option<&str> {
        self.revision.as_deref()
    }

    /// Returns whether a method that came with a revision may be missing here.
    fn may_lack(&self, since: &str) -> bool {
        let revision = self.revision();
        revision.is_none_or(|revision| compare_revisions(revision, since).is_lt())
    }

    /// Says why a peer with this schema may not have a method, if the schemas tell.
    pub(crate) fn explain(&self, method: MethodHandle) -> Option<String> {
        let own = Self::of(method.service());
        match method.descriptor().added_in() {
            Some(since) if self.may_lack(since) => Some(format!(
                "the method came with revision {since}; the peer has {self}, this side {own}"
            )),
            None if self.fingerprint != own.fingerprint => {
                Some(format!("the peer has {self}, this side {own}"))
            }
            _ => None,
        }
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.revision {
            Some(revision) => write!(f, "revision {revision}"),
            None => write!(f, "a schema with the fingerprint {:016x}", self.fingerprint),
        }
    }
}

/// Compares revisions such as `1.2` and `1.10` number by number.
pub(super) fn compare_revisions(left: &str, right: &str) -> Ordering {
    // A number that is too large to read is larger than all that are not.
    let number = |part: &str| part.parse::<u64>().unwrap_or(u64::MAX);
    let numbers = |text: &str| text.split('.').map(number).collect::<Vec<_>>();
    numbers(left).cmp(&numbers(right))
}

/// The hash that fingerprints are made of, FNV-1a, as it can run in constants.
pub(super) struct Hash(pub(super) u64);

impl Hash {
    pub(super) const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Adds a text and its end.
    pub(super) const fn text(self, text: &str) -> Self {
        let (bytes, mut hash, mut at) = (text.as_bytes(), self, 0);
        while at < bytes.len() {
            hash = hash.byte(bytes[at]);
            at += 1;
        }
        hash.byte(0xff)
    }

    pub(super) const fn byte(self, byte: u8) -> Self {
        Self((self.0 ^ byte as u64).wrapping_mul(0x0000_0100_0000_01b3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{MethodDescriptor, MethodKind};

    const ADD: MethodDescriptor =
        MethodDescriptor::new("m.M/add", MethodKind::Unary, &["a", "b"]).since("1.10");
    const SUB: MethodDescriptor =
        MethodDescriptor::new("m.M/sub", MethodKind::Unary, &["a", "b"]).since("1.9");

    const fn service(methods: &'static [MethodDescriptor]) -> ServiceDescriptor {
        ServiceDescriptor::new("m.M", methods)
    }

    #[test]
    fn revisions_are_numbers() {
        assert!(compare_revisions("1.2", "1.10").is_lt());
        assert!(compare_revisions("2", "1.10").is_gt());
        assert!(compare_revisions("1", "1.0").is_lt());
        assert!(compare_revisions("1.99999999999999999999999", "1.2").is_gt());
        static SERVICE: ServiceDescriptor = service(&[ADD, SUB]);
        assert_eq!(Schema::of(&SERVICE).revision(), Some("1.10"));
        assert_eq!(service(&[]).revision(), None);
    }

    #[test]
    fn a_fingerprint_tells_methods_apart_and_not_their_order() {
        let both = service(&[ADD, SUB]).fingerprint();
        assert_eq!(both, service(&[SUB, ADD]).fingerprint());
        // Peers compare it, so it must not change by accident.
        assert_eq!(both, 0x7cbf_0436_cf9a_6dfd);
        const STREAM: MethodDescriptor =
            MethodDescriptor::new("m.M/sub", MethodKind::ServerStreaming, &["a", "b"]);
        const RENAMED: MethodDescriptor =
            MethodDescriptor::new("m.M/sub", MethodKind::Unary, &["ab"]);
        for other in [
            service(&[ADD]),
            service(&[ADD, STREAM]),
            service(&[ADD, RENAMED]),
            service(&[]),
            ServiceDescriptor::new("m.N", &[ADD, SUB]),
        ] {
            assert_ne!(both, other.fingerprint(), "{other:?}");
        }
        assert_eq!(service(&[ADD]).with_fingerprint(7).fingerprint(), 7);
    }

    #[test]
    fn what_a_peer_tells_is_a_number_with_dots() {
        assert!(Schema::from_peer(1, "1.2").is_some());
        assert_eq!(Schema::from_peer(1, "").unwrap().revision(), None);
        for bad in ["1.2\n", "v1", "é", &"1".repeat(33)] {
            assert_eq!(Schema::from_peer(1, bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_missing_method_is_explained_where_the_schemas_tell() {
        static SERVICE: ServiceDescriptor = service(&[ADD, SUB]);
        let old = Schema::from_peer(1, "1.9").unwrap();
        assert_eq!(
            old.explain(SERVICE.method("add")).unwrap(),
            "the method came with revision 1.10; the peer has revision 1.9, this side revision 1.10"
        );
        assert_eq!(old.explain(SERVICE.method("sub")), None);
        assert_eq!(Schema::of(&SERVICE).explain(SERVICE.method("add")), None);
    }
}
