//! Certificates, keys and roots, from files or from text.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{
    CertificateDer, CertificateRevocationListDer, PrivateKeyDer,
};

use crate::error::Error;

/// Where PEM text comes from.
#[derive(Clone)]
enum Source {
    File(PathBuf),
    Text(Arc<[u8]>),
}

impl Source {
    fn read(&self) -> Result<Cow<'_, [u8]>, Error> {
        match self {
            Self::File(path) => {
                let read = std::fs::read(path).map(Cow::Owned);
                read.map_err(|error| Error::new(format!("cannot read {self}"), error))
            }
            Self::Text(text) => Ok(Cow::Borrowed(text)),
        }
    }

    /// Reads every certificate; there is at least one.
    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, Error> {
        let text = self.read()?;
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        let certificates = certificates.map_err(|error| self.malformed(error))?;
        if certificates.is_empty() {
            return Err(Error::message(format!(
                "{self} has no `-----BEGIN CERTIFICATE-----` in it"
            )));
        }
        Ok(certificates)
    }

    /// Reads every list of revoked certificates; there is at least one.
    fn revocations(&self) -> Result<Vec<CertificateRevocationListDer<'static>>, Error> {
        let text = self.read()?;
        let lists: Result<Vec<_>, _> =
            CertificateRevocationListDer::pem_slice_iter(&text).collect();
        let lists = lists.map_err(|error| self.malformed(error))?;
        if lists.is_empty() {
            return Err(Error::message(format!(
                "{self} has no `-----BEGIN X509 CRL-----` in it"
            )));
        }
        Ok(lists)
    }

    fn private_key(&self) -> Result<PrivateKeyDer<'static>, Error> {
        PrivateKeyDer::from_pem_slice(&self.read()?).map_err(|error| match error {
            pem::Error::NoItemsFound => Error::message(format!(
                "{self} has no `-----BEGIN PRIVATE KEY-----` in it (keys that need a password \
                 cannot be read)"
            )),
            other => self.malformed(other),
        })
    }

    fn malformed(&self, error: pem::Error) -> Error {
        // Its text does not repeat what is in the file: that may be a key.
        Error::new(format!("{self} is not valid PEM"), error)
    }

    fn file(&self) -> Option<PathBuf> {
        match self {
            Self::File(path) => Some(path.clone()),
            Self::Text(_) => None,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "`{}`", path.display()),
            Self::Text(_) => f.write_str("the PEM text that was given"),
        }
    }
}

/// A chain of certificates with the private key of the first: what one side shows to prove who it is.
///
/// Nothing is read before it is needed. Files are looked at again later, at most once a second, and
/// read again when they have changed: a certificate is renewed by writing its files. Files that
/// cannot be used then are named in the log, and what was read before stays in use.
#[derive(Clone)]
pub struct Certificate {
    chain: Source,
    key: Source,
}

impl Certificate {
    /// Takes both from PEM files: the certificate first and after it those of its issuers, without the
    /// root; the key in PKCS #8, PKCS #1 or SEC1, without a password. Both may be one file.
    pub fn from_pem_files(chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self {
            chain: Source::File(chain.into()),
            key: Source::File(key.into()),
        }
    }

    /// Takes both from PEM text, as [`from_pem_files`](Self::from_pem_files) takes them from files.
    pub fn from_pem(chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        Self {
            chain: Source::Text(chain.as_ref().into()),
            key: Source::Text(key.as_ref().into()),
        }
    }

    pub(super) fn read(
        &self,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Error> {
        Ok((self.chain.certificates()?, self.key.private_key()?))
    }

    pub(super) fn files(&self) -> impl Iterator<Item = PathBuf> {
        [self.chain.file(), self.key.file()].into_iter().flatten()
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the certificate in {} with the key in {}",
            self.chain, self.key
        )
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The authorities whose certificates are believed, but for those that they have
/// [revoked](Self::revocations_from_pem_file).
///
/// Files are read when they are needed, and again when they have changed, as those of a
/// [`Certificate`]. The system's are read once for each client or server.
#[derive(Clone)]
pub struct Roots {
    sources: Vec<Source>,
    system: bool,
    revocations: Vec<Source>,
}

impl Roots {
    /// Trusts what the system trusts: on Linux the files of the package `ca-certificates`, elsewhere the
    /// system's store. The variables `SSL_CERT_FILE` and `SSL_CERT_DIR` name other places.
    pub fn system() -> Self {
        Self {
            sources: Vec::new(),
            system: true,
            revocations: Vec::new(),
        }
    }

    /// Trusts the certificates in a PEM file, and nobody else.
    pub fn from_pem_file(path: impl Into<PathBuf>) -> Self {
        Self {
            sources: vec![Source::File(path.into())],
            system: false,
            revocations: Vec::new(),
        }
    }

    /// Trusts the certificates in PEM text, and nobody else.
    pub fn from_pem(text: impl AsRef<[u8]>) -> Self {
        Self {
            sources: vec![Source::Text(text.as_ref().into())],
            system: false,
            revocations: Vec::new(),
        }
    }

    /// Trusts these as well.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.sources.extend(others.sources);
        self.system |= others.system;
        self.revocations.extend(others.revocations);
        self
    }

    /// Believes no certificate that is in a list of revoked ones (RFC 5280, section 5), which are read
    /// from a PEM file. May be called for several files.
    ///
    /// From then on every certificate that is shown must have a list of its issuer, and those of the
    /// issuers between it and a root as well: one of whose revocation nothing is known is refused. A
    /// list that says it should have been renewed is used all the same.
    #[must_use]
    pub fn revocations_from_pem_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.revocations.push(Source::File(path.into()));
        self
    }

    /// Takes such lists from PEM text: see
    /// [`revocations_from_pem_file`](Self::revocations_from_pem_file).
    #[must_use]
    pub fn revocations_from_pem(mut self, text: impl AsRef<[u8]>) -> Self {
        self.revocations.push(Source::Text(text.as_ref().into()));
        self
    }

    pub(super) fn read_revocations(
        &self,
    ) -> Result<Vec<CertificateRevocationListDer<'static>>, Error> {
        let mut lists = Vec::new();
        for source in &self.revocations {
            lists.extend(source.revocations()?);
        }
        Ok(lists)
    }

    pub(super) fn read(&self) -> Result<RootCertStore, Error> {
        let mut store = RootCertStore::empty();
        for source in &self.sources {
            for certificate in source.certificates()? {
                let added = store.add(certificate);
                added.map_err(|error| {
                    Error::new(format!("{source} has a root that cannot be used"), error)
                })?;
            }
        }
        if self.system {
            add_system_roots(&mut store)?;
        }
        Ok(store)
    }

    pub(super) fn files(&self) -> impl Iterator<Item = PathBuf> {
        let sources = self.sources.iter().chain(&self.revocations);
        sources.filter_map(Source::file)
    }
}

fn add_system_roots(store: &mut RootCertStore) -> Result<(), Error> {
    let found = rustls_native_certs::load_native_certs();
    // Systems carry roots that no verifier can use; the others count.
    let (usable, _) = store.add_parsable_certificates(found.certs);
    if usable > 0 {
        return Ok(());
    }
    let text = "this system has no root certificates: install them (Debian: `ca-certificates`), or \
                name your own with `Roots::from_pem_file`";
    Err(match found.errors.into_iter().next() {
        Some(error) => Error::new(text, error),
        None => Error::new(text, io::Error::from(io::ErrorKind::NotFound)),
    })
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sources = self.sources.iter().map(ToString::to_string);
        let system = self.system.then(|| "the system's".to_owned());
        f.debug_list().entries(sources.chain(system)).finish()
    }
}
