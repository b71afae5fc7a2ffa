//! How long the head of a request may take over HTTP/1.1.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use tokio::time::{Instant, Sleep, sleep_until};

use super::server::Connection;
use crate::call::deadline_after;

/// Bounds that by [`Server::frame_timeout`](crate::Server::frame_timeout), from the first byte of a head:
/// before that, a connection is idle, which has a time of its own.
pub(super) struct HeadTime {
    connection: Arc<Connection>,
    /// What the connection had counted of requests when it was looked at last.
    came: usize,
    /// When the first byte came that is behind all requests.
    began: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl HeadTime {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        Self {
            came: connection.came(),
            connection,
            began: None,
            timer: None,
        }
    }

    /// Looks at what was read; an error if the time is over.
    pub(super) fn bound(
        &mut self,
        read: Poll<io::Result<()>>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<io::Result<()>> {
        let came = self.connection.came();
        let is_answering = self.connection.is_answering();
        if is_answering || came != self.came {
            // The head was whole.
            self.came = came;
            self.began = None;
            self.timer = None;
        }
        if read.is_ready() && !is_answering {
            self.began.get_or_insert_with(Instant::now);
        }
        let Some(began) = self.began.filter(|_| read.is_pending()) else {
            return read;
        };
        let due = deadline_after(began, self.connection.config.frame_timeout);
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        ready!(timer.as_mut().poll(cx));
        let text = "the head of a request was not whole within `frame_timeout`";
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, text)))
    }
}
