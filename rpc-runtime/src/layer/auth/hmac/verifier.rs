//! The server's side.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use hmac::Mac;
use http::HeaderName;
use tower_layer::Layer;

use super::canonical::{Claim, SignedNames, authenticate};
use super::replay::{Replays, Use};
use super::{Clock, KEY_ID, NONCE, SIGNATURE, TIMESTAMP, hex, is_key_id, system_clock};
use crate::call::{Body, BodyFrame, Identity, MethodKind, Request, Response};
use crate::layer::auth::bearer::hide_remote;
use crate::service::{BoxFuture, Service};
use crate::status::Status;

const DEFAULT_WINDOW: Duration = Duration::from_secs(5 * 60);
const DEFAULT_MAX_NONCES: usize = 100_000;

/// A secret, and who holds it.
#[derive(Clone)]
pub struct HmacKey {
    secret: Arc<[u8]>,
    identity: Identity,
}

impl HmacKey {
    /// Makes a key. A call under an empty secret is never accepted.
    pub fn new(secret: impl AsRef<[u8]>, identity: Identity) -> Self {
        Self {
            secret: Arc::from(secret.as_ref()),
            identity,
        }
    }
}

impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HmacKey")
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

/// Lets only calls with a good signature through, and gives them the identity of their key.
///
/// Clients sign with [`HmacSigner`](super::HmacSigner), which says what is signed. A call is
/// accepted once, and only if it was signed within the [window](Self::window) before or after the
/// server's time. What was accepted is remembered by the layer, its clones of the same window and all services that
/// it is put around; not by another process, and not over a restart, so a recorded call could
/// reach each of several servers once within the window.
///
/// # Examples
///
/// ```
/// use rpc_runtime::layer::auth::{HmacAuth, HmacKey};
/// use rpc_runtime::{Identity, Router};
///
/// let auth = HmacAuth::new(|key_id: String| async move {
///     let secret = std::env::var(format!("SECRET_{key_id}")).ok();
///     Ok(secret.map(|it| HmacKey::new(it, Identity::new(key_id))))
/// });
/// let router = Router::new()
///     .function("double", |n: i64| async move { n * 2 })
///     .layer(auth.allow(["health"]));
/// ```
#[derive(Clone)]
pub struct HmacAuth {
    lookup: Arc<Lookup>,
    allowed: HashSet<Arc<str>>,
    names: SignedNames,
    window: Duration,
    max_nonces: usize,
    replays: Arc<Replays>,
    pub(super) clock: Clock,
}

enum Lookup {
    Table(HashMap<String, HmacKey>),
    Function(LookupFunction),
}

type LookupFunction =
    Box<dyn Fn(String) -> BoxFuture<'static, Result<Option<HmacKey>, Status>> + Send + Sync>;

impl HmacAuth {
    /// Makes a layer that asks a function for the key of an id; `None` if there is none.
    ///
    /// The id comes from a stranger: it is one word of at most 256 visible ASCII characters, and
    /// nothing more is known of it. What the function fails with is what the caller gets, but for
    /// the failures of other services, which stay in here unless they are
    /// [forwarded](Status::forward).
    pub fn new<F, Fut>(lookup: F) -> Self
    where
        F: Fn(String) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<HmacKey>, Status>> + Send + 'static,
    {
        Self::from_lookup(Lookup::Function(Box::new(move |key_id| {
            Box::pin(lookup(key_id))
        })))
    }

    /// Makes a layer that knows its keys by their ids.
    pub fn keys<I: Into<String>>(keys: impl IntoIterator<Item = (I, HmacKey)>) -> Self {
        let keys = keys.into_iter().map(|(id, key)| (id.into(), key));
        Self::from_lookup(Lookup::Table(keys.collect()))
    }

    fn from_lookup(lookup: Lookup) -> Self {
        Self {
            lookup: Arc::new(lookup),
            allowed: HashSet::new(),
            names: SignedNames::default(),
            window: DEFAULT_WINDOW,
            max_nonces: DEFAULT_MAX_NONCES,
            replays: Arc::default(),
            clock: system_clock,
        }
    }

    /// Sets how far the clocks of both sides may be apart, travel included; 5 minutes if it is not
    /// set. A layer remembers calls for its window, and so not together with one that has another.
    #[must_use]
    pub fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self.replays = Arc::default();
        self
    }

    /// Sets how many calls are remembered, 100,000 if it is not set: as many as come within the
    /// window. Further ones fail with
    /// [`Code::ResourceExhausted`](crate::Code::ResourceExhausted), because to forget one would be
    /// to accept it again. Each takes about 60 bytes.
    #[must_use]
    pub fn max_nonces(mut self, calls: usize) -> Self {
        self.max_nonces = calls;
        self
    }

    /// Demands that this metadata is signed too. The client must name the same with
    /// [`HmacSigner::sign_metadata`](super::HmacSigner::sign_metadata).
    #[must_use]
    pub fn sign_metadata(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.names.extend(names);
        self
    }

    /// Lets everybody call these methods, named by their whole path: `package.Service/method`, or
    /// the name of a function. A signature that they have is not looked at, so that calls of them have no
    /// identity, but for that of the client's [certificate](crate::tls::ServerTls::client_auth), which TLS has proved.
    #[must_use]
    pub fn allow<P: Into<Arc<str>>>(mut self, methods: impl IntoIterator<Item = P>) -> Self {
        self.allowed.extend(methods.into_iter().map(Into::into));
        self
    }

    async fn identify(&self, request: &mut Request) -> Result<Identity, Status> {
        let claim = Claimed::read(request)?;
        let now = (self.clock)();
        let window = u64::try_from(self.window.as_millis()).unwrap_or(u64::MAX);
        if now.abs_diff(claim.timestamp) > window {
            return Err(Status::unauthenticated(format!(
                "the call was signed more than {:?} before or after the time of this server (see \
                 `HmacAuth::window`)",
                self.window
            )));
        }
        gather(request).await?;
        let identity = self.verify(&claim, request).await?;
        // Only now: a stranger must not be able to use up nonces, or the room for them.
        let used = Use {
            key_id: &claim.key_id,
            nonce: &claim.nonce,
            expiry: claim.timestamp.saturating_add(window),
        };
        self.replays.note(&used, now, self.max_nonces)?;
        Ok(identity)
    }

    async fn verify(&self, claim: &Claimed, request: &mut Request) -> Result<Identity, Status> {
        let key = match &*self.lookup {
            Lookup::Table(keys) => keys.get(&claim.key_id).cloned(),
            Lookup::Function(lookup) => lookup(claim.key_id.clone()).await.map_err(hide_remote)?,
        };
        // A key that does not exist takes the same way, so that the time tells no ids.
        let secret = key.as_ref().map_or(&[][..], |it| &*it.secret);
        let mac = authenticate(secret, &claim.as_claim(), request, &self.names).await?;
        let is_good = mac.verify_slice(&claim.signature).is_ok();
        match key {
            Some(key) if is_good && !key.secret.is_empty() => Ok(key.identity),
            _ => Err(Status::unauthenticated(
                "the signature was refused: the key id is unknown, or the secret, the call or the \
                 signed metadata are not those of the signer",
            )),
        }
    }
}

/// The four pieces of metadata, well formed and nothing more.
struct Claimed {
    key_id: String,
    timestamp: u64,
    nonce: [u8; 16],
    signature: [u8; 32],
}

impl Claimed {
    fn read(request: &Request) -> Result<Self, Status> {
        Ok(Self {
            key_id: field(request, KEY_ID, "one word of visible ASCII", |text| {
                is_key_id(text).then(|| text.to_owned())
            })?,
            timestamp: field(request, TIMESTAMP, "milliseconds since 1970", |text| {
                text.parse().ok()
            })?,
            nonce: field(request, NONCE, "32 hexadecimal digits", hex::decode)?,
            signature: field(request, SIGNATURE, "64 hexadecimal digits", hex::decode)?,
        })
    }

    fn as_claim(&self) -> Claim<'_> {
        Claim {
            key_id: &self.key_id,
            timestamp: self.timestamp,
            nonce: self.nonce,
        }
    }
}

/// Reads one piece of metadata. What is wrong is said without repeating what came.
fn field<T>(
    request: &Request,
    name: &'static str,
    expected: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, Status> {
    let mut values = request.metadata().get_all(name).iter();
    let Some(value) = values.next() else {
        return Err(Status::unauthenticated(format!(
            "the call is not signed: it has no metadata `{name}`"
        )));
    };
    let parsed = value.to_str().ok().and_then(parse);
    parsed.filter(|_| values.next().is_none()).ok_or_else(|| {
        Status::unauthenticated(format!(
            "the metadata `{name}` must be {expected}, and be there once"
        ))
    })
}

/// Reads the one message of a method that takes one, where the wire delivers it as a stream:
/// signers see it as a message, so it must be one here.
async fn gather(request: &mut Request) -> Result<(), Status> {
    let kind = request.method().descriptor().map(|it| it.kind());
    if !request.body().is_stream() || kind.is_none_or(MethodKind::is_upload) {
        return Ok(());
    }
    let mut body = request.take_body();
    let mut only = None;
    while let Some(frame) = body.frame().await {
        if let BodyFrame::Message(message) = frame?
            && only.replace(message).is_some()
        {
            return Err(Status::invalid_argument(format!(
                "`{}` takes one message, not a stream",
                request.method().path()
            )));
        }
    }
    request.set_body(only.map_or_else(Body::empty, Body::message));
    Ok(())
}

impl fmt::Debug for HmacAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("HmacAuth");
        if let Lookup::Table(keys) = &*self.lookup {
            debug.field("keys", keys);
        }
        debug
            .field("allowed", &self.allowed)
            .field("signed_metadata", &self.names)
            .field("window", &self.window)
            .field("max_nonces", &self.max_nonces)
            .finish_non_exhaustive()
    }
}

impl<S> Layer<S> for HmacAuth {
    type Service = HmacAuthService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        HmacAuthService {
            inner,
            auth: self.clone(),
        }
    }
}

/// The service that [`HmacAuth`] makes.
#[derive(Clone, Debug)]
pub struct HmacAuthService<S> {
    inner: S,
    auth: HmacAuth,
}

impl<S: Service> Service for HmacAuthService<S> {
    async fn call(&self, mut request: Request) -> Result<Response, Status> {
        // An identity that somebody in front found is not one that this layer vouches for.
        request.extensions_mut().remove::<Identity>();
        if !self.auth.allowed.contains(request.method().path()) {
            let identity = self.auth.identify(&mut request).await?;
            request.extensions_mut().insert(identity);
        }
        self.inner.call(request).await
    }
}
