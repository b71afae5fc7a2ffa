//! The client's side.

use std::fmt;
use std::sync::Arc;

use hmac::Mac;
use http::{HeaderName, HeaderValue};
use tower_layer::Layer;

use super::canonical::{Claim, SignedNames, authenticate};
use super::nonce::Nonces;
use super::{Clock, KEY_ID, NONCE, SIGNATURE, TIMESTAMP, hex, is_key_id, system_clock};
use crate::call::{Request, Response};
use crate::layer::auth::bearer::too_much_metadata;
use crate::service::Service;
use crate::status::Status;

/// Signs each call with a secret that the server knows: see [`HmacAuth`](super::HmacAuth).
///
/// The method, the encoding, the message of the request, the time and a nonce are signed, and the
/// [named](Self::sign_metadata) metadata. A message is encoded for that, in this process too.
///
/// **Items that a caller streams are not covered** (the arguments beside them are), and neither are
/// replies and the deadline. Who can change bytes on the way can change those: signatures do not
/// replace TLS.
///
/// A signature is good once. So this layer is the first that is put on a channel: what changes a
/// request comes before it, and what sends a request again must have it signed again.
///
/// # What is signed
///
/// For clients in other languages. There are four pieces of metadata:
///
/// | name | value |
/// |---|---|
/// | `rpc-key-id` | which key signed, visible ASCII |
/// | `rpc-timestamp` | when, in milliseconds since 1970, decimal |
/// | `rpc-nonce` | 16 bytes that no other call of the key has, as 32 hexadecimal digits |
/// | `rpc-signature` | HMAC-SHA-256 under the secret, as 64 hexadecimal digits |
///
/// The signature is over these parts, each written as its length in decimal, a colon, its bytes,
/// and a line feed, so that no two lists of parts give the same bytes:
///
/// 1. `rpc-hmac-sha256-v1`,
/// 2. the key id,
/// 3. the path of the method,
/// 4. the timestamp,
/// 5. the nonce in lower case,
/// 6. the name of the encoding, empty if the call has none,
/// 7. SHA-256 of the bytes of the request's message in lower-case hexadecimal; of no bytes if it
///    has no message. If the caller streams: the word `stream`, and, if arguments beside the stream
///    have any bytes, a space and SHA-256 of those,
/// 8. for each further name that is signed, sorted: the name, the number of its values, each value.
///
/// # Examples
///
/// ```
/// use rpc_runtime::layer::auth::{HmacAuth, HmacKey, HmacSigner};
/// use rpc_runtime::{Channel, Identity, Router};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), rpc_runtime::Status> {
/// let key = HmacKey::new("a long random secret", Identity::new("billing"));
/// let router = Router::new()
///     .function("double", |n: i64| async move { n * 2 })
///     .layer(HmacAuth::keys([("key-1", key)]));
/// let channel = Channel::new(router).layer(HmacSigner::new("key-1", "a long random secret")?);
/// assert_eq!(channel.call::<_, i64>("double", (21,)).await?, 42);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct HmacSigner {
    key_id: HeaderValue,
    secret: Arc<[u8]>,
    names: SignedNames,
    /// Shared between clones, which would otherwise count through the same nonces.
    nonces: Arc<Nonces>,
    pub(super) clock: Clock,
}

impl HmacSigner {
    /// Makes the layer. The secret should be 32 random bytes or more.
    ///
    /// # Errors
    ///
    /// [`Code::InvalidArgument`](crate::Code::InvalidArgument) if the key id is not one word of at
    /// most 256 visible ASCII characters, or the secret is empty.
    pub fn new(key_id: impl AsRef<str>, secret: impl AsRef<[u8]>) -> Result<Self, Status> {
        let key_id = key_id.as_ref();
        if secret.as_ref().is_empty() {
            return Err(Status::invalid_argument(
                "the secret of an HMAC key is empty",
            ));
        }
        let value = HeaderValue::try_from(key_id).ok();
        let Some(value) = value.filter(|_| is_key_id(key_id)) else {
            return Err(Status::invalid_argument(
                "the id of an HMAC key must be one word of at most 256 visible ASCII characters",
            ));
        };
        Ok(Self {
            key_id: value,
            secret: Arc::from(secret.as_ref()),
            names: SignedNames::default(),
            nonces: Arc::new(Nonces::new()),
            clock: system_clock,
        })
    }

    /// Signs the values of this metadata too, or that there are none. The server must name the
    /// same with [`HmacAuth::sign_metadata`](super::HmacAuth::sign_metadata).
    #[must_use]
    pub fn sign_metadata(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.names.extend(names);
        self
    }

    async fn sign(&self, request: &mut Request) -> Result<(), Status> {
        let claim = Claim {
            // It was checked to be ASCII when the layer was made.
            key_id: self.key_id.to_str().unwrap_or_default(),
            timestamp: (self.clock)(),
            nonce: self.nonces.next(),
        };
        let mac = authenticate(&self.secret, &claim, request, &self.names).await?;
        let signature = hex::encode(&mac.finalize().into_bytes());
        let values = [
            (KEY_ID, self.key_id.clone()),
            (TIMESTAMP, HeaderValue::from(claim.timestamp)),
            (NONCE, digits(&hex::encode(&claim.nonce))?),
            (SIGNATURE, digits(&signature)?),
        ];
        for (name, value) in values {
            let inserted = request.metadata_mut().try_insert(name, value);
            inserted.map_err(too_much_metadata)?;
        }
        Ok(())
    }
}

fn digits(text: &str) -> Result<HeaderValue, Status> {
    HeaderValue::try_from(text)
        .map_err(|error| Status::internal("digits are not metadata").with_source(error))
}

impl fmt::Debug for HmacSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HmacSigner")
            .field("key_id", &self.key_id)
            .field("signed_metadata", &self.names)
            .finish_non_exhaustive()
    }
}

impl<S> Layer<S> for HmacSigner {
    type Service = HmacSignerService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        HmacSignerService {
            inner,
            signer: self.clone(),
        }
    }
}

/// The service that [`HmacSigner`] makes.
#[derive(Clone, Debug)]
pub struct HmacSignerService<S> {
    inner: S,
    signer: HmacSigner,
}

impl<S: Service> Service for HmacSignerService<S> {
    async fn call(&self, mut request: Request) -> Result<Response, Status> {
        self.signer.sign(&mut request).await?;
        self.inner.call(request).await
    }

    fn keeps_deadlines(&self) -> bool {
        self.inner.keeps_deadlines()
    }
}
