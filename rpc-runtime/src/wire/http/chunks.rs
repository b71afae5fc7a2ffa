//! The bytes of a body as they come.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use http::HeaderMap;
use http_body::Body;
use hyper::body::Incoming;

use crate::status::Status;

/// Why a body broke off; an [`h2::Error`] or a [`hyper::Error`].
pub(super) type ChunkError = Box<dyn Error + Send + Sync>;

/// Why no further bytes or messages come.
pub(super) enum Stopped {
    /// The bytes cannot be read, or come too slowly.
    Failed(Status),
    /// The stream broke off.
    Broken(ChunkError),
}

/// The bytes of a body. What is not taken out holds the sender up.
pub(super) enum Chunks {
    Http1(Incoming),
    Http2(RecvStream),
    /// Of a server that is not ours.
    #[cfg(feature = "tower")]
    Foreign(Pin<Box<dyn Body<Data = Bytes, Error = ChunkError> + Send>>),
}

impl Chunks {
    /// Returns the next bytes; `None` is the end that the sender has declared.
    pub(super) fn poll_chunk(
        &mut self,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Bytes, ChunkError>>> {
        match self {
            Self::Http1(body) => poll_data(Pin::new(body), cx),
            #[cfg(feature = "tower")]
            Self::Foreign(body) => poll_data(body.as_mut(), cx),
            Self::Http2(stream) => {
                let chunk = ready!(stream.poll_data(cx));
                Poll::Ready(chunk.map(|chunk| {
                    let chunk = chunk?;
                    // It fails only for more than came.
                    let _ = stream.flow_control().release_capacity(chunk.len());
                    Ok(chunk)
                }))
            }
        }
    }

    /// Says whether it is known that nothing follows.
    pub(super) fn is_end(&self) -> bool {
        match self {
            Self::Http1(body) => body.is_end_stream(),
            #[cfg(feature = "tower")]
            Self::Foreign(body) => body.is_end_stream(),
            Self::Http2(stream) => stream.is_end_stream(),
        }
    }

    /// Returns the trailers, which come behind the last bytes; `None` if there are none.
    pub(super) fn poll_trailers(
        &mut self,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Result<Option<HeaderMap>, ChunkError>> {
        match self {
            Self::Http1(_) => Poll::Ready(Ok(None)),
            #[cfg(feature = "tower")]
            Self::Foreign(_) => Poll::Ready(Ok(None)),
            Self::Http2(stream) => stream.poll_trailers(cx).map_err(Into::into),
        }
    }
}

/// Returns the next bytes. Trailers behind a request mean nothing in any protocol here.
fn poll_data<B>(
    mut body: Pin<&mut B>,
    cx: &mut TaskContext<'_>,
) -> Poll<Option<Result<Bytes, ChunkError>>>
where
    B: Body<Data = Bytes, Error: Into<ChunkError>> + ?Sized,
{
    loop {
        return Poll::Ready(match ready!(body.as_mut().poll_frame(cx)) {
            None => None,
            Some(Err(error)) => Some(Err(error.into())),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(bytes) => Some(Ok(bytes)),
                Err(_) => continue,
            },
        });
    }
}
