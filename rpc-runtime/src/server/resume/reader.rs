//! The body of a response whose stream is kept.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use futures_core::Stream;

use super::stream::KeptStream;
use crate::call::BodyFrame;
use crate::status::Status;

/// What one connection of the caller reads. Dropping it leaves the stream to itself, unless the caller
/// has given it up.
pub(super) struct Reader {
    stream: Arc<KeptStream>,
    /// Which of the stream's readers it is.
    number: u64,
    ended: bool,
}

impl Reader {
    pub(super) fn new(stream: Arc<KeptStream>, number: u64) -> Self {
        Self {
            stream,
            number,
            ended: false,
        }
    }
}

impl Stream for Reader {
    type Item = Result<BodyFrame, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let polled = self.stream.poll_read(self.number, cx);
        self.ended = !matches!(
            polled,
            Poll::Pending | Poll::Ready(Some(Ok(BodyFrame::Message(_))))
        );
        polled
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stream.left(self.number);
    }
}
