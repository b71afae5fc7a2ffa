//! Layers that prove who calls: bearer tokens, and signatures (feature `hmac`).
//!
//! The server's layer puts an [`Identity`](crate::Identity) into the request's extensions, where a
//! handler finds it as [`Context::identity`](crate::Context::identity). A call that is refused
//! fails with [`Code::Unauthenticated`](crate::Code::Unauthenticated); what a caller sees never
//! repeats what it sent.

mod bearer;
#[cfg(feature = "hmac")]
mod hmac;
mod secret_map;

pub use bearer::{BearerAuth, BearerAuthService, BearerToken, BearerTokenService};
#[cfg(feature = "hmac")]
pub use hmac::{HmacAuth, HmacAuthService, HmacKey, HmacSigner, HmacSignerService};
