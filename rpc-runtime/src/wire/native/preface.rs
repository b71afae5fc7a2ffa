//! The eight bytes that each side sends first.

use crate::wire::detect::Detect;

/// Begins with a byte that is neither ASCII nor the start of any text protocol (nor of TLS), and
/// ends with CR LF SUB, so that a transport that rewrites line ends is noticed at once.
pub(crate) const MAGIC: [u8; 7] = [0xD3, b'R', b'P', b'C', 0x0D, 0x0A, 0x1A];

/// The version of the wire that this implementation speaks.
pub(crate) const VERSION: u8 = 1;

/// The name of this wire in ALPN, under TLS.
#[cfg(feature = "tls")]
pub(crate) const ALPN: &[u8] = b"rpc-native/1";

/// What this side sends before its first frame.
pub(crate) const PREFACE: [u8; 8] = [
    MAGIC[0], MAGIC[1], MAGIC[2], MAGIC[3], MAGIC[4], MAGIC[5], MAGIC[6], VERSION,
];

/// Returns whether a connection that begins with these bytes speaks any version of this wire.
pub(crate) fn detect(bytes: &[u8]) -> Detect {
    Detect::prefix(bytes, &MAGIC)
}

/// Says whether these are the first bytes of TLS: a record with a handshake or an alert in it, RFC 8446,
/// section 5.1.
pub(crate) fn is_tls(bytes: &[u8]) -> bool {
    matches!(bytes, [21 | 22] | [21 | 22, 3, ..])
}

/// Checks the version in a preface that [`detect`] accepted.
///
/// # Errors
///
/// The version that the peer asks for, where it is not ours.
pub(crate) fn version(preface: &[u8; 8]) -> Result<(), u8> {
    let [.., version] = *preface;
    match version {
        VERSION => Ok(()),
        other => Err(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prefix_of_the_magic_needs_more() {
        for length in 0..MAGIC.len() {
            assert_eq!(detect(&PREFACE[..length]), Detect::NeedMore, "{length}");
        }
        assert_eq!(detect(&MAGIC), Detect::Yes);
        assert_eq!(detect(&PREFACE), Detect::Yes);
        assert_eq!(detect(b"\xD3RPC\r\n\x1A\x63 and more"), Detect::Yes);
    }

    #[test]
    fn one_wrong_byte_is_enough() {
        for position in 0..MAGIC.len() {
            let mut bytes = PREFACE;
            bytes[position] ^= 0x20;
            assert_eq!(detect(&bytes), Detect::No, "{position}");
            assert_eq!(detect(&bytes[..=position]), Detect::No, "{position}");
        }
        assert_eq!(detect(b"GET / HTTP/1.1\r\n"), Detect::No);
        assert_eq!(detect(b"{\"jsonrpc\""), Detect::No);
        assert_eq!(detect(b"\x16\x03\x01"), Detect::No);
    }

    #[test]
    fn tls_is_known() {
        assert!(is_tls(b"\x16\x03\x01\x02\x00"));
        assert!(is_tls(b"\x15\x03\x03\0\x02\x02\x0A"));
        assert!(!is_tls(b"\x16\x02") && !is_tls(&PREFACE) && !is_tls(b""));
    }

    #[test]
    fn another_version_is_told() {
        assert_eq!(version(&PREFACE), Ok(()));
        let mut other = PREFACE;
        other[7] = 9;
        assert_eq!(version(&other), Err(9));
    }
}
