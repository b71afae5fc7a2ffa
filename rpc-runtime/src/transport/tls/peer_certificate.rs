//! What the certificate of the other side says of it.

use std::fmt;
use std::sync::Arc;

use tokio_rustls::rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

/// The certificate by which a client proved who it is.
///
/// A handler reads it with [`Context::peer_certificate`](crate::Context::peer_certificate). It was
/// checked in the handshake: it has not expired, and one of the server's roots vouches for it.
#[derive(Clone)]
pub struct PeerCertificate(Arc<Inner>);

struct Inner {
    chain: Vec<CertificateDer<'static>>,
    uris: Vec<String>,
    dns_names: Vec<String>,
    common_name: Option<String>,
}

impl PeerCertificate {
    /// Reads a chain; `None` if there is no first certificate that can be read.
    pub(super) fn new(chain: &[CertificateDer<'_>]) -> Option<Self> {
        let first = EndEntityCert::try_from(chain.first()?).ok()?;
        Some(Self(Arc::new(Inner {
            uris: first.valid_uri_names().map(str::to_owned).collect(),
            dns_names: first.valid_dns_names().map(str::to_owned).collect(),
            common_name: common_name(first.subject()),
            chain: chain.iter().map(|it| it.clone().into_owned()).collect(),
        })))
    }

    /// Returns the URIs among the alternative names, such as `spiffe://example.org/billing`.
    pub fn uris(&self) -> &[String] {
        &self.0.uris
    }

    /// Returns the DNS names among the alternative names.
    pub fn dns_names(&self) -> &[String] {
        &self.0.dns_names
    }

    /// Returns the common name of the subject, if there is exactly one and it is UTF-8.
    pub fn common_name(&self) -> Option<&str> {
        self.0.common_name.as_deref()
    }

    /// Returns the certificate in DER, for an X.509 library of your choice.
    pub fn der(&self) -> &[u8] {
        self.0.chain.first().map_or(&[], |it| it.as_ref())
    }

    /// Returns the certificates that the client sent, in DER: its own, then those of its issuers.
    pub fn chain(&self) -> impl Iterator<Item = &[u8]> {
        self.0.chain.iter().map(AsRef::as_ref)
    }

    /// Returns what the certificate calls its owner: the first URI, else the first DNS name, else
    /// `CN=` and the common name, so that none can be taken for another kind.
    pub(crate) fn name(&self) -> Option<String> {
        let common_name = || Some(format!("CN={}", self.0.common_name.as_ref()?));
        let names = self.0.uris.first().or_else(|| self.0.dns_names.first());
        names.cloned().or_else(common_name)
    }
}

impl fmt::Debug for PeerCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerCertificate")
            .field("uris", &self.0.uris)
            .field("dns_names", &self.0.dns_names)
            .field("common_name", &self.0.common_name)
            .finish_non_exhaustive()
    }
}

// Tags of DER: X.690, sections 8.9 to 8.19.
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTF8_STRING: u8 = 0x0C;
const PRINTABLE_STRING: u8 = 0x13;
const IA5_STRING: u8 = 0x16;

/// `id-at-commonName`, 2.5.4.3: RFC 5280, appendix A.1.
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];

/// Reads the one common name of a subject, which webpki hands out as it stands: the content of a
/// `Name`, RFC 5280, section 4.1.2.4.
fn common_name(mut subject: &[u8]) -> Option<String> {
    let mut found = None;
    while !subject.is_empty() {
        let mut attributes = take(&mut subject, SET)?;
        while !attributes.is_empty() {
            let mut attribute = take(&mut attributes, SEQUENCE)?;
            if take(&mut attribute, OBJECT_IDENTIFIER)? != COMMON_NAME {
                continue;
            }
            let tag = *attribute.first()?;
            if !matches!(tag, UTF8_STRING | PRINTABLE_STRING | IA5_STRING) {
                return None;
            }
            let text = str::from_utf8(take(&mut attribute, tag)?).ok()?;
            // Two of them would leave it to the reader which one counts.
            if found.replace(text.to_owned()).is_some() {
                return None;
            }
        }
    }
    found
}

/// Takes one value of this tag off the front.
fn take<'a>(bytes: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let (&[found, short], rest) = bytes.split_first_chunk::<2>()?;
    let (length, rest) = match short {
        ..=0x7F => (usize::from(short), rest),
        0x81 => {
            let (&length, rest) = rest.split_first()?;
            (usize::from(length), rest)
        }
        0x82 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        _ => return None,
    };
    let (value, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    (found == tag).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(tag: u8, text: &[u8]) -> Vec<u8> {
        let oid = [&[OBJECT_IDENTIFIER, 3][..], &COMMON_NAME].concat();
        let value = [&[tag, text.len() as u8][..], text].concat();
        let sequence = [oid, value].concat();
        let sequence = [&[SEQUENCE, sequence.len() as u8][..], &sequence].concat();
        [&[SET, sequence.len() as u8][..], &sequence].concat()
    }

    #[test]
    fn the_one_common_name_is_found_among_other_attributes() {
        // O=x
        let other = [0x31, 10, 0x30, 8, 6, 3, 0x55, 4, 10, 0x0C, 1, b'x'];
        let subject = [&other[..], &attribute(UTF8_STRING, "Ünal".as_bytes())].concat();
        assert_eq!(common_name(&subject).as_deref(), Some("Ünal"));
        assert_eq!(common_name(&other), None);
        assert_eq!(common_name(&[]), None);
    }

    #[test]
    fn two_names_or_another_alphabet_are_no_name() {
        let one = attribute(PRINTABLE_STRING, b"one");
        assert_eq!(common_name(&[one.clone(), one].concat()), None);
        assert_eq!(common_name(&attribute(0x1E, b"\0o\0n\0e")), None);
        assert_eq!(common_name(&attribute(UTF8_STRING, b"\xFF")), None);
    }

    #[test]
    fn no_bytes_panic() {
        let subject = attribute(UTF8_STRING, b"alice");
        for length in 0..subject.len() {
            assert_eq!(common_name(&subject[..length]), None, "{length}");
        }
        for position in 0..subject.len() {
            for byte in 0..=u8::MAX {
                let mut mutated = subject.clone();
                mutated[position] = byte;
                let _ = common_name(&mutated);
            }
        }
    }
}
