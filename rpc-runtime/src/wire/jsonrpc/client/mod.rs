//! Our calls on a byte stream of texts.

#[cfg(feature = "http")]
mod answer;
mod calls;
mod connection;
mod feeds;
pub(crate) mod request;
mod server;
mod stream;
#[cfg(test)]
mod tests;
mod writer;

#[cfg(feature = "http")]
pub(crate) use answer::answer_of;
pub(crate) use connection::Connection;
pub(crate) use server::Server;
