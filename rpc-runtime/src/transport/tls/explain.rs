//! What went wrong with TLS, in words that say what to do.

use std::fmt;
use std::io;
use std::time::Duration;

use tokio_rustls::rustls::pki_types::UnixTime;
use tokio_rustls::rustls::{AlertDescription, CertificateError, Error as RustlsError};

/// Which side of the connection we are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    Client,
    Server,
}

impl Side {
    fn other(self) -> &'static str {
        match self {
            Self::Client => "server",
            Self::Server => "client",
        }
    }

    /// The setting that names the authorities this side trusts.
    fn roots_setting(self) -> &'static str {
        match self {
            Self::Client => "ClientTls::roots",
            Self::Server => "ServerTls::client_auth",
        }
    }
}

/// The most characters of what rustls says.
const DETAIL: usize = 200;

/// The most names of a certificate that are repeated.
const NAMES: usize = 5;

/// Says in words why TLS failed. Errors of the stream below stay as they are.
pub(super) fn explain(error: io::Error, side: Side) -> io::Error {
    let cause = error
        .get_ref()
        .and_then(|it| it.downcast_ref::<RustlsError>());
    let Some(cause) = cause else {
        return error;
    };
    let words = match cause {
        RustlsError::InvalidCertificate(reason) => certificate(reason, side),
        RustlsError::AlertReceived(alert) => received(*alert, side),
        RustlsError::NoCertificatesPresented => {
            "the client showed no certificate, and one is required".to_owned()
        }
        RustlsError::NoApplicationProtocol => format!(
            "the {} speaks TLS, but none of the wires that are accepted here",
            side.other()
        ),
        RustlsError::InvalidMessage(_) => {
            format!("the {} does not speak TLS", side.other())
        }
        RustlsError::PeerIncompatible(_) => {
            format!(
                "the {} and this side have no version or cipher in common",
                side.other()
            )
        }
        _ => "the peer broke the protocol of TLS".to_owned(),
    };
    io::Error::new(error.kind(), TlsError(with_detail(words, cause)))
}

/// Adds what rustls says, where that is more. It may repeat what a certificate holds.
fn with_detail(words: String, cause: &RustlsError) -> String {
    use CertificateError::NotValidForNameContext;
    if let RustlsError::InvalidCertificate(NotValidForNameContext { .. }) = cause {
        return words;
    }
    let detail: String = cause.to_string().chars().take(DETAIL).collect();
    format!("{words} ({})", detail.escape_debug())
}

/// What an end of the stream before the handshake has ended means.
pub(super) fn ended_early(error: io::Error, side: Side) -> io::Error {
    if error.kind() != io::ErrorKind::UnexpectedEof {
        return explain(error, side);
    }
    let other = side.other();
    let text = format!(
        "the {other} closed the connection during the TLS handshake: does it speak TLS at this port?"
    );
    io::Error::new(error.kind(), TlsError(text))
}

fn certificate(reason: &CertificateError, side: Side) -> String {
    let whose = format!("the {}'s certificate", side.other());
    match reason {
        CertificateError::Expired => format!("{whose} has expired"),
        CertificateError::ExpiredContext { time, not_after } => {
            format!("{whose} expired {} ago", between(*not_after, *time))
        }
        CertificateError::NotValidYet => format!("{whose} is not valid yet"),
        CertificateError::NotValidYetContext { time, not_before } => format!(
            "{whose} is not valid yet, only in {}: is the clock right?",
            between(*time, *not_before)
        ),
        CertificateError::UnknownIssuer => format!(
            "{whose} has an unknown issuer: add its root with `{}`",
            side.roots_setting()
        ),
        CertificateError::Revoked => format!("{whose} has been revoked"),
        CertificateError::UnknownRevocationStatus => format!(
            "{whose} has an issuer of whose revocations nothing is known: add its list with \
             `Roots::revocations_from_pem_file`"
        ),
        CertificateError::BadSignature => format!(
            "{whose} is not signed by the issuer that it names: is that another one of the same name?"
        ),
        CertificateError::NotValidForName => format!("{whose} is not valid for that name"),
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => {
            let name = expected.to_str();
            let names = names(presented);
            format!("{whose} is not valid for name `{name}`, only for {names}")
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            format!("{whose} may not be used for this side of a connection")
        }
        _ => format!("{whose} cannot be trusted"),
    }
}

/// The names that a certificate has, which its owner chose: bounded and made visible.
fn names(presented: &[String]) -> String {
    if presented.is_empty() {
        return "no name at all".to_owned();
    }
    // They come as `DnsName("example.org")`.
    let bare = |it: &String| it.split('"').nth(1).unwrap_or(it).to_owned();
    let shown = presented.iter().take(NAMES).map(bare);
    let shown = shown.map(|it| format!("`{}`", it.escape_debug()));
    let shown = shown.collect::<Vec<_>>().join(", ");
    match presented.len().saturating_sub(NAMES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn between(earlier: UnixTime, later: UnixTime) -> String {
    let seconds = later.as_secs().saturating_sub(earlier.as_secs());
    match seconds {
        0..7_200 => format!("{:?}", Duration::from_secs(seconds)),
        7_200..172_800 => format!("{} hours", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// What the other side told us before it gave up.
fn received(alert: AlertDescription, side: Side) -> String {
    let (other, this) = match side {
        Side::Client => ("server", "client"),
        Side::Server => ("client", "server"),
    };
    match alert {
        AlertDescription::CertificateRequired => {
            "the server requires a certificate of the client: set `ClientTls::certificate`".into()
        }
        AlertDescription::UnknownCA => {
            format!("the {other} does not know the issuer of this {this}'s certificate")
        }
        AlertDescription::CertificateExpired => {
            format!("the {other} says that this {this}'s certificate has expired")
        }
        AlertDescription::CertificateRevoked => {
            format!("the {other} says that this {this}'s certificate has been revoked")
        }
        AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnsupportedCertificate => {
            format!("the {other} does not accept this {this}'s certificate")
        }
        AlertDescription::DecryptError => {
            format!(
                "the {other} could not verify a signature, such as that on this {this}'s certificate"
            )
        }
        AlertDescription::NoApplicationProtocol => {
            format!("the {other} speaks TLS, but not this wire")
        }
        AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure => {
            format!(
                "the {other} has no version or cipher of TLS in common with this {this}, or wants a certificate"
            )
        }
        AlertDescription::UnrecognisedName => {
            format!("the {other} does not know the name it was asked for")
        }
        _ => format!("the {other} ended the connection with an alert"),
    }
}

/// Why TLS failed, in words. It has no source, as users are shown the root of a chain.
#[derive(Debug)]
pub(super) struct TlsError(pub(super) String);

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TlsError {}
