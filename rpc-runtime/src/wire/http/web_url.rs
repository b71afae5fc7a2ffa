//! The URLs of the web: <https://www.rfc-editor.org/rfc/rfc9110#section-4.2>, and RFC 6455, section 3.

use std::error::Error;
use std::fmt;

use http::uri::{Authority, PathAndQuery};

use crate::transport::Address;

/// What stands behind the scheme of a URL.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct WebUrl {
    pub(crate) is_secure: bool,
    /// Host, and port if there is one.
    pub(crate) authority: Authority,
    pub(crate) path: PathAndQuery,
}

impl WebUrl {
    /// Reads what stands behind `://`, and where to connect for it: at port 80, or 443 of what is
    /// secure, unless there is another one.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(crate) fn read(
        rest: &str,
        is_secure: bool,
    ) -> Result<(Self, Address), Box<dyn Error + Send + Sync>> {
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if path.contains('#') {
            return Err(format!("address `{rest}`: a fragment cannot be sent").into());
        }
        let slash = if path.starts_with('/') { "" } else { "/" };
        let url = Self {
            is_secure,
            authority: authority.parse()?,
            path: format!("{slash}{path}").parse()?,
        };
        let (below, usual_port) = if is_secure { ("tls", 443) } else { ("tcp", 80) };
        let port = match url.authority.port() {
            Some(_) => String::new(),
            None => format!(":{usual_port}"),
        };
        let address = format!("{below}://{authority}{port}").parse()?;
        Ok((url, address))
    }
}

impl fmt::Display for WebUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.authority.fmt(f)?;
        match self.path.as_str() {
            "/" => Ok(()),
            path => f.write_str(path),
        }
    }
}
