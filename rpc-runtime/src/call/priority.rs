//! How much a call matters when not all can be served.

use super::method::MethodDescriptor;
use super::request::Request;

/// How much a call matters when a server, or a channel, cannot take all of them: see
/// [`AdaptiveLimit`](crate::layer::AdaptiveLimit).
///
/// The server decides. A method has one of its own where its trait says `#[rpc(priority = High)]`, or
/// its schema `option (rpc.v1.priority) = "HIGH"`; a layer of the server that is further out may set
/// another, such as by the identity of the caller. Nothing else can raise it, as all callers find their
/// own calls urgent. The caller can only lower it, with the metadata `rpc-priority: low`, on every wire that
/// carries metadata.
///
/// # Examples
///
/// ```
/// use rpc_runtime::call::Priority;
/// use rpc_runtime::layer::AdaptiveLimit;
/// use rpc_runtime::{Router, from_fn};
///
/// let router = Router::new()
///     .function("report", |year: i32| async move { year })
///     .function("pay", |cents: u32| async move { cents })
///     .layer(AdaptiveLimit::new())
///     // Put on later, so it sees calls first.
///     .layer(from_fn(|mut request, next| async move {
///         if request.method().path() == "pay" {
///             request.extensions_mut().insert(Priority::High);
///         }
///         next.call(request).await
///     }));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Priority {
    /// Can be made another time: the first to be refused.
    Low,
    /// What nobody says otherwise about.
    #[default]
    Normal,
    /// The last to be refused.
    High,
}

impl Priority {
    /// The metadata with which a caller lowers the priority of its call; the value is `low`.
    pub const METADATA: &'static str = "rpc-priority";

    /// Returns the priority of a request: what a layer set as an extension, else that of its method, or
    /// lower.
    pub fn of(request: &Request) -> Self {
        let asked = request.metadata().get(Self::METADATA);
        if asked.is_some_and(|it| it.as_bytes() == b"low") {
            return Self::Low;
        }
        let set = request.extensions().get().copied();
        set.unwrap_or_else(|| {
            let descriptor = request.method().descriptor();
            descriptor.map_or_else(Self::default, MethodDescriptor::default_priority)
        })
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::call::{Body, Method};

    #[test]
    fn a_caller_lowers_a_priority_and_cannot_raise_it() {
        let mut request = Request::new(Method::named("x"), Body::empty());
        assert_eq!(Priority::of(&request), Priority::Normal);
        for (asked, normal, high) in [
            ("high", Priority::Normal, Priority::High),
            ("", Priority::Normal, Priority::High),
            ("low", Priority::Low, Priority::Low),
        ] {
            let asked = HeaderValue::from_static(asked);
            request.metadata_mut().insert(Priority::METADATA, asked);
            request.extensions_mut().remove::<Priority>();
            assert_eq!(Priority::of(&request), normal);
            request.extensions_mut().insert(Priority::High);
            assert_eq!(Priority::of(&request), high);
        }
    }
}
