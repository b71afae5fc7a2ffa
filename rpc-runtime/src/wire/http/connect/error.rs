//! How a status looks in Connect (<https://connectrpc.com/docs/protocol#error-codes>). Every table
//! of the protocol about that is in this file.

use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};

use crate::codec::Encoding;
use crate::status::{Code, Status};
use crate::wire::http::grpc::details::{self, Detail};
use crate::wire::http::grpc::status::put_pushback;
use crate::wire::http::metadata::{self, encode_base64};

/// The HTTP status of each code; there is none for success. 499 is the one that nginx made up.
const HTTP_STATUSES: [(Code, u16); 16] = [
    (Code::Cancelled, 499),
    (Code::Unknown, 500),
    (Code::InvalidArgument, 400),
    (Code::DeadlineExceeded, 504),
    (Code::NotFound, 404),
    (Code::AlreadyExists, 409),
    (Code::PermissionDenied, 403),
    (Code::ResourceExhausted, 429),
    (Code::FailedPrecondition, 400),
    (Code::Aborted, 409),
    (Code::OutOfRange, 400),
    (Code::Unimplemented, 501),
    (Code::Internal, 500),
    (Code::Unavailable, 503),
    (Code::DataLoss, 500),
    (Code::Unauthenticated, 401),
];

/// Returns the HTTP status of a failure.
pub(super) fn http_status(code: Code) -> StatusCode {
    let found = HTTP_STATUSES.iter().find(|(it, _)| *it == code);
    let status = found.and_then(|(_, status)| StatusCode::from_u16(*status).ok());
    status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Returns the name of a code, which Connect spells in the American way.
fn name(code: Code) -> &'static str {
    match code {
        Code::Cancelled => "canceled",
        other => other.name(),
    }
}

/// Returns the code of this name.
pub(super) fn code_of_name(text: &str) -> Option<Code> {
    let mut codes = HTTP_STATUSES.iter().map(|(code, _)| *code);
    codes.find(|code| name(*code) == text)
}

/// Writes a failure, with its details.
pub(super) fn body(status: &Status, encoding: Encoding) -> Vec<u8> {
    json_of(status, encoding).to_string().into_bytes()
}

fn json_of(status: &Status, encoding: Encoding) -> Value {
    let mut body = Map::new();
    body.insert("code".to_owned(), name(status.code()).into());
    if !status.message().is_empty() {
        body.insert("message".to_owned(), status.message().into());
    }
    let details = details::of(status, encoding);
    if !details.is_empty() {
        let details = details.iter().map(json_of_detail).collect();
        body.insert("details".to_owned(), Value::Array(details));
    }
    Value::Object(body)
}

fn json_of_detail(detail: &Detail) -> Value {
    let name = detail.type_url.rsplit('/').next().unwrap_or_default();
    let mut json = json!({ "type": name, "value": encode_base64(&detail.value) });
    // For people, who do not read Base64.
    if detail.type_url.strip_prefix(details::TYPE) == Some(Encoding::JSON.name())
        && let Ok(value) = serde_json::from_slice::<Value>(&detail.value)
    {
        json["debug"] = value;
    }
    json
}

/// Adds the metadata of a failure, as far as that fits; the details are elsewhere.
pub(super) fn put_metadata(headers: &mut HeaderMap, status: &Status, limit: usize) {
    if let Err(error) = metadata::put_headers(headers, status.metadata(), limit) {
        headers.clear();
        tracing::warn!(%error, "the metadata of a failure cannot be sent");
    }
    headers.remove(details::NAME);
    put_pushback(headers, status);
}

/// Writes what ends a stream: its metadata, and the failure if it is one.
pub(in crate::wire::http) fn end_of_stream(
    end: Result<HeaderMap, Status>,
    encoding: Encoding,
    limit: usize,
) -> Vec<u8> {
    let mut body = Map::new();
    let trailers = end.unwrap_or_else(|status| {
        body.insert("error".to_owned(), json_of(&status, encoding));
        let mut metadata = HeaderMap::new();
        put_metadata(&mut metadata, &status, limit);
        metadata
    });
    let mut metadata = Map::new();
    for name in trailers.keys() {
        let values = trailers.get_all(name).iter();
        let values = values.map(|it| String::from_utf8_lossy(it.as_bytes()).into());
        metadata.insert(name.to_string(), Value::Array(values.collect()));
    }
    if !metadata.is_empty() {
        body.insert("metadata".to_owned(), Value::Object(metadata));
    }
    Value::Object(body).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_an_http_status() {
        // The column of the page, in the order of the codes of gRPC.
        let page = [
            499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401,
        ];
        for (number, status) in (1..=16).zip(page) {
            let code = Code::from_number(number);
            assert_eq!(http_status(code).as_u16(), status, "{code:?}");
            assert_eq!(code_of_name(name(code)), Some(code));
        }
    }

    #[test]
    fn a_failure_is_json() {
        let status = Status::cancelled("a \"quoted\"\ntext");
        let body: Value = serde_json::from_slice(&body(&status, Encoding::JSON)).unwrap();
        let expected = json!({ "code": "canceled", "message": "a \"quoted\"\ntext" });
        assert_eq!(body, expected);
    }
}
