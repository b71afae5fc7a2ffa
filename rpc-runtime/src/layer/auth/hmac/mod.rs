//! Signed calls: the secret never travels, and a call that was recorded cannot be sent again.
//!
//! What is signed is in the documentation of [`HmacSigner`].

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
