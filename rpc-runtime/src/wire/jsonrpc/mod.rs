//! JSON-RPC 2.0 (<https://www.jsonrpc.org/specification>), over any carrier of texts.
//!
//! A [`Session`] takes one JSON text and gives the text that answers it: [`envelope`] reads the
//! members of objects, a [`Dialect`] says what they mean and how answers are written,
//! [`arguments`] finds the method and what it is called with. A session knows nothing of bytes
//! before a text or behind it, so a line, a frame and the body of a request are all the same to it.
//! [`subscriptions`] are streams of items.
//! [`stream`] is a byte stream of texts, which [`framing`] tells apart.

mod arguments;
mod batch;
mod client;
mod detect;
mod dialect;
mod envelope;
mod failure;
mod framing;
#[cfg(test)]
mod progress_tests;
#[cfg(test)]
mod properties;
mod session;
mod stream;
mod subscriptions;
#[cfg(test)]
mod tests;
mod text;

pub(crate) use client::{Connection, Server};
#[cfg(feature = "http")]
pub(crate) use client::{answer_of, request};
pub(crate) use detect::{detect_lengths, detect_lines};
pub(crate) use dialect::Dialect;
#[cfg(feature = "http")]
pub(crate) use session::{Beside, Session};
pub(crate) use stream::{Dialects, serve};
#[cfg(feature = "http")]
pub(crate) use text::Text;

/// What a server is set to.
#[derive(Clone, Default, Debug)]
pub(crate) struct Settings {
    /// The service whose methods are called by their names alone.
    pub(crate) service: Option<String>,
}
