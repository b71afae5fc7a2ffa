//! What the dialects differ in: how the members of an object are a call, and how an answer looks.

pub(super) mod json_rpc;
mod kn_sock;
mod length_prefixed;
mod python;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use serde_json::value::RawValue;

use super::arguments::Arguments;
use super::envelope::Envelope;
use super::failure::Failure;
use super::framing::Framing;
use crate::status::Status;

pub(crate) use kn_sock::is_call as is_kn_sock;

/// One dialect: a table of what it does in its own way.
pub(crate) struct Dialect {
    pub(super) name: &'static str,
    pub(super) framing: Framing,
    /// Whether answers come in the order of their calls, which then run one after the other.
    pub(super) is_ordered: bool,
    /// Whether an array is a batch of calls.
    pub(super) has_batches: bool,
    /// Whether methods are called by their names alone, and with their arguments by position.
    pub(super) is_flat: bool,
    pub(super) is_positional: bool,
    /// How streams are told, where they can be.
    pub(super) subscription: Option<fn(method: &str, id: &str) -> Notification>,
    /// Reads a call.
    pub(super) read_call: for<'a> fn(&Envelope<'a>) -> Result<Call<'a>, Failure>,
    /// Returns the id of what may be no call, for the answer that says so.
    pub(super) read_id: for<'a> fn(&Envelope<'a>) -> Option<&'a str>,
    /// Appends what stands before a result, and what stands behind it.
    pub(super) before_result: fn(&mut BytesMut, id: Option<&str>),
    pub(super) behind_result: fn(&mut BytesMut, id: Option<&str>),
    /// Writes a failure; `None` is no answer.
    pub(super) failure: fn(id: Option<&str>, &Failure) -> Option<BytesMut>,
    /// Gives an answer with a result the looks of the dialect.
    pub(super) finish: fn(BytesMut) -> BytesMut,
    /// Appends a call.
    pub(super) write_call: fn(&mut BytesMut, &Outgoing<'_>),
    /// Reads an answer; `None` for what is none.
    pub(super) read_answer: for<'a> fn(&Envelope<'a>) -> Option<Answer<'a>>,
    /// Returns the method that ends the subscriptions of another, where they have such.
    pub(super) ending: Option<fn(method: &str) -> String>,
    /// Reads the id of a subscription and what is told of it; `None` for what tells of none.
    pub(super) read_notice: for<'a> fn(&Envelope<'a>) -> Option<Told<'a>>,
}

/// A call that goes out.
pub(crate) struct Outgoing<'a> {
    pub(super) id: u64,
    pub(super) name: Cow<'a, str>,
    /// An array, an object, or nothing.
    pub(super) arguments: &'a [u8],
    pub(super) timeout: Option<Duration>,
    pub(super) is_idempotent: bool,
}

/// An answer that came.
pub(crate) struct Answer<'a> {
    /// `None` where the dialect has none, and where the server could not read that of the call.
    pub(super) id: Option<u64>,
    pub(super) result: Result<&'a RawValue, Status>,
}

/// The id of a subscription, and what is told of it.
pub(crate) type Told<'a> = (&'a RawValue, Notice<&'a RawValue>);

/// What a server tells of a subscription.
#[derive(Debug)]
pub(crate) enum Notice<T> {
    Item(T),
    /// Nothing follows.
    End(Result<(), Status>),
}

/// What stands around the items of one subscription.
#[derive(Debug)]
pub(crate) struct Notification {
    /// What stands before an item or the end, up to the name of its member.
    pub(super) before: Bytes,
    pub(super) behind: &'static str,
    pub(super) item: &'static str,
    pub(super) end: &'static str,
    /// Writes why a subscription failed.
    pub(super) error: fn(&Failure) -> BytesMut,
}

/// A call, as the texts of its parts.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(super) method: Cow<'a, str>,
    pub(super) arguments: Arguments<'a>,
    /// `None` for one that is not answered.
    pub(super) reply_to: ReplyTo<'a>,
    pub(super) timeout: Option<Duration>,
}

/// Where the answer goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ReplyTo<'a> {
    /// Nobody waits for one.
    Nobody,
    /// To the id of the call, where the dialect has ids.
    Caller(Option<&'a str>),
}

impl Dialect {
    /// JSON-RPC 2.0.
    pub(crate) const JSON_RPC: &'static Self = &json_rpc::DIALECT;
    /// kn-sock's.
    pub(crate) const KN_SOCK: &'static Self = &kn_sock::DIALECT;
    /// JSON with its length before it.
    pub(crate) const LENGTH_PREFIXED: &'static Self = &length_prefixed::DIALECT;
}

impl PartialEq for Dialect {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Dialect {}

impl fmt::Debug for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
