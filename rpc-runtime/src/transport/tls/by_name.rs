//! Which certificate a client is shown, by the name that it asks for.

use std::fmt;
use std::sync::Arc;

use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

use super::pem::Certificate;
use super::provider;
use crate::error::Error;

/// The certificates of a server.
pub(super) struct ByName {
    default: Arc<CertifiedKey>,
    named: Vec<(String, Arc<CertifiedKey>)>,
}

impl ByName {
    pub(super) fn read(
        default: &Certificate,
        named: &[(String, Certificate)],
    ) -> Result<Self, Error> {
        let named = named
            .iter()
            .map(|(name, it)| Ok((name.clone(), certified(it)?)));
        Ok(Self {
            default: certified(default)?,
            named: named.collect::<Result<_, Error>>()?,
        })
    }

    /// Finds the certificate for a name; one for exactly this name goes before one with a star.
    fn find(&self, asked: &str) -> &Arc<CertifiedKey> {
        let parent = asked.split_once('.').map(|(_, parent)| parent);
        let is_exact = |name: &str| name.eq_ignore_ascii_case(asked);
        let is_wildcard = |name: &str| match (name.strip_prefix("*."), parent) {
            (Some(name), Some(parent)) => name.eq_ignore_ascii_case(parent),
            _ => false,
        };
        let mut named = self.named.iter();
        let exact = named.find(|(name, _)| is_exact(name));
        let mut named = self.named.iter();
        let found = exact.or_else(|| named.find(|(name, _)| is_wildcard(name)));
        found.map_or(&self.default, |(_, certificate)| certificate)
    }
}

fn certified(certificate: &Certificate) -> Result<Arc<CertifiedKey>, Error> {
    let (chain, key) = certificate.read()?;
    let certified = CertifiedKey::from_der(chain, key, &provider());
    let certified =
        certified.map_err(|error| Error::new(format!("cannot use {certificate}"), error));
    certified.map(Arc::new)
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let asked = client_hello.server_name().unwrap_or_default();
        Some(Arc::clone(self.find(asked)))
    }
}

impl fmt::Debug for ByName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByName")
    }
}
