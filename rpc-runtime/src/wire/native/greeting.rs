//! How a connection begins: each side says what it speaks, and hears what the other does.

use std::task::{Context as TaskContext, Waker};

use bytes::BytesMut;

use super::connection::Role;
use super::driver::{Driver, End};
use super::preface::{PREFACE, detect, is_tls, version};
use crate::status::Status;
use crate::wire::detect::Detect;

impl Driver {
    /// Queues our preface and settings, before anything else.
    pub(super) fn introduce(&self) {
        let mut bytes = BytesMut::new();
        bytes.extend_from_slice(&PREFACE);
        self.shared
            .config
            .settings(self.shared.served.is_some())
            .encode(&mut bytes);
        let mut state = self.shared.state();
        state.introduced = true;
        state.outgoing.push_frames(&bytes);
    }

    /// Reads the peer's preface. False until it is whole.
    pub(super) fn greet(&mut self) -> Result<bool, End> {
        let buffer = self.frames.buffer_mut();
        match detect(buffer) {
            Detect::NeedMore => return Ok(false),
            Detect::No => {
                let status = foreign(buffer);
                return Err(self.refuse_foreign(status));
            }
            Detect::Yes => {}
        }
        let Some(preface) = buffer.first_chunk::<8>().copied() else {
            return Ok(false);
        };
        let _ = buffer.split_to(preface.len());
        self.greeted = true;
        if self.shared.role == Role::Accepted {
            self.introduce();
        }
        version(&preface).map_err(|other| {
            let mut cx = TaskContext::from_waker(Waker::noop());
            let _ = self.shared.poll_write(&mut cx);
            let text = format!("the peer speaks version {other} of the wire, this side version 1");
            End::Failed(Status::unavailable(text))
        })?;
        Ok(true)
    }

    /// Ends a connection that is not one of this wire. A client that speaks TLS is shown our preface, as
    /// without any answer it could not tell what it has met.
    fn refuse_foreign(&mut self, status: Status) -> End {
        if self.shared.role == Role::Accepted && is_tls(self.frames.buffer_mut()) {
            let peer = &*self.shared.peer;
            tracing::warn!(
                peer,
                "refused: the client speaks TLS, and this server does not"
            );
            self.introduce();
            let mut cx = TaskContext::from_waker(Waker::noop());
            let _ = self.shared.poll_write(&mut cx);
            let _ = self.shared.poll_shutdown(&mut cx);
        }
        End::Failed(status)
    }

    /// Says what it means that nothing more comes.
    pub(super) fn end_of_file(&self) -> End {
        if self.frames.is_mid_frame() {
            let text = "the peer closed the connection inside a frame";
            return End::Failed(Status::unavailable(text));
        }
        if self.shared.role == Role::Connected && !self.receiver.is_settled() {
            let text = "the peer closed the connection before it introduced itself: \
                        is it a server that speaks this wire?";
            return End::Failed(Status::unavailable(text));
        }
        End::Done(Status::unavailable("the peer closed the connection"))
    }
}

/// What it means that a peer begins with these bytes. They are shown, because people know an
/// `HTTP/1.1 400` when they see one.
fn foreign(bytes: &[u8]) -> Status {
    if is_tls(bytes) {
        let text = "the peer speaks TLS, and this side does not: is it a `tls://` URL?";
        return Status::unavailable(text);
    }
    let shown = bytes.get(..24).unwrap_or(bytes).escape_ascii();
    let text = format!("the peer does not speak this wire: it began with `{shown}`");
    Status::unavailable(text)
}
