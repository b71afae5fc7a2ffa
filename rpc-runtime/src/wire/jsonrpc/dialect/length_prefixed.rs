//! Calls with their length before them: `{"id", "method", "params", "meta"}`, answered by
//! `{"id", "ok", "result", "error"}`. Every table of it is in this file.

use std::time::Duration;

use bytes::{BufMut, BytesMut};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::json_rpc::{answered_id, attachment, own_error, put, read_id};
use super::{Answer, Call, Dialect, Outgoing, ReplyTo};
use crate::status::{Code, Status};
use crate::wire::jsonrpc::arguments::Arguments;
use crate::wire::jsonrpc::envelope::{Envelope, string};
use crate::wire::jsonrpc::failure::Failure;
use crate::wire::jsonrpc::framing::Framing;

pub(super) static DIALECT: Dialect = Dialect {
    name: "length-prefixed JSON",
    framing: Framing::Lengths,
    is_ordered: false,
    has_batches: false,
    is_flat: false,
    is_positional: false,
    subscription: None,
    read_call,
    read_id,
    before_result,
    behind_result: |out, _| out.put_slice(b",\"error\":null}"),
    failure,
    finish: |text| text,
    write_call,
    read_answer,
    ending: None,
    read_notice: |_| None,
};

/// What each code is called here. The first of a name is what the name alone means.
const CODES: [(Code, &str); 16] = [
    (Code::InvalidArgument, "BAD_REQUEST"),
    (Code::NotFound, "BAD_REQUEST"),
    (Code::AlreadyExists, "BAD_REQUEST"),
    (Code::FailedPrecondition, "BAD_REQUEST"),
    (Code::OutOfRange, "BAD_REQUEST"),
    (Code::Unimplemented, "METHOD_NOT_FOUND"),
    (Code::DeadlineExceeded, "TIMEOUT"),
    (Code::Unauthenticated, "UNAUTHORIZED"),
    (Code::PermissionDenied, "UNAUTHORIZED"),
    (Code::ResourceExhausted, "SERVER_BUSY"),
    (Code::Unavailable, "SERVER_BUSY"),
    (Code::Internal, "INTERNAL"),
    (Code::Unknown, "INTERNAL"),
    (Code::Cancelled, "INTERNAL"),
    (Code::Aborted, "INTERNAL"),
    (Code::DataLoss, "INTERNAL"),
];

/// Returns what a code is called.
fn name(code: Code) -> &'static str {
    let found = CODES.iter().find(|(it, _)| *it == code);
    found.map_or("INTERNAL", |(_, name)| name)
}

/// What a call says of itself.
#[derive(Default, Deserialize)]
struct Meta {
    timeout_ms: Option<u64>,
}

fn read_call<'a>(envelope: &Envelope<'a>) -> Result<Call<'a>, Failure> {
    let params = envelope.params.filter(|it| it.get() != "null");
    let is_structured = params.is_none_or(|it| it.get().starts_with(['[', '{']));
    let method = envelope.method.and_then(string);
    let method = method.filter(|_| is_structured && !envelope.is_ambiguous);
    let meta = match envelope.meta {
        None => Meta::default(),
        Some(meta) => serde_json::from_str::<Option<Meta>>(meta.get())
            .map_err(|_| Failure::NoCall)?
            .unwrap_or_default(),
    };
    let id = match envelope.id {
        None => None,
        Some(_) => Some(read_id(envelope).ok_or(Failure::NoCall)?),
    };
    Ok(Call {
        method: method.ok_or(Failure::NoCall)?,
        arguments: Arguments {
            params,
            kwargs: None,
        },
        reply_to: ReplyTo::Caller(id),
        timeout: meta.timeout_ms.map(Duration::from_millis),
    })
}

fn before_result(out: &mut BytesMut, id: Option<&str>) {
    out.put_slice(b"{\"id\":");
    out.put_slice(id.unwrap_or("null").as_bytes());
    out.put_slice(b",\"ok\":true,\"result\":");
}

fn failure(id: Option<&str>, failure: &Failure) -> Option<BytesMut> {
    let (code, message) = match failure {
        Failure::NoJson => (Code::InvalidArgument, "the message is not JSON"),
        Failure::NoCall => (Code::InvalidArgument, "the message is not a call"),
        Failure::NotFound { .. } => (Code::Unimplemented, "there is no such method"),
        Failure::Status(status) => (status.code(), status.message()),
    };
    let own = match failure {
        Failure::Status(status) => own_error(status),
        _ => None,
    };
    let mut out = BytesMut::with_capacity(120 + message.len());
    out.put_slice(b"{\"id\":");
    out.put_slice(id.unwrap_or("null").as_bytes());
    out.put_slice(b",\"ok\":false,\"result\":null,\"error\":{\"code\":");
    put(&mut out, name(code));
    out.put_slice(b",\"message\":");
    put(&mut out, message);
    out.put_slice(b",\"details\":{\"code\":");
    put(&mut out, code.name());
    if let Some(own) = own {
        out.put_slice(b",\"error\":");
        out.put_slice(&own);
    }
    out.put_slice(b"}}}");
    Some(out)
}

fn write_call(out: &mut BytesMut, call: &Outgoing<'_>) {
    out.put_slice(b"{\"id\":");
    put(out, &call.id);
    out.put_slice(b",\"method\":");
    put(out, &call.name);
    out.put_slice(b",\"params\":");
    out.put_slice(match call.arguments {
        b"" => b"[]",
        arguments => arguments,
    });
    out.put_slice(b",\"meta\":{\"timeout_ms\":");
    put(out, &call.timeout.map(|it| it.as_millis().max(1)));
    out.put_slice(b",\"idempotent\":");
    put(out, &call.is_idempotent);
    out.put_slice(b"}}");
}

#[derive(Deserialize)]
struct Error<'a> {
    code: String,
    #[serde(default)]
    message: String,
    #[serde(borrow)]
    details: Option<&'a RawValue>,
}

/// What a server of ours adds.
#[derive(Deserialize)]
struct Details<'a> {
    code: String,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

fn read_answer<'a>(envelope: &Envelope<'a>) -> Option<Answer<'a>> {
    let id = answered_id(envelope);
    let is_ok = envelope.ok?.get() == "true";
    let result = if is_ok {
        Ok(envelope.result.unwrap_or(RawValue::NULL))
    } else {
        let error: Error<'_> = serde_json::from_str(envelope.error?.get()).ok()?;
        Err(status(&error))
    };
    Some(Answer { id, result })
}

fn status(error: &Error<'_>) -> Status {
    let details = error.details;
    let details = details.and_then(|it| serde_json::from_str::<Details<'_>>(it.get()).ok());
    let exact = details.as_ref().and_then(|details| {
        let mut codes = CODES.iter().filter(|(_, name)| *name == error.code);
        codes.find(|(code, _)| code.name() == details.code)
    });
    let code = exact.or_else(|| CODES.iter().find(|(_, name)| *name == error.code));
    let code = code.map_or(Code::Unknown, |(code, _)| *code);
    let status = Status::new(code, error.message.clone()).into_remote();
    match details.and_then(|it| it.error) {
        Some(own) => status.with_attachment(attachment(own)),
        None => status,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_name_and_names_mean_their_first() {
        for number in 1..=16 {
            let code = Code::from_number(number);
            assert_eq!(CODES.iter().filter(|(it, _)| *it == code).count(), 1);
            let text = failure(Some("7"), &Status::new(code, "why").into()).unwrap();
            let answer = read_answer(&Envelope::read(&text).unwrap()).unwrap();
            assert_eq!(answer.id, Some(7));
            let status = answer.result.unwrap_err();
            assert_eq!((status.code(), status.message()), (code, "why"));
        }
        let text = br#"{"id":1,"ok":false,"error":{"code":"SERVER_BUSY","message":"later"}}"#;
        let answer = read_answer(&Envelope::read(text).unwrap()).unwrap();
        assert_eq!(answer.result.unwrap_err().code(), Code::ResourceExhausted);
    }
}
