//! An answer that can be given more than once.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;

use crate::call::{Body, ErrorBody, Message, Response};
use crate::codec::Encoding;
use crate::status::Status;

/// The answer of a call, as often as it is asked for.
pub(super) struct Answer(Result<Whole, Failure>);

struct Whole {
    message: Option<(Bytes, Encoding)>,
    metadata: HeaderMap,
    trailers: HeaderMap,
}

/// The method's own error is apart from the status: each caller takes it out of its own.
struct Failure {
    status: Status,
    error: Option<ErrorBody>,
    encoding: Encoding,
}

impl Answer {
    /// Makes one of what a handler ended with.
    pub(super) fn of(result: Result<Response, Status>, encoding: Encoding) -> Self {
        let whole = result.and_then(|response| Whole::of(response, encoding));
        Self(whole.map_err(|status| Failure::of(status, encoding)))
    }

    /// Makes one of a failure that is not the handler's.
    pub(super) fn failed(status: Status) -> Self {
        Self(Err(Failure {
            status,
            error: None,
            encoding: Encoding::MESSAGE_PACK,
        }))
    }

    /// Gives the answer.
    pub(super) fn give(&self) -> Result<Response, Status> {
        match &self.0 {
            Ok(whole) => Ok(whole.response()),
            Err(failure) => Err(failure.status()),
        }
    }

    /// Returns it for those who come later: without the cause of a failure, whose size nobody knows.
    pub(super) fn to_keep(self: &Arc<Self>) -> Arc<Self> {
        match &self.0 {
            Ok(_) => Arc::clone(self),
            Err(failure) => {
                let status = failure.status().without_source();
                Arc::new(Self(Err(Failure::of(status, failure.encoding))))
            }
        }
    }

    /// Returns how many bytes it takes.
    pub(super) fn weight(&self) -> usize {
        match &self.0 {
            Ok(whole) => {
                let message = whole.message.as_ref().map_or(0, |(bytes, _)| bytes.len());
                message + of_metadata(&whole.metadata) + of_metadata(&whole.trailers)
            }
            Err(Failure {
                status,
                error,
                encoding,
            }) => {
                let error = error.as_ref().and_then(|it| it.bytes(*encoding)?.ok());
                let error = error.map_or(0, |bytes| bytes.len());
                error + status.message().len() + of_metadata(status.metadata())
            }
        }
    }
}

impl Whole {
    fn of(mut response: Response, encoding: Encoding) -> Result<Self, Status> {
        let mut body = response.take_body();
        let message = match body.single_mut() {
            // A copy, and not a part of something larger that would be kept with it.
            Some(message) => Some((Bytes::copy_from_slice(&message.bytes(encoding)?), encoding)),
            None => None,
        };
        Ok(Self {
            message,
            metadata: response.take_metadata().into_map(),
            trailers: response.take_trailers().into_map(),
        })
    }

    fn response(&self) -> Response {
        let message = self.message.clone();
        let body = message.map_or_else(Body::empty, |(bytes, encoding)| {
            Body::message(Message::encoded(bytes, encoding))
        });
        let mut response = Response::new(body);
        if !self.metadata.is_empty() {
            response.metadata_mut().extend(self.metadata.clone());
        }
        if !self.trailers.is_empty() {
            response.trailers_mut().extend(self.trailers.clone());
        }
        response
    }
}

impl Failure {
    fn of(status: Status, encoding: Encoding) -> Self {
        let error = status.attachment().and_then(|it| it.downcast_ref());
        let error = error.and_then(|error: &ErrorBody| match error.copy(encoding)? {
            Ok(message) => Some(ErrorBody::new(message)),
            Err(reason) => {
                tracing::warn!(%reason, "a method's own error cannot be encoded");
                None
            }
        });
        Self {
            status: status.without_attachment(),
            error,
            encoding,
        }
    }

    fn status(&self) -> Status {
        let copy = self.error.as_ref().and_then(|it| it.copy(self.encoding));
        match copy {
            Some(Ok(message)) => {
                let error = Arc::new(ErrorBody::new(message));
                self.status.clone().with_attachment(error)
            }
            _ => self.status.clone(),
        }
    }
}

fn of_metadata(map: &HeaderMap) -> usize {
    let entries = map.iter();
    entries
        .map(|(name, value)| name.as_str().len() + value.len() + 64)
        .sum()
}
