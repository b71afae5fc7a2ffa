//! Signed calls: the secret never travels, and a call that was recorded cannot be sent again.
//!
//! # What is signed
//!
//! The client sends four pieces of metadata:
//!
//! | name | value |
//! |---|---|
//! | `rpc-key-id` | which key signed, visible ASCII |
//! | `rpc-timestamp` | when, in milliseconds since 1970, decimal |
//! | `rpc-nonce` | 16 bytes that no other call of the key has, as 32 hexadecimal digits |
//! | `rpc-signature` | HMAC-SHA-256 under the secret, as 64 hexadecimal digits |
//!
//! The signature is over these parts, each written as its length in decimal, a colon, its bytes,
//! and a line feed, so that no two lists of parts give the same bytes:
//!
//! 1. `rpc-hmac-sha256-v1`,
//! 2. the key id,
//! 3. the path of the method,
//! 4. the timestamp,
//! 5. the nonce in lower case,
//! 6. the name of the encoding, empty if the call has none,
//! 7. SHA-256 of the bytes of the request's message in lower-case hexadecimal; of no bytes if it
//!    has no message; the word `stream` if the caller streams,
//! 8. for each further name that is signed, sorted: the name, the number of its values, each value.
//!
//! **Items that a caller streams are not covered**, and neither are replies and the deadline. Who
//! can change bytes on the way can change those: signatures do not replace TLS.

mod canonical;
mod hex;
mod nonce;
mod replay;
mod signer;
mod verifier;

pub use signer::{HmacSigner, HmacSignerService};
pub use verifier::{HmacAuth, HmacAuthService, HmacKey};

const KEY_ID: &str = "rpc-key-id";
const TIMESTAMP: &str = "rpc-timestamp";
const NONCE: &str = "rpc-nonce";
const SIGNATURE: &str = "rpc-signature";

/// The longest key id: it comes from strangers and goes to a look-up.
const MAX_KEY_ID: usize = 256;

/// Milliseconds since 1970; a field of both sides, so that tests can set the time.
type Clock = fn() -> u64;

/// The clock of the system; one that stands before 1970 counts as 1970.
fn system_clock() -> u64 {
    let since_1970 = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap_or_default();
    u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
}

fn is_key_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_KEY_ID && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests;
