//! An answer that is one message, which gRPC ends with trailers.

use bytes::Bytes;
use http::HeaderMap;

use super::end::End;
use crate::status::Status;
use crate::wire::http::reply_body::Part;

/// What is left of such an answer.
pub(in crate::wire::http) struct WholeReply {
    /// Empty when it was handed over.
    message: Bytes,
    trailers: HeaderMap,
    write_end: End,
}

impl WholeReply {
    /// `metadata` is what the call has behind its reply.
    pub(super) fn new(message: Bytes, metadata: HeaderMap, write_end: End) -> Self {
        Self {
            message,
            trailers: write_end.trailers_behind(Ok(metadata)),
            write_end,
        }
    }

    /// Returns the bytes that are not handed over.
    pub(in crate::wire::http) fn waiting(&self) -> usize {
        self.message.len()
    }

    /// Returns the next part, and whether it is the last.
    pub(in crate::wire::http) fn part(&mut self) -> (Part, bool) {
        if self.message.is_empty() {
            (Part::Trailers(std::mem::take(&mut self.trailers)), true)
        } else {
            (Part::Data(std::mem::take(&mut self.message)), false)
        }
    }

    /// Takes everything out.
    pub(in crate::wire::http) fn into_parts(self) -> (Bytes, HeaderMap) {
        (self.message, self.trailers)
    }

    /// Ends the call with a failure in place of what was to follow.
    pub(in crate::wire::http) fn fail(&mut self, status: Status) {
        self.message = Bytes::new();
        self.trailers = self.write_end.trailers_behind(Err(status));
    }
}
