//! The native wire, specified in `docs/wire.md`.
//!
//! From the bytes up: [`frame`], [`field`], [`settings`] and [`preface`] read and write without
//! I/O. [`outgoing`] and [`inbox`] hold what waits in each direction, [`assembly`] a large message
//! that comes; [`reader`] takes out what came. [`connection`] is what all users of a connection
//! share, [`driver`] the task that reads and writes, [`busy_poll`] and [`give_way`] when it does, [`receive`]
//! what each frame means. [`caller`] makes our calls, [`responder`] serves the peer's, [`sender`] streams.

mod admit;
mod answer;
mod assembly;
mod busy_poll;
mod call_fields;
mod caller;
mod calls;
mod chunks;
mod connection;
mod control;
mod driver;
mod field;
mod frame;
#[cfg(test)]
mod fuzz_tests;
mod give_way;
#[cfg(test)]
mod golden_tests;
mod greeting;
mod inbox;
mod inbox_body;
mod look;
mod messages;
mod numbered;
mod open;
mod outgoing;
mod own_ids;
mod preface;
mod reader;
mod receive;
mod replies;
mod reply;
mod responder;
mod resume;
mod room;
mod schema;
mod sender;
mod settings;
mod state;
#[cfg(test)]
mod stream_tests;
mod sweep;
mod timekeeping;
mod turn;
mod varint;
mod writer;

pub(crate) use caller::Connection;
pub(crate) use connection::Role;
pub(crate) use open::{Draining, PeerService, open};
#[cfg(feature = "tls")]
pub(crate) use preface::ALPN;
pub(crate) use preface::{detect, is_tls};
