//! TLS, for the URLs that ask for it.

use std::sync::{Arc, Mutex, PoisonError};

use super::endpoint::Destination;
use crate::status::{Phase, Status};
use crate::transport::Address;
use crate::transport::tls::{ClientTls, Connector};

/// The names of wires in ALPN.
type Protocols = Vec<Vec<u8>>;

/// How TLS is spoken to all servers of a channel.
pub(super) struct Securing {
    /// How the user set it, if at all.
    tls: Option<ClientTls>,
    /// What speaks it: servers share it, as each has read all roots.
    connectors: Mutex<Vec<(Protocols, Arc<Connector>)>>,
}

impl Securing {
    pub(super) fn new(tls: Option<ClientTls>) -> Self {
        Self {
            tls,
            connectors: Mutex::default(),
        }
    }

    /// Gives every URL of TLS what is needed to speak it.
    ///
    /// # Errors
    ///
    /// A URL that would be spoken to in plaintext against the user's word, or no URL that TLS is for.
    pub(super) fn secured(
        &self,
        destinations: Vec<Destination>,
    ) -> Result<Vec<Destination>, Status> {
        if self.tls.is_some() {
            check_all(&destinations)?;
        }
        let secured = destinations.into_iter().map(|it| match it {
            Destination::Address {
                wire,
                address: Address::Tls { host, port },
            } => Ok(Destination::Tls {
                connector: self.connector(wire.alpn())?,
                wire,
                host,
                port,
            }),
            other => Ok(other),
        });
        secured.collect()
    }

    fn connector(&self, protocols: Protocols) -> Result<Arc<Connector>, Status> {
        let connectors = self.connectors.lock();
        let mut connectors = connectors.unwrap_or_else(PoisonError::into_inner);
        if let Some((_, connector)) = connectors.iter().find(|(it, _)| *it == protocols) {
            return Ok(Arc::clone(connector));
        }
        let tls = self.tls.clone().unwrap_or_default();
        let connector = Connector::new(tls, protocols.clone());
        let connector = connector.map_err(|error| {
            refuse("TLS cannot be spoken like this".to_owned()).with_source(error)
        })?;
        let connector = Arc::new(connector);
        connectors.push((protocols, Arc::clone(&connector)));
        Ok(connector)
    }
}

/// Says what is wrong with URLs of a channel for which TLS is set.
fn check_all(destinations: &[Destination]) -> Result<(), Status> {
    let addresses = || {
        destinations.iter().filter_map(|it| match it {
            Destination::Address { address, .. } => Some((it, address)),
            _ => None,
        })
    };
    let is_plain = |(_, address): &(_, &Address)| matches!(address, Address::Tcp { .. });
    if let Some((plain, _)) = addresses().find(is_plain) {
        let text =
            "`tls` is set, but this URL is plaintext (write `tls://`, `grpcs://` or `wss://`): ";
        return Err(refuse(format!("{text}{plain}")));
    }
    if !addresses().any(|(_, address)| matches!(address, Address::Tls { .. })) {
        let text = "`tls` is set, but there is no `tls://` URL to connect to";
        return Err(refuse(text.to_owned()));
    }
    Ok(())
}

fn refuse(text: String) -> Status {
    Status::invalid_argument(text).in_phase(Phase::Connect)
}

#[cfg(test)]
mod tests {
    use super::super::target::parse_url;
    use super::*;

    #[test]
    fn servers_share_what_speaks_tls_to_them() {
        let securing = Securing::new(None);
        let connector = |url: &str| {
            let secured = securing.secured(vec![parse_url(url).unwrap()]);
            match secured.unwrap().pop() {
                Some(Destination::Tls { connector, .. }) => connector,
                other => panic!("{other:?}"),
            }
        };
        let first = connector("tls://a.test:1");
        assert!(Arc::ptr_eq(&first, &connector("tls://b.test:2")));
        #[cfg(feature = "http")]
        assert!(!Arc::ptr_eq(&first, &connector("grpcs://a.test:1")));
    }
}
