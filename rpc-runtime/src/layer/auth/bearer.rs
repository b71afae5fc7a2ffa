//! Bearer tokens: whoever holds the token is who it names.

use std::collections::HashSet;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use http::HeaderValue;
use http::header::AUTHORIZATION;
use tower_layer::Layer;

use super::secret_map::SecretMap;
use crate::call::{Identity, Request, Response};
use crate::service::{BoxFuture, Service};
use crate::status::{Phase, Status};

/// Lets only calls with a good bearer token through, and gives them their identity.
///
/// The token comes in the metadata `authorization: Bearer <token>`, as in HTTP. It stays there for
/// what is behind the layer. A bearer token is a password: send it over TLS only.
///
/// # Examples
///
/// ```
/// use rpc_runtime::layer::auth::{BearerAuth, BearerToken};
/// use rpc_runtime::{Channel, Code, Identity, Router};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), rpc_runtime::Status> {
/// let router = Router::new()
///     .function("whoami", || async {
///         let context = rpc_runtime::Context::current();
///         context.and_then(|it| it.identity().map(|it| it.name().to_owned()))
///     })
///     .layer(BearerAuth::tokens([("s3cret", Identity::new("alice"))]));
/// let stranger = Channel::new(router);
/// let status = stranger.call::<_, Option<String>>("whoami", ()).await.unwrap_err();
/// assert_eq!(status.code(), Code::Unauthenticated);
///
/// let alice = stranger.layer(BearerToken::new("s3cret")?);
/// let name = alice.call::<_, Option<String>>("whoami", ()).await?;
/// assert_eq!(name.as_deref(), Some("alice"));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct BearerAuth {
    check: Arc<Check>,
    allowed: HashSet<Arc<str>>,
}

enum Check {
    Table(SecretMap<Identity>),
    Function(CheckFunction),
}

type CheckFunction =
    Box<dyn Fn(String) -> BoxFuture<'static, Result<Identity, Status>> + Send + Sync>;

impl BearerAuth {
    /// Makes a layer that asks a function whose a token is.
    ///
    /// What the function fails with is what the caller gets: usually
    /// [`Status::unauthenticated`] for a token that is wrong and [`Status::unavailable`] where
    /// that cannot be found out. The failure of another service that it asked stays in here, as
    /// with a handler, unless it is [forwarded](Status::forward).
    pub fn new<F, Fut>(check: F) -> Self
    where
        F: Fn(String) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Identity, Status>> + Send + 'static,
    {
        Self::from_check(Check::Function(Box::new(move |token| {
            Box::pin(check(token))
        })))
    }

    /// Makes a layer that knows its tokens. How long a look-up takes says nothing about them.
    ///
    /// An empty token is never accepted. Of a token that is given twice, the last identity counts.
    pub fn tokens<T: Into<String>>(tokens: impl IntoIterator<Item = (T, Identity)>) -> Self {
        let tokens = tokens.into_iter().map(|(token, it)| (token.into(), it));
        Self::from_check(Check::Table(SecretMap::new(tokens)))
    }

    fn from_check(check: Check) -> Self {
        Self {
            check: Arc::new(check),
            allowed: HashSet::new(),
        }
    }

    /// Lets everybody call these methods, named by their whole path: `package.Service/method`, or
    /// the name of a function. A token that they carry is not looked at, so that calls of them have no
    /// identity, but for that of the client's [certificate](crate::tls::ServerTls::client_auth), which TLS has proved.
    #[must_use]
    pub fn allow<P: Into<Arc<str>>>(mut self, methods: impl IntoIterator<Item = P>) -> Self {
        self.allowed.extend(methods.into_iter().map(Into::into));
        self
    }

    async fn identify(&self, request: &Request) -> Result<Identity, Status> {
        let token = token_of(request)?;
        match &*self.check {
            Check::Table(tokens) => {
                let identity = tokens.get(token).cloned();
                identity.ok_or_else(|| Status::unauthenticated("the bearer token was refused"))
            }
            Check::Function(check) => check(token.to_owned()).await.map_err(hide_remote),
        }
    }
}

/// Reads the token. What is wrong with it is said without repeating any of it.
fn token_of(request: &Request) -> Result<&str, Status> {
    let mut values = request.metadata().get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Err(Status::unauthenticated(
            "the call has no metadata `authorization`, this server expects `Bearer <token>`",
        ));
    };
    if values.next().is_some() {
        return Err(Status::unauthenticated(
            "the call has the metadata `authorization` more than once",
        ));
    }
    let token = value.to_str().ok().and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        let token = token.trim_matches(' ');
        (scheme.eq_ignore_ascii_case("bearer") && is_token(token)).then_some(token)
    });
    token.ok_or_else(|| {
        Status::unauthenticated("the metadata `authorization` is not `Bearer <token>`")
    })
}

/// One word of visible ASCII: a superset of RFC 6750's `b64token`, since people choose tokens.
fn is_token(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The status of another service is not for the caller of this one.
pub(super) fn hide_remote(status: Status) -> Status {
    if status.is_remote() && !status.is_forwarded() {
        return Status::internal("the caller's credentials could not be checked")
            .with_source(status);
    }
    status
}

impl fmt::Debug for BearerAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("BearerAuth");
        if let Check::Table(tokens) = &*self.check {
            debug.field("tokens", &tokens.len());
        }
        debug
            .field("allowed", &self.allowed)
            .finish_non_exhaustive()
    }
}

impl<S> Layer<S> for BearerAuth {
    type Service = BearerAuthService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        BearerAuthService {
            inner,
            auth: self.clone(),
        }
    }
}

/// The service that [`BearerAuth`] makes.
#[derive(Clone, Debug)]
pub struct BearerAuthService<S> {
    inner: S,
    auth: BearerAuth,
}

impl<S: Service> Service for BearerAuthService<S> {
    async fn call(&self, mut request: Request) -> Result<Response, Status> {
        // An identity that somebody in front found is not one that this layer vouches for.
        request.extensions_mut().remove::<Identity>();
        if !self.auth.allowed.contains(request.method().path()) {
            let identity = self.auth.identify(&request).await?;
            request.extensions_mut().insert(identity);
        }
        self.inner.call(request).await
    }
}

/// Sends a bearer token with each call that has no `authorization` metadata of its own.
///
/// # Examples
///
/// ```
/// # use rpc_runtime::{Channel, layer::auth::BearerToken};
/// # fn f(channel: Channel) -> Result<Channel, rpc_runtime::Status> {
/// let channel = channel.layer(BearerToken::new("s3cret")?);
/// # Ok(channel) }
/// ```
#[derive(Clone)]
pub struct BearerToken(HeaderValue);

impl BearerToken {
    /// Makes the layer.
    ///
    /// # Errors
    ///
    /// [`Code::InvalidArgument`](crate::Code::InvalidArgument) if the token is not one word of
    /// visible ASCII. A token that was read from a file often ends in a line feed.
    pub fn new(token: impl AsRef<str>) -> Result<Self, Status> {
        let token = token.as_ref();
        let value = HeaderValue::try_from(format!("Bearer {token}")).ok();
        match value.filter(|_| is_token(token)) {
            Some(mut value) => {
                value.set_sensitive(true);
                Ok(Self(value))
            }
            None => Err(Status::invalid_argument(
                "a bearer token must be one word of visible ASCII, without spaces and line feeds",
            )),
        }
    }
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerToken")
    }
}

impl<S> Layer<S> for BearerToken {
    type Service = BearerTokenService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        BearerTokenService {
            inner,
            token: self.clone(),
        }
    }
}

/// The service that [`BearerToken`] makes.
#[derive(Clone, Debug)]
pub struct BearerTokenService<S> {
    inner: S,
    token: BearerToken,
}

impl<S: Service> Service for BearerTokenService<S> {
    async fn call(&self, mut request: Request) -> Result<Response, Status> {
        let metadata = request.metadata_mut();
        if !metadata.contains_key(AUTHORIZATION) {
            let inserted = metadata.try_insert(AUTHORIZATION, self.token.0.clone());
            inserted.map_err(too_much_metadata)?;
        }
        self.inner.call(request).await
    }

    fn keeps_deadlines(&self) -> bool {
        self.inner.keeps_deadlines()
    }
}

pub(super) fn too_much_metadata(error: http::header::MaxSizeReached) -> Status {
    Status::invalid_argument("there is too much metadata")
        .with_source(error)
        .in_phase(Phase::Send)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::call::{Body, Method};
    use crate::service::{BoxService, service_fn};
    use crate::status::Code;

    fn request(authorization: &[&'static str]) -> Request {
        let mut request = Request::new(Method::named("m.M/x"), Body::empty());
        for value in authorization {
            let value = HeaderValue::from_static(value);
            request.metadata_mut().append(AUTHORIZATION, value);
        }
        request
    }

    /// Answers with the identity that it was given.
    fn whoami(auth: BearerAuth) -> BoxService {
        let service = service_fn(|request: Request| async move {
            let mut response = Response::new(Body::empty());
            let identity = request.extensions().get::<Identity>().cloned();
            response.extensions_mut().insert(identity);
            Ok(response)
        });
        BoxService::new(service).layer(auth)
    }

    async fn name(service: &BoxService, request: Request) -> Result<Option<String>, Status> {
        let response = service.call(request).await?;
        let identity = response.extensions().get::<Option<Identity>>().cloned();
        Ok(identity.flatten().map(|it| it.name().to_owned()))
    }

    fn table() -> BearerAuth {
        BearerAuth::tokens([
            ("t0ken-a", Identity::new("alice")),
            ("t0ken-b", Identity::new("bob")),
        ])
    }

    #[tokio::test]
    async fn a_known_token_gives_its_identity() {
        let service = whoami(table());
        for (header, expected) in [
            ("Bearer t0ken-a", "alice"),
            ("bEaReR t0ken-b", "bob"),
            ("Bearer   t0ken-b", "bob"),
        ] {
            let name = name(&service, request(&[header])).await.unwrap();
            assert_eq!(name.as_deref(), Some(expected), "{header}");
        }
    }

    #[tokio::test]
    async fn each_refusal_says_why_and_repeats_nothing() {
        let service = whoami(table());
        let cases: [(&[&'static str], &str); 9] = [
            (&[], "has no metadata"),
            (&["Basic t0ken-a"], "is not `Bearer <token>`"),
            (&["Bearer"], "is not `Bearer <token>`"),
            (&["Bearer "], "is not `Bearer <token>`"),
            (&["Bearer t0ken-a t0ken-b"], "is not `Bearer <token>`"),
            (&["Bearert0ken-a"], "is not `Bearer <token>`"),
            (&["Bearer t0ken-c"], "was refused"),
            (&["Bearer t0ken-"], "was refused"),
            (&["Bearer t0ken-a", "Bearer t0ken-a"], "more than once"),
        ];
        for (headers, expected) in cases {
            let status = name(&service, request(headers)).await.unwrap_err();
            assert_eq!(status.code(), Code::Unauthenticated);
            assert!(status.message().contains(expected), "{headers:?}: {status}");
            assert!(!format!("{status} {status:?}").contains("t0ken-"));
        }
        let mut binary = request(&[]);
        let value = HeaderValue::from_bytes(b"Bearer \xff\xfe").unwrap();
        binary.metadata_mut().insert(AUTHORIZATION, value);
        let status = name(&service, binary).await.unwrap_err();
        assert!(status.message().contains("is not `Bearer <token>`"));
    }

    #[tokio::test]
    async fn allowed_methods_need_no_token_and_carry_no_identity() {
        let service = whoami(table().allow(["health.Health/check", "m.M/x"]));
        let mut forged = request(&["Bearer wrong"]);
        forged.extensions_mut().insert(Identity::new("root"));
        assert_eq!(name(&service, forged).await.unwrap(), None);
        for near_miss in ["m.M/xx", "m.M/X", "/m.M/x", "M/x", "x"] {
            let mut other = request(&[]);
            other.set_method(Method::named(near_miss));
            let status = name(&service, other).await.unwrap_err();
            assert_eq!(status.code(), Code::Unauthenticated);
        }
    }

    #[tokio::test]
    async fn a_function_decides_and_what_it_says_of_others_stays_inside() {
        let service = whoami(BearerAuth::new(|token: String| async move {
            match token.as_str() {
                "good" => Ok(Identity::new("alice")),
                "banned" => Err(Status::permission_denied("banned")),
                _ => Err(Status::not_found("row 7 of tokens").into_remote()),
            }
        }));
        let good = name(&service, request(&["Bearer good"])).await.unwrap();
        assert_eq!(good.as_deref(), Some("alice"));
        let status = name(&service, request(&["Bearer banned"])).await;
        assert_eq!(status.unwrap_err().code(), Code::PermissionDenied);
        let status = name(&service, request(&["Bearer x"])).await.unwrap_err();
        assert_eq!(status.code(), Code::Internal);
        assert!(!status.message().contains("row 7"));
    }

    #[tokio::test]
    async fn the_clients_layer_adds_a_sensitive_token_once() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let service = service_fn(move |request: Request| {
            let values: Vec<_> = request.metadata().get_all(AUTHORIZATION).iter().collect();
            log.lock()
                .unwrap()
                .extend(values.into_iter().map(|it| (it.clone(), it.is_sensitive())));
            async { Ok(Response::new(Body::empty())) }
        });
        let token = BearerToken::new("t0ken").unwrap();
        assert!(!format!("{token:?}").contains("t0ken"));
        let service = BoxService::new(service).layer(token);
        service.call(request(&[])).await.unwrap();
        service.call(request(&["Bearer own"])).await.unwrap();
        let seen = seen.lock().unwrap();
        assert_eq!(
            *seen,
            [
                (HeaderValue::from_static("Bearer t0ken"), true),
                (HeaderValue::from_static("Bearer own"), false),
            ]
        );
    }

    #[test]
    fn a_token_that_cannot_be_sent_is_refused_when_the_layer_is_made() {
        for token in ["", "two words", "t0ken\n", "t\u{f6}ken"] {
            let status = BearerToken::new(token).unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument);
            assert!(!status.message().contains("t0ken"));
        }
    }
}
