//! Callers that are known by a token, as two layers: one on each side.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use rpc_runtime::{BoxService, Channel, Identity, Layer, Service, Status, from_fn};

/// The token that the examples use. A real server reads its own from a file or a key store.
pub const USER_TOKEN: &str = "example-token";

/// Makes a layer for the server that refuses every call without the token, and tells the handlers
/// behind it who called.
pub fn token_required(
    token: &'static str,
) -> impl Layer<BoxService, Service: Service> + Send + 'static {
    from_fn(move |mut request, next| async move {
        match bearer_token(request.metadata()) {
            None => return Err(Status::unauthenticated("this call needs a bearer token")),
            Some(given) if given != token => {
                return Err(Status::unauthenticated(
                    "the bearer token is not a known one",
                ));
            }
            Some(_) => {}
        }
        request.extensions_mut().insert(Identity::new("example"));
        next.call(request).await
    })
}

/// Returns the channel with the token in every call.
///
/// # Errors
///
/// A token that cannot be metadata.
pub fn with_token(channel: Channel, token: &str) -> Result<Channel, Status> {
    let value = HeaderValue::try_from(format!("Bearer {token}"))
        .map_err(|error| Status::invalid_argument("the token is no metadata").with_source(error))?;
    Ok(channel.layer(from_fn(move |mut request, next| {
        request.metadata_mut().insert(AUTHORIZATION, value.clone());
        async move { next.call(request).await }
    })))
}

fn bearer_token(metadata: &HeaderMap) -> Option<&str> {
    let value = metadata.get(AUTHORIZATION)?.to_str().ok()?;
    value.strip_prefix("Bearer ")
}
