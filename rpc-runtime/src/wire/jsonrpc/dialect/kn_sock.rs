//! The lines of kn-sock, the toolkit for Python of that name: a call is
//! `{"method", "params", "kwargs"}` and its answer `{"result"}` or `{"error"}`, in order, written as
//! Python writes JSON.

use bytes::{BufMut, BytesMut};
use serde_json::value::RawValue;

use super::json_rpc::put;
use super::python::restyle;
use super::{Answer, Call, Dialect, Outgoing, ReplyTo};
use crate::status::Status;
use crate::wire::jsonrpc::arguments::Arguments;
use crate::wire::jsonrpc::envelope::{Envelope, string};
use crate::wire::jsonrpc::failure::Failure;
use crate::wire::jsonrpc::framing::Framing;

pub(super) static DIALECT: Dialect = Dialect {
    name: "kn-sock",
    framing: Framing::Lines,
    is_ordered: true,
    has_batches: false,
    is_flat: true,
    is_positional: true,
    subscription: None,
    read_call,
    read_id: |_| None,
    before_result: |out, _| out.put_slice(b"{\"result\":"),
    behind_result: |out, _| out.put_u8(b'}'),
    failure,
    finish: |text| restyle(&text),
    write_call,
    read_answer,
    ending: None,
    read_notice: |_| None,
};

/// Says whether an object is a call of this dialect, and not of JSON-RPC.
pub(crate) fn is_call(envelope: &Envelope<'_>) -> bool {
    envelope.method.is_some() && envelope.jsonrpc.is_none() && envelope.id.is_none()
}

fn read_call<'a>(envelope: &Envelope<'a>) -> Result<Call<'a>, Failure> {
    let method = envelope.method.and_then(string);
    let is = |value: Option<&RawValue>, open| value.is_none_or(|it| it.get().starts_with(open));
    let has_arguments = is(envelope.params, '[') && is(envelope.kwargs, '{');
    let method = method.filter(|_| has_arguments && !envelope.is_ambiguous);
    Ok(Call {
        method: method.ok_or(Failure::NoCall)?,
        arguments: Arguments {
            params: envelope.params,
            kwargs: envelope.kwargs,
        },
        reply_to: ReplyTo::Caller(None),
        timeout: None,
    })
}

fn failure(_: Option<&str>, failure: &Failure) -> Option<BytesMut> {
    let message = match failure {
        // kn-sock passes over it too: nobody could tell which call the answer belongs to.
        Failure::NoJson => return None,
        Failure::NoCall => "Invalid Request",
        Failure::NotFound { method } => &format!("Method '{method}' not found"),
        Failure::Status(status) => status.message(),
    };
    let mut out = BytesMut::from("{\"error\":");
    put(&mut out, message);
    out.put_u8(b'}');
    Some(restyle(&out))
}

fn write_call(out: &mut BytesMut, call: &Outgoing<'_>) {
    let is_object = call.arguments.starts_with(b"{");
    let (params, kwargs): (&[u8], &[u8]) = match call.arguments {
        b"" => (b"[]", b"{}"),
        arguments if is_object => (b"[]", arguments),
        arguments => (arguments, b"{}"),
    };
    let mut line = BytesMut::from("{\"method\":");
    put(&mut line, &call.name);
    line.put_slice(b",\"params\":");
    line.put_slice(params);
    line.put_slice(b",\"kwargs\":");
    line.put_slice(kwargs);
    line.put_u8(b'}');
    out.unsplit(restyle(&line));
}

fn read_answer<'a>(envelope: &Envelope<'a>) -> Option<Answer<'a>> {
    let result = match (envelope.result, envelope.error) {
        (Some(result), _) => Ok(result),
        (None, Some(error)) => {
            let message = string(error)
                .unwrap_or_else(|| error.get().into())
                .into_owned();
            // The dialect has no codes; that of a missing method can be told by its text.
            let is_missing = message.starts_with("Method '") && message.ends_with("' not found");
            let status = match is_missing {
                true => Status::unimplemented(message),
                false => Status::unknown(message),
            };
            Err(status.into_remote())
        }
        (None, None) => return None,
    };
    Some(Answer { id: None, result })
}
