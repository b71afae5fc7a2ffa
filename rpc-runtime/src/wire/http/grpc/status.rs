//! How a status looks in gRPC, and what HTTP says in its place. Every table of the protocol about
//! that is in this file.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode, utf8_percent_encode};

use super::details;
use crate::call::Limits;
use crate::codec::Encoding;
use crate::pushback::Pushback;
use crate::status::{Code, Status};
use crate::wire::http::metadata;

/// The code of the call; 0 is success.
pub(in crate::wire::http) const STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// The text of a failure, escaped.
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// What the server asks of a client that would make the call again
/// (<https://github.com/grpc/proposal/blob/master/A6-client-retries.md>).
const PUSHBACK: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");

/// How often a call was made before: absent the first time (A6, "Exposed retry metadata").
const PREVIOUS_ATTEMPTS: HeaderName = HeaderName::from_static("grpc-previous-rpc-attempts");

/// Success, which no [`Code`] is.
pub(in crate::wire::http) const OK: HeaderValue = HeaderValue::from_static("0");

/// What a message is escaped for: everything but space to tilde, and the percent sign
/// (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>, "Responses").
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%');

/// What an answer means that has no `grpc-status`
/// (<https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md>); every other HTTP
/// status is [`Code::Unknown`].
const HTTP_STATUSES: [(u16, Code); 8] = [
    (400, Code::Internal),
    (401, Code::Unauthenticated),
    (403, Code::PermissionDenied),
    (404, Code::Unimplemented),
    (429, Code::Unavailable),
    (502, Code::Unavailable),
    (503, Code::Unavailable),
    (504, Code::Unavailable),
];

/// What the reason of a RST_STREAM or GOAWAY means
/// (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>, "Errors"); every other is
/// [`Code::Unknown`].
const HTTP2_REASONS: [(h2::Reason, Code); 14] = [
    (h2::Reason::NO_ERROR, Code::Internal),
    (h2::Reason::PROTOCOL_ERROR, Code::Internal),
    (h2::Reason::INTERNAL_ERROR, Code::Internal),
    (h2::Reason::FLOW_CONTROL_ERROR, Code::Internal),
    (h2::Reason::SETTINGS_TIMEOUT, Code::Internal),
    (h2::Reason::STREAM_CLOSED, Code::Internal),
    (h2::Reason::FRAME_SIZE_ERROR, Code::Internal),
    (h2::Reason::REFUSED_STREAM, Code::Unavailable),
    (h2::Reason::CANCEL, Code::Cancelled),
    (h2::Reason::COMPRESSION_ERROR, Code::Internal),
    (h2::Reason::CONNECT_ERROR, Code::Internal),
    (h2::Reason::ENHANCE_YOUR_CALM, Code::ResourceExhausted),
    (h2::Reason::INADEQUATE_SECURITY, Code::PermissionDenied),
    (h2::Reason::HTTP_1_1_REQUIRED, Code::Internal),
];

/// Returns what an HTTP status without a gRPC one means.
pub(in crate::wire::http) fn code_of_http(status: StatusCode) -> Code {
    let found = HTTP_STATUSES.iter().find(|(it, _)| *it == status.as_u16());
    found.map_or(Code::Unknown, |(_, code)| *code)
}

/// Returns what the end of a stream by HTTP/2 itself means.
pub(in crate::wire::http) fn code_of_reason(reason: h2::Reason) -> Code {
    let found = HTTP2_REASONS.iter().find(|(it, _)| *it == reason);
    found.map_or(Code::Unknown, |(_, code)| *code)
}

/// Returns why a call failed whose stream was broken off.
pub(in crate::wire::http) fn of_broken_stream(error: h2::Error) -> Status {
    let status = match error.reason() {
        Some(h2::Reason::REFUSED_STREAM) if error.is_remote() => {
            Status::unavailable("the server had not begun the call and refused it")
                .into_not_started()
        }
        Some(reason) if error.is_reset() && error.is_remote() => Status::new(
            code_of_reason(reason),
            format!("the server broke the call off: {}", reason.description()),
        ),
        Some(_) if error.is_go_away() && error.is_remote() => {
            Status::unavailable("the server went away and had not begun the call")
                .into_not_started()
        }
        Some(_) => Status::internal("the server broke the rules of HTTP/2"),
        None => Status::unavailable("the connection broke before the call had ended"),
    };
    status.with_source(error)
}

/// Adds the end of a call that went well.
pub(in crate::wire::http) fn put_ok(trailers: &mut HeaderMap) {
    trailers.insert(STATUS, OK);
}

/// Adds a failure: its code, its text and, if it has one, the method's own error. Text and details
/// that would take more than `limit` bytes are cut off and left out.
pub(in crate::wire::http) fn put(
    trailers: &mut HeaderMap,
    status: &Status,
    encoding: Encoding,
    limit: usize,
) {
    trailers.insert(STATUS, HeaderValue::from(u16::from(status.code().number())));
    put_pushback(trailers, status);
    let message = escape(status.message(), limit / 2);
    if !message.is_empty()
        && let Ok(message) = HeaderValue::from_str(&message)
    {
        trailers.insert(MESSAGE, message);
    }
    if !trailers.contains_key(details::NAME)
        && let Some(details) = details::encode(status, encoding)
        && details.len() <= limit / 2
    {
        trailers.insert(details::NAME, details);
    }
}

/// Takes the status out of trailers: `None` if they have none.
///
/// A number that is none, or that nobody has assigned, is [`Code::Unknown`].
pub(in crate::wire::http) fn take(
    trailers: &mut HeaderMap,
    limits: crate::codec::DecodeLimits,
) -> Option<Result<(), Status>> {
    let several = trailers.get_all(STATUS).iter().nth(1).is_some();
    let number = trailers.remove(STATUS)?;
    let message = trailers.remove(MESSAGE);
    let pushback = take_pushback(trailers);
    if several {
        let text = "the server ended the call with several statuses";
        return Some(Err(Status::new(Code::Unknown, text).into_remote()));
    }
    if number == OK {
        return Some(Ok(()));
    }
    let code = number.to_str().ok().and_then(|it| it.parse::<u8>().ok());
    let code = code.map_or(Code::Unknown, Code::from_number);
    let message = message.map(|it| {
        percent_decode(it.as_bytes())
            .decode_utf8_lossy()
            .into_owned()
    });
    let mut status = Status::new(code, message.unwrap_or_default()).into_remote();
    if let Some(pushback) = pushback {
        status = status.with_pushback(pushback);
    }
    if let Some(value) = trailers.get(details::NAME)
        && let Some(error) = details::decode(value, limits)
    {
        status = status.with_attachment(error);
    }
    Some(Err(status))
}

/// Adds what a failure asks of a client that would make the call again.
pub(in crate::wire::http) fn put_pushback(trailers: &mut HeaderMap, status: &Status) {
    if let Some(pushback) = status.pushback()
        && let Ok(pushback) = HeaderValue::from_str(&pushback.to_text())
    {
        trailers.insert(PUSHBACK, pushback);
    }
}

/// Takes that out of trailers.
pub(in crate::wire::http) fn take_pushback(trailers: &mut HeaderMap) -> Option<Pushback> {
    let pushback = trailers.remove(PUSHBACK)?;
    Some(Pushback::from_text(pushback.as_bytes()))
}

/// Says which attempt of its call a request is, if not the first.
pub(in crate::wire::http) fn put_attempt(headers: &mut HeaderMap, attempt: u32) {
    if attempt > 1 {
        headers.insert(PREVIOUS_ATTEMPTS, HeaderValue::from(attempt - 1));
    }
}

/// Returns which attempt of its call a request is. It is only told to the handler, so what is no
/// number is no failure.
pub(in crate::wire::http) fn attempt(headers: &HeaderMap) -> u32 {
    let previous = headers.get(PREVIOUS_ATTEMPTS);
    let previous = previous.and_then(|it| it.to_str().ok()?.parse::<u32>().ok());
    previous.unwrap_or(0).saturating_add(1)
}

/// Reads what a call ended with: the metadata of a good end, or why it failed.
pub(in crate::wire::http) fn end(
    trailers: &mut HeaderMap,
    limits: &Limits,
) -> Result<HeaderMap, Status> {
    let end = take(trailers, limits.decode_limits()).unwrap_or_else(|| {
        // What HTTP status 200 means by itself: <https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md>
        let text = "the server ended the call without a status";
        Err(Status::new(Code::Unknown, text).into_remote())
    });
    let metadata = metadata_of_reply(trailers, limits);
    match end {
        Ok(()) => metadata,
        Err(mut failure) => {
            *failure.metadata_mut() = metadata.unwrap_or_default();
            Err(failure)
        }
    }
}

/// Reads the metadata of an answer. What is wrong with it is the server's mistake, not the caller's.
pub(in crate::wire::http) fn metadata_of_reply(
    headers: &HeaderMap,
    limits: &Limits,
) -> Result<HeaderMap, Status> {
    let metadata = metadata::from_headers(headers, limits.max_metadata);
    metadata.map_err(|status| match status.code() {
        Code::InvalidArgument => {
            Status::internal("the server sent metadata that cannot be read").with_source(status)
        }
        _ => status,
    })
}

fn escape(message: &str, limit: usize) -> String {
    let mut escaped = String::new();
    for part in utf8_percent_encode(message, ESCAPED) {
        if escaped.len() + part.len() > limit {
            // The parts are long runs of plain text and single escaped bytes.
            let room = limit - escaped.len();
            if !part.starts_with('%') {
                escaped.push_str(part.get(..room).unwrap_or_default());
            }
            break;
        }
        escaped.push_str(part);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::DecodeLimits;

    const LIMIT: usize = 16 << 10;

    fn sent_and_taken(status: &Status, limit: usize) -> (HeaderMap, Status) {
        let mut trailers = HeaderMap::new();
        put(&mut trailers, status, Encoding::JSON, limit);
        let sent = trailers.clone();
        let taken = take(&mut trailers, DecodeLimits::default()).expect("there is a status");
        (sent, taken.expect_err("it is a failure"))
    }

    #[test]
    fn every_code_and_any_text_survive() {
        for number in 1..=16 {
            let code = Code::from_number(number);
            let text = "100 % \t\r\n \u{0}\u{7F} ünïcödé ☺ end";
            let (sent, taken) = sent_and_taken(&Status::new(code, text), LIMIT);
            assert_eq!((taken.code(), taken.message()), (code, text));
            assert!(taken.is_remote());
            assert_eq!(sent[STATUS], *number.to_string());
            assert!(
                sent[MESSAGE]
                    .to_str()
                    .unwrap()
                    .starts_with("100 %25 %09%0D%0A %00%7F %C3%BC")
            );
        }
    }

    #[test]
    fn a_text_that_is_too_long_is_cut_off_between_escapes() {
        let (_, taken) = sent_and_taken(&Status::internal("plain ☺☺☺"), 2 * 10);
        assert_eq!(taken.message(), "plain \u{FFFD}");
        let (_, taken) = sent_and_taken(&Status::internal("a".repeat(100)), 2 * 10);
        assert_eq!(taken.message(), "a".repeat(10));
    }

    #[test]
    fn malformed_statuses_are_unknown_and_bad_escapes_stay() {
        for (number, code) in [
            ("", 2),
            ("17", 2),
            ("x", 2),
            ("300", 2),
            ("-1", 2),
            ("00", 2),
            ("5", 5),
        ] {
            let mut trailers = HeaderMap::new();
            trailers.insert(STATUS, HeaderValue::from_static(number));
            trailers.insert(MESSAGE, HeaderValue::from_static("50 % off %zz %41"));
            let taken = take(&mut trailers, DecodeLimits::default())
                .unwrap()
                .unwrap_err();
            assert_eq!(taken.code().number(), code, "{number}");
            assert_eq!(taken.message(), "50 % off %zz A");
        }
        assert!(take(&mut HeaderMap::new(), DecodeLimits::default()).is_none());
    }

    #[test]
    fn http_has_its_own_ways_to_fail() {
        // As the two pages of gRPC have them, of which the second is the same in Connect.
        for status in 100..600 {
            let expected = match status {
                400 => Code::Internal,
                401 => Code::Unauthenticated,
                403 => Code::PermissionDenied,
                404 => Code::Unimplemented,
                429 | 502 | 503 | 504 => Code::Unavailable,
                _ => Code::Unknown,
            };
            let found = code_of_http(StatusCode::from_u16(status).unwrap());
            assert_eq!(found, expected, "{status}");
        }
        for reason in 0..20 {
            let expected = match reason {
                0..=6 | 9 | 10 | 13 => Code::Internal,
                7 => Code::Unavailable,
                8 => Code::Cancelled,
                11 => Code::ResourceExhausted,
                12 => Code::PermissionDenied,
                _ => Code::Unknown,
            };
            assert_eq!(code_of_reason(reason.into()), expected, "{reason}");
        }
        assert_eq!(code_of_reason(h2::Reason::from(99)), Code::Unknown);
    }
}
