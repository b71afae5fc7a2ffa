//! The bytes that are signed, the same on both sides. [`HmacSigner`](super::HmacSigner) lists the parts.

use hmac::{Hmac, KeyInit, Mac};
use http::HeaderName;
use sha2::{Digest, Sha256};

use super::{KEY_ID, NONCE, SIGNATURE, TIMESTAMP, hex};
use crate::call::{Body, BodyFrame, Message, Request};
use crate::codec::Encoding;
use crate::status::Status;

pub(super) type HmacSha256 = Hmac<Sha256>;

const VERSION: &str = "rpc-hmac-sha256-v1";

/// What the signer says of itself beside the call.
pub(super) struct Claim<'a> {
    pub(super) key_id: &'a str,
    pub(super) timestamp: u64,
    pub(super) nonce: [u8; 16],
}

/// The names of metadata that are signed: sorted, each once.
#[derive(Clone, Default, Debug)]
pub(super) struct SignedNames(Vec<HeaderName>);

impl SignedNames {
    /// Adds names. The signature and its own metadata are signed, or cannot be, without that.
    pub(super) fn extend(&mut self, names: impl IntoIterator<Item = HeaderName>) {
        let own = [KEY_ID, TIMESTAMP, NONCE, SIGNATURE];
        let names = names.into_iter().filter(|it| !own.contains(&it.as_str()));
        self.0.extend(names);
        self.0
            .sort_by(|one, other| one.as_str().cmp(other.as_str()));
        self.0.dedup();
    }
}

/// Feeds a call to an HMAC.
pub(super) async fn authenticate(
    secret: &[u8],
    claim: &Claim<'_>,
    request: &mut Request,
    names: &SignedNames,
) -> Result<HmacSha256, Status> {
    let body = body_part(request).await?;
    let mac = HmacSha256::new_from_slice(secret)
        .map_err(|error| Status::internal("the secret cannot be used").with_source(error))?;
    let mut parts = Parts(mac);
    parts.add(VERSION);
    parts.add(claim.key_id);
    parts.add(request.method().path());
    parts.add(claim.timestamp.to_string());
    parts.add(hex::encode(&claim.nonce));
    parts.add(request.encoding().map_or("", Encoding::name));
    parts.add(body);
    for name in &names.0 {
        let values = request.metadata().get_all(name);
        parts.add(name.as_str());
        parts.add(values.iter().count().to_string());
        for value in values {
            parts.add(value.as_bytes());
        }
    }
    Ok(parts.0)
}

struct Parts(HmacSha256);

impl Parts {
    fn add(&mut self, part: impl AsRef<[u8]>) {
        let part = part.as_ref();
        self.0.update(format!("{}:", part.len()).as_bytes());
        self.0.update(part);
        self.0.update(b"\n");
    }
}

/// Hashes the message, which is encoded for that if it was not. Of a stream there are only the arguments beside it to hash.
async fn body_part(request: &mut Request) -> Result<String, Status> {
    let encoding = request.encoding();
    if request.body().is_stream() {
        return Ok(match take_head(request.body_mut()).await? {
            Some(mut head) => {
                let bytes = message_bytes(&mut head, encoding)?;
                let rest = request.take_body();
                request.set_body(rest.with_first(head));
                // Wires differ in whether one without bytes is there at all.
                if bytes.is_empty() {
                    return Ok("stream".to_owned());
                }
                format!("stream {}", hex::encode(&Sha256::digest(bytes)))
            }
            None => "stream".to_owned(),
        });
    }
    match request.body_mut().single_mut() {
        Some(message) => {
            let bytes = message_bytes(message, encoding)?;
            Ok(hex::encode(&Sha256::digest(bytes)))
        }
        None => Ok(hex::encode(&Sha256::digest([]))),
    }
}

async fn take_head(body: &mut Body) -> Result<Option<Message>, Status> {
    if !body.has_head() {
        return Ok(None);
    }
    match body.frame().await.transpose()? {
        Some(BodyFrame::Message(head)) => Ok(Some(head)),
        _ => Err(Status::invalid_argument(
            "the stream ended before the arguments beside it",
        )),
    }
}

fn message_bytes(
    message: &mut Message,
    encoding: Option<Encoding>,
) -> Result<bytes::Bytes, Status> {
    match (message.as_bytes(), encoding) {
        (Some(bytes), _) => Ok(bytes.clone()),
        (None, Some(encoding)) => message.bytes(encoding),
        (None, None) => Err(Status::internal(
            "the call has no encoding, so its message has no bytes to sign (use \
             `Request::set_encoding`)",
        )),
    }
}
