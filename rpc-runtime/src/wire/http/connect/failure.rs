//! A failure as a server of Connect writes it, and the end of its streams.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;

use super::error::code_of_name;
use crate::call::Limits;
use crate::status::{Code, Status};
use crate::wire::http::grpc::details::{self, Detail};
use crate::wire::http::grpc::status::{code_of_http, take_pushback};
use crate::wire::http::metadata::{self, decode_base64};

/// What the type of a message is the last part of, where nobody says more.
const TYPES: &str = "type.googleapis.com/";

/// <https://connectrpc.com/docs/protocol#error-end-stream>
#[derive(Deserialize)]
struct JsonError {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    details: Vec<JsonDetail>,
}

#[derive(Deserialize)]
struct JsonDetail {
    #[serde(rename = "type")]
    name: String,
    value: String,
}

/// <https://connectrpc.com/docs/protocol#error-end-stream>
#[derive(Deserialize)]
struct JsonEnd {
    error: Option<JsonError>,
    #[serde(default)]
    metadata: std::collections::HashMap<String, Vec<String>>,
}

/// Reads the answer of a call that failed; a body that is not Connect's leaves the HTTP status.
pub(in crate::wire::http) fn of_answer(http: StatusCode, body: &[u8], limits: &Limits) -> Status {
    match serde_json::from_slice::<JsonError>(body) {
        Ok(error) if error.says_something() => error.into_status(code_of_http(http), limits),
        // JSON is what a proxy may write, too.
        _ => {
            let text = format!("the server answered with HTTP status {http} and no reason");
            Status::new(code_of_http(http), text).into_remote()
        }
    }
}

/// Reads what ended a stream: the metadata of a good end, or why it failed.
pub(in crate::wire::http) fn of_end(
    end: Option<Bytes>,
    limits: &Limits,
) -> Result<HeaderMap, Status> {
    let missing = || Status::internal("the server ended the stream without an end").into_remote();
    let end = serde_json::from_slice::<JsonEnd>(&end.ok_or_else(missing)?).map_err(|error| {
        Status::internal("the end of the stream cannot be read").with_source(error)
    })?;
    let mut headers = HeaderMap::new();
    for (name, values) in &end.metadata {
        for value in values {
            if let (Ok(name), Ok(value)) =
                (HeaderName::try_from(name), HeaderValue::try_from(value))
            {
                let _ = headers.try_append(name, value);
            }
        }
    }
    match end.error {
        None => metadata::from_headers(&headers, limits.max_metadata),
        Some(error) => {
            let failure = error.into_status(Code::Unknown, limits);
            Err(with_metadata(failure, headers, limits))
        }
    }
}

/// Adds the headers of a failure to it, as far as they are within the limits.
pub(in crate::wire::http) fn with_metadata(
    mut failure: Status,
    mut headers: HeaderMap,
    limits: &Limits,
) -> Status {
    if let Some(pushback) = take_pushback(&mut headers) {
        failure = failure.with_pushback(pushback);
    }
    let metadata = metadata::from_headers(&headers, limits.max_metadata);
    let mut metadata = metadata.unwrap_or_default();
    metadata.extend(std::mem::take(failure.metadata_mut()));
    *failure.metadata_mut() = metadata;
    failure
}

impl JsonError {
    fn says_something(&self) -> bool {
        !(self.code.is_empty() && self.message.is_empty())
    }

    /// Makes a status; `otherwise` is the code where none is named.
    fn into_status(self, otherwise: Code, limits: &Limits) -> Status {
        let code = code_of_name(&self.code).unwrap_or(otherwise);
        let status = Status::new(code, self.message).into_remote();
        let details = self.details.into_iter().filter_map(JsonDetail::into_detail);
        let details: Vec<_> = details.collect();
        let Some(header) = (!details.is_empty())
            .then(|| details::format(&status, &details))
            .flatten()
        else {
            return status;
        };
        let mut status = match details::error_in(&details, limits.decode_limits()) {
            Some(error) => status.with_attachment(error),
            None => status,
        };
        // Where a status has its details on every wire.
        status.metadata_mut().insert(details::NAME, header);
        status
    }
}

impl JsonDetail {
    fn into_detail(self) -> Option<Detail> {
        let value = decode_base64(self.value.as_bytes())?.into();
        let type_url = match details::TYPE.rsplit_once('/') {
            Some((host, own)) if self.name.starts_with(own) => format!("{host}/{}", self.name),
            _ => format!("{TYPES}{}", self.name),
        };
        Some(Detail { type_url, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(text: &str) -> Result<HeaderMap, Status> {
        of_end(
            Some(Bytes::copy_from_slice(text.as_bytes())),
            &Limits::default(),
        )
    }

    #[test]
    fn ends_are_read() {
        let metadata =
            end(r#"{"metadata":{"a":["1","2"],"B":["3"],"content-type":["x"]}}"#).unwrap();
        let all: Vec<_> = metadata.get_all("a").iter().collect();
        assert_eq!(all, ["1", "2"]);
        assert_eq!(metadata["b"], "3");
        assert!(!metadata.contains_key("content-type"));
        assert!(end("{}").unwrap().is_empty());
        let failed = end(r#"{"error":{"code":"canceled","message":"m"},"metadata":{"a":["1"]}}"#);
        let failed = failed.unwrap_err();
        assert_eq!((failed.code(), failed.message()), (Code::Cancelled, "m"));
        assert!(failed.is_remote());
        assert_eq!(failed.metadata()["a"], "1");
        for (text, code) in [
            (r#"{"error":{}}"#, Code::Unknown),
            (r#"{"error":{"code":"new"}}"#, Code::Unknown),
            (r#"{"error":1}"#, Code::Internal),
            ("", Code::Internal),
        ] {
            assert_eq!(end(text).unwrap_err().code(), code, "{text}");
        }
        assert_eq!(
            of_end(None, &Limits::default()).unwrap_err().code(),
            Code::Internal
        );
    }

    #[test]
    fn failures_are_read_with_their_details() {
        let limits = Limits::default();
        let body = br#"{"code":"not_found","details":[{"type":"a.B","value":"AQI","debug":{}}]}"#;
        let failed = of_answer(StatusCode::NOT_FOUND, body, &limits);
        assert_eq!(failed.code(), Code::NotFound);
        let detail = Detail {
            type_url: "type.googleapis.com/a.B".to_owned(),
            value: Bytes::from_static(&[1, 2]),
        };
        assert_eq!(details::of(&failed, crate::Encoding::JSON), [detail]);
        let failed = of_answer(StatusCode::BAD_GATEWAY, b"<html>", &limits);
        assert_eq!(failed.code(), Code::Unavailable);
        let failed = of_answer(StatusCode::BAD_GATEWAY, br#"{"status":"down"}"#, &limits);
        assert_eq!(failed.code(), Code::Unavailable);
        assert!(failed.message().contains("HTTP status 502"), "{failed}");
        let failed = of_answer(StatusCode::FORBIDDEN, br#"{"message":"m"}"#, &limits);
        assert_eq!(
            (failed.code(), failed.message()),
            (Code::PermissionDenied, "m")
        );
    }
}
