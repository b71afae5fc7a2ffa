//! JSON-RPC 2.0 as its specification has it (<https://www.jsonrpc.org/specification>). Every table of
//! it is in this file.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::{Answer, Call, Dialect, Notice, Notification, Outgoing, ReplyTo, Told};
use crate::call::{ErrorBody, Message};
use crate::codec::Encoding;
use crate::status::{Code, Status};
use crate::wire::jsonrpc::arguments::Arguments;
use crate::wire::jsonrpc::envelope::{Envelope, string};
use crate::wire::jsonrpc::failure::Failure;
use crate::wire::jsonrpc::framing::Framing;

pub(super) static DIALECT: Dialect = Dialect {
    name: "JSON-RPC 2.0",
    framing: Framing::Lines,
    is_ordered: false,
    has_batches: true,
    is_flat: false,
    is_positional: false,
    subscription: Some(notification),
    read_call,
    read_id,
    before_result,
    behind_result,
    failure,
    finish: |text| text,
    write_call,
    read_answer,
    ending: Some(ending),
    read_notice,
};

/// The member `jsonrpc` (section 4).
const VERSION: &str = "\"2.0\"";

/// The longest id that is given back, in bytes.
const MAX_ID: usize = 1 << 10;

/// The codes of the specification (section 5.1), and what they are called there.
const PARSE_ERROR: (i64, &str) = (-32700, "Parse error");
const INVALID_REQUEST: (i64, &str) = (-32600, "Invalid Request");
const METHOD_NOT_FOUND: (i64, &str) = (-32601, "Method not found");
const INVALID_PARAMS: i64 = -32602;
const INTERNAL_ERROR: i64 = -32603;

/// Our codes that the specification has none for are this less their own number: -32001 to -32016,
/// among those that it leaves to servers.
const SERVER_ERROR: i64 = -32000;

/// Returns the number of a code.
pub(crate) fn number(code: Code) -> i64 {
    match code {
        Code::InvalidArgument => INVALID_PARAMS,
        Code::Unimplemented => METHOD_NOT_FOUND.0,
        Code::Internal => INTERNAL_ERROR,
        other => SERVER_ERROR - i64::from(other.number()),
    }
}

/// Returns the code of a number, which is [`Code::Unknown`] for those of servers that are not ours.
fn code(wanted: i64) -> Code {
    match wanted {
        -32700 | -32600 => Code::InvalidArgument,
        wanted => {
            let mut codes = (1..=16).map(Code::from_number);
            codes
                .find(|it| number(*it) == wanted)
                .unwrap_or(Code::Unknown)
        }
    }
}

fn read_call<'a>(envelope: &Envelope<'a>) -> Result<Call<'a>, Failure> {
    let is_2 = envelope.jsonrpc.is_some_and(|it| it.get() == VERSION);
    let method = envelope.method.and_then(string);
    // Clients of languages that cannot leave a member out send null.
    let params = envelope.params.filter(|it| it.get() != "null");
    let is_structured = params.is_none_or(|it| it.get().starts_with(['[', '{']));
    let Some(method) = method.filter(|_| is_2 && is_structured && !envelope.is_ambiguous) else {
        return Err(Failure::NoCall);
    };
    let reply_to = match envelope.id {
        None => ReplyTo::Nobody,
        Some(_) => ReplyTo::Caller(Some(read_id(envelope).ok_or(Failure::NoCall)?)),
    };
    Ok(Call {
        method,
        arguments: Arguments {
            params,
            kwargs: None,
        },
        reply_to,
        timeout: None,
    })
}

/// Returns an id that is a string, a number or null, with all its digits.
pub(super) fn read_id<'a>(envelope: &Envelope<'a>) -> Option<&'a str> {
    let id = envelope.id.map(RawValue::get)?;
    let is_id = id.starts_with(['"', '-', 'n']) || id.starts_with(|it: char| it.is_ascii_digit());
    (is_id && id.len() <= MAX_ID && !envelope.is_ambiguous).then_some(id)
}

/// Returns the id of an answer, which is one of our numbers. Some servers write it as text.
pub(super) fn answered_id(envelope: &Envelope<'_>) -> Option<u64> {
    let id = read_id(envelope)?;
    let text = id.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    text.unwrap_or(id).parse().ok()
}

fn before_result(out: &mut BytesMut, _: Option<&str>) {
    out.put_slice(b"{\"jsonrpc\":\"2.0\",\"result\":");
}

fn behind_result(out: &mut BytesMut, id: Option<&str>) {
    out.put_slice(b",\"id\":");
    out.put_slice(id.unwrap_or("null").as_bytes());
    out.put_u8(b'}');
}

/// Subscriptions are an addition that Ethereum began and jsonrpsee took up: the call is answered with
/// an id, and each item is a notification that names it. That `error` ends one is jsonrpsee's, and
/// that `null` there is the good end, our own.
fn notification(method: &str, id: &str) -> Notification {
    // `eth_subscribe` gives `eth_subscription`.
    let name = match method.strip_suffix("subscribe") {
        Some(before) => format!("{before}subscription"),
        None => method.to_owned(),
    };
    let mut before = BytesMut::from(&b"{\"jsonrpc\":\"2.0\",\"method\":"[..]);
    put(&mut before, &name);
    before.put_slice(b",\"params\":{\"subscription\":\"");
    before.put_slice(id.as_bytes());
    before.put_slice(b"\",");
    Notification {
        before: before.freeze(),
        behind: "}}",
        item: "\"result\":",
        end: "\"error\":null",
        error: |failure| {
            let mut out = BytesMut::from(&b"\"error\":"[..]);
            put_error(&mut out, failure);
            out
        },
    }
}

/// What ends a subscription where the method has no own name for that. Names that begin with `rpc.` are
/// kept for such additions (section 4.3 of the specification).
const ENDING: &str = "rpc.unsubscribe";

/// Returns what ends the subscriptions of a method: of `eth_subscribe`, `eth_unsubscribe`.
fn ending(method: &str) -> String {
    let (service, name) = method.rsplit_once('.').unwrap_or(("", method));
    let Some(at) = name.rfind("subscribe") else {
        return ENDING.to_owned();
    };
    let (before, behind) = name.split_at(at);
    let dot = if service.is_empty() { "" } else { "." };
    format!("{service}{dot}{before}un{behind}")
}

/// Says whether a name that no service has is that of what ends subscriptions.
pub(crate) fn is_ending(method: &str) -> bool {
    let name = method.rsplit_once('.').map_or(method, |(_, name)| name);
    method == ENDING || name.contains("unsubscribe")
}

/// The parameters of a notification, each as it stands there, as `null` means something.
#[derive(Deserialize)]
struct NoticeParams<'a> {
    #[serde(borrow)]
    subscription: &'a RawValue,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    error: Option<&'a RawValue>,
}

fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(from).map(Some)
}

fn read_notice<'a>(envelope: &Envelope<'a>) -> Option<Told<'a>> {
    let params = envelope.params.filter(|_| envelope.method.is_some())?;
    let params: NoticeParams<'a> = serde_json::from_str(params.get()).ok()?;
    let notice = match (params.result, params.error.map(RawValue::get)) {
        (Some(item), _) => Notice::Item(item),
        (None, Some("null")) => Notice::End(Ok(())),
        (None, error) => Notice::End(Err(failed(error?))),
    };
    Some((params.subscription, notice))
}

/// Reads why a subscription failed: an error object, or what else the server writes.
fn failed(error: &str) -> Status {
    match serde_json::from_str(error) {
        Ok(error) => status(error),
        Err(_) => {
            let text = error.get(..MAX_ID).unwrap_or(error);
            Status::new(Code::Unknown, format!("the stream failed: {text}")).into_remote()
        }
    }
}

fn failure(id: Option<&str>, failure: &Failure) -> Option<BytesMut> {
    let mut out = BytesMut::with_capacity(160);
    out.put_slice(b"{\"jsonrpc\":\"2.0\",\"error\":");
    put_error(&mut out, failure);
    out.put_slice(b",\"id\":");
    out.put_slice(id.unwrap_or("null").as_bytes());
    out.put_u8(b'}');
    Some(out)
}

/// Writes an error object (section 5.1).
fn put_error(out: &mut BytesMut, failure: &Failure) {
    let (code, message) = match failure {
        Failure::NoJson => PARSE_ERROR,
        Failure::NoCall => INVALID_REQUEST,
        Failure::NotFound { .. } => METHOD_NOT_FOUND,
        Failure::Status(status) => (number(status.code()), status.message()),
    };
    out.put_slice(b"{\"code\":");
    put(out, &code);
    out.put_slice(b",\"message\":");
    put(out, message);
    if let Failure::Status(status) = failure
        && let Some(data) = own_error(status)
    {
        out.put_slice(b",\"data\":");
        out.put_slice(&data);
    }
    out.put_u8(b'}');
}

fn write_call(out: &mut BytesMut, call: &Outgoing<'_>) {
    out.put_slice(b"{\"jsonrpc\":\"2.0\",\"method\":");
    put(out, &call.name);
    if !call.arguments.is_empty() {
        out.put_slice(b",\"params\":");
        out.put_slice(call.arguments);
    }
    out.put_slice(b",\"id\":");
    put(out, &call.id);
    out.put_u8(b'}');
}

/// An error object (section 5.1).
#[derive(Deserialize)]
struct Error<'a> {
    code: i64,
    #[serde(default)]
    message: String,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

fn read_answer<'a>(envelope: &Envelope<'a>) -> Option<Answer<'a>> {
    let id = answered_id(envelope);
    // Some servers send both, the one that does not count as null.
    let error = envelope.error.filter(|it| it.get() != "null");
    let result = match (error, envelope.result) {
        (Some(error), _) => Err(status(serde_json::from_str(error.get()).ok()?)),
        (None, Some(result)) => Ok(result),
        (None, None) => return None,
    };
    Some(Answer { id, result })
}

fn status(error: Error<'_>) -> Status {
    let code = code(error.code);
    let message = match code {
        // It may be all that the server's own number says.
        Code::Unknown if error.code != number(code) => {
            format!("{} (error {})", error.message, error.code)
        }
        _ => error.message,
    };
    let status = Status::new(code, message).into_remote();
    match error.data {
        Some(data) => status.with_attachment(attachment(data)),
        None => status,
    }
}

/// Keeps a method's own error, for the caller who knows its type.
pub(super) fn attachment(error: &RawValue) -> Arc<ErrorBody> {
    let bytes = Bytes::copy_from_slice(error.get().as_bytes());
    Arc::new(ErrorBody::new(Message::encoded(bytes, Encoding::JSON)))
}

/// Appends what is no more than a string, a number or a word.
pub(super) fn put(out: &mut BytesMut, value: &(impl Serialize + ?Sized)) {
    // Those have a form whatever they hold, and memory takes all of it.
    let _ = serde_json::to_writer(out.writer(), value);
}

/// Returns a method's own error, if there is one that JSON can hold.
pub(super) fn own_error(status: &Status) -> Option<Box<[u8]>> {
    let error = status.attachment()?.downcast_ref::<ErrorBody>()?;
    let bytes = match error.bytes(Encoding::JSON)? {
        Ok(bytes) => bytes,
        Err(error) => {
            tracing::warn!(%error, "a method's own error cannot be encoded");
            return None;
        }
    };
    // One that a gateway passes on may be in another encoding.
    let value: &RawValue = serde_json::from_slice(&bytes).ok()?;
    Some(value.get().as_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_number_of_its_own_in_the_ranges_of_the_specification() {
        let mut numbers: Vec<_> = (1..=16).map(|it| number(Code::from_number(it))).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 16);
        for number in numbers {
            let is_servers = (-32099..=-32000).contains(&number);
            assert!(
                is_servers || (-32603..=-32601).contains(&number),
                "{number}"
            );
        }
    }
}
