//! Messages as they come: fragments, whole ones, and runs of small ones.

use std::sync::Arc;

use bytes::BytesMut;

use super::assembly::Payload;
use super::control::Broken;
use super::field::get_varint;
use super::frame::{Flags, Frame, FrameHeader, Run};
use super::inbox::{Fragment, Inbox};
use super::receive::Receiver;
use super::responder::bounds;
use crate::call::Metadata;
use crate::status::Status;

impl Receiver {
    /// Takes a fragment that was read in place.
    pub(super) fn fragment(&mut self, header: FrameHeader, bytes: BytesMut) -> Result<(), Broken> {
        self.hand_over();
        self.message(header.call, header.flags, Payload::InPlace(bytes))
    }

    /// Lends memory of a message, for a fragment of it and the header behind that.
    pub(super) fn lend(&self, header: FrameHeader) -> Option<BytesMut> {
        let state = self.shared.state();
        let inbox = if self.is_ours(header.call) {
            Arc::clone(&state.calls.get(&header.call)?.inbox)
        } else {
            state.peers_calls.get(&header.call)?.upload.clone()?
        };
        drop(state);
        let more = header.flags.contains(Flags::MORE);
        inbox.lend(header.payload_length(), more, &bounds(&self.shared))
    }

    pub(super) fn message(
        &mut self,
        call: u64,
        flags: Flags,
        payload: Payload,
    ) -> Result<(), Broken> {
        if call == 0 {
            return Err(Broken::new("a MESSAGE belongs to no call".to_owned()));
        }
        if flags.contains(Flags::MORE | Flags::END) {
            let status = Status::internal("a MESSAGE has both MORE and END");
            self.fail_any(call, status);
            return Ok(());
        }
        let state = self.shared.state();
        if self.is_ours(call) {
            let found = state.calls.get(&call);
            let found = found.map(|it| (Arc::clone(&it.inbox), it.accepted));
            drop(state);
            if let Some((inbox, accepted)) = found {
                if !accepted {
                    let status = Status::internal("the peer sent a MESSAGE before its RESPONSE");
                    self.fail_ours(call, status);
                    return Ok(());
                }
                self.push_ours(call, &inbox, payload, flags, true);
            }
            return Ok(());
        }
        let inbox = state
            .peers_calls
            .get(&call)
            .and_then(|it| it.upload.clone());
        drop(state);
        let Some(inbox) = inbox else {
            return Ok(());
        };
        let fragment = Fragment {
            payload,
            more: flags.contains(Flags::MORE),
            counted: true,
        };
        match inbox.push(fragment, &bounds(&self.shared)) {
            Ok(waker) => self.wakers.extend(waker),
            Err(status) => {
                self.fail_peers(call, status);
                return Ok(());
            }
        }
        self.expect_more(&inbox, flags);
        if flags.contains(Flags::END) {
            self.wakers.extend(inbox.end(Ok(Metadata::default())));
        }
        Ok(())
    }

    /// Takes the word that messages were left out before the next one. What cannot be read is passed
    /// over, as all of it may be.
    pub(super) fn skipped(&mut self, frame: &Frame) {
        let mut payload = &*frame.payload;
        let Ok(skipped) = get_varint(&mut payload) else {
            return;
        };
        let state = self.shared.state();
        let inbox = if self.is_ours(frame.call) {
            state.calls.get(&frame.call).map(|it| &it.inbox)
        } else {
            let call = state.peers_calls.get(&frame.call);
            call.and_then(|it| it.upload.as_ref())
        };
        let inbox = inbox.map(Arc::clone);
        drop(state);
        if let Some(inbox) = inbox {
            inbox.push_skipped(u32::try_from(skipped).unwrap_or(u32::MAX));
        }
    }

    /// Takes several messages of a call as [`message`](Self::message) takes one.
    pub(super) fn run(&mut self, run: Run) {
        self.hand_over();
        let call = run.call;
        let ours = self.is_ours(call);
        let state = self.shared.state();
        let found = if ours {
            let found = state.calls.get(&call);
            found.map(|it| (Arc::clone(&it.inbox), it.accepted))
        } else {
            let inbox = state.peers_calls.get(&call);
            let inbox = inbox.and_then(|it| it.upload.clone());
            inbox.map(|it| (it, true))
        };
        drop(state);
        let Some((inbox, accepted)) = found else {
            return;
        };
        let pushed = if accepted {
            inbox.push_run(run, &bounds(&self.shared))
        } else {
            let text = "the peer sent a MESSAGE before its RESPONSE";
            Err(Status::internal(text))
        };
        match pushed {
            Ok(waker) => self.wakers.extend(waker),
            Err(status) => self.fail_any(call, status),
        }
    }

    /// Adds to a call of ours what came of a message, and its end if this is it.
    pub(super) fn push_ours(
        &mut self,
        call: u64,
        inbox: &Inbox,
        payload: Payload,
        flags: Flags,
        counted: bool,
    ) {
        let more = flags.contains(Flags::MORE);
        let fragment = Fragment {
            payload,
            more,
            counted,
        };
        match inbox.push(fragment, &bounds(&self.shared)) {
            Ok(waker) => self.wakers.extend(waker),
            Err(status) => return self.fail_ours(call, status),
        }
        self.expect_more(inbox, flags);
        if flags.contains(Flags::END) {
            self.end_ours(call, Ok(Metadata::default()));
        }
    }

    /// Sees to it that a message which is not whole yet does not stay so.
    fn expect_more(&self, inbox: &Inbox, flags: Flags) {
        if flags.contains(Flags::MORE) {
            // This is the driver, which looks at the next sweep before it sleeps.
            self.shared.state().sweep_by(inbox.message_expires());
        }
    }
}
