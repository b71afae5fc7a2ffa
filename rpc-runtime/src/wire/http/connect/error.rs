//! How a status looks in Connect (<https://connectrpc.com/docs/protocol#error-codes>). Every table
//! of the protocol about that is in this file.

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::call::ErrorBody;
use crate::codec::Encoding;
use crate::status::{Code, Status};
use crate::wire::http::metadata::encode_base64;

/// What the type of a method's own error begins with; the name of its encoding follows.
const ERROR_TYPE: &str = "rpc.runtime.Error+";

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

/// Writes a failure, with the method's own error if it has one.
pub(super) fn body(status: &Status, encoding: Encoding) -> Vec<u8> {
    let mut body = Map::new();
    body.insert("code".to_owned(), name(status.code()).into());
    if !status.message().is_empty() {
        body.insert("message".to_owned(), status.message().into());
    }
    if let Some(detail) = detail(status, encoding) {
        body.insert("details".to_owned(), Value::Array(vec![detail]));
    }
    Value::Object(body).to_string().into_bytes()
}

fn detail(status: &Status, encoding: Encoding) -> Option<Value> {
    let error = status.attachment()?.downcast_ref::<ErrorBody>()?;
    let bytes = match error.bytes(encoding)? {
        Ok(bytes) => bytes,
        Err(error) => {
            tracing::warn!(%error, "a method's own error cannot be encoded");
            return None;
        }
    };
    let mut detail = json!({
        "type": format!("{ERROR_TYPE}{encoding}"),
        "value": encode_base64(&bytes),
    });
    // For people, who do not read Base64.
    if encoding == Encoding::JSON
        && let Ok(value) = serde_json::from_slice::<Value>(&bytes)
    {
        detail["debug"] = value;
    }
    Some(detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_an_http_status() {
        for number in 1..=16 {
            let code = Code::from_number(number);
            assert_eq!(HTTP_STATUSES[usize::from(number) - 1].0, code);
            assert!(http_status(code).as_u16() >= 400);
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
