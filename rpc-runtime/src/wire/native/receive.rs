//! What a frame means: each is handed to the call that it belongs to.
//!
//! What is wrong with a frame fails its call. Only what makes the rest of the connection
//! unreadable, or breaks a rule of the connection itself, ends the connection: [`Broken`].
//! Frames of the connection itself are in [`control`](super::control).

use std::sync::Arc;
use std::task::Waker;

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use super::assembly::Payload;
use super::caller::method_key;
use super::calls::OurCall;
use super::connection::Shared;
use super::control::Broken;
use super::field::{CallFields, FieldError, FieldLimits, get_varint, split_block};
use super::frame::{Flags, Frame, FrameHeader, FrameType, Run};
use super::inbox::{Fragment, Inbox};
use super::reply::Reply;
use super::responder::{Load, Responder, bounds, malformed};
use crate::call::{ErrorBody, Message, Metadata, MethodHandle};
use crate::codec::Encoding;
use crate::pushback::Pushback;
use crate::status::{Code, Status};

/// Hands frames out.
pub(super) struct Receiver {
    pub(super) shared: Arc<Shared>,
    pub(super) responder: Responder,
    pub(super) settings_seen: bool,
    /// Readers of calls, which are woken when the whole read was handed out.
    pub(super) wakers: Vec<Waker>,
}

impl Receiver {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            responder: Responder::new(Arc::clone(&shared)),
            shared,
            settings_seen: false,
            wakers: Vec::new(),
        }
    }

    /// Says whether the peer has introduced itself.
    pub(super) fn is_settled(&self) -> bool {
        self.settings_seen
    }

    /// Ends a read: what was answered in place is queued, and readers hear of what came.
    pub(super) fn end_batch(&mut self) {
        self.responder.end_batch();
        self.wakers.drain(..).for_each(Waker::wake);
    }

    pub(super) fn frame(&mut self, frame: Frame) -> Result<(), Broken> {
        if !self.settings_seen && frame.frame_type != FrameType::SETTINGS {
            let name = frame.frame_type.name();
            return Err(Broken::new(format!(
                "the first frame is {name}, not SETTINGS"
            )));
        }
        match frame.frame_type {
            FrameType::SETTINGS => self.settings(&frame),
            FrameType::REQUEST => self.request(frame),
            FrameType::PING => self.ping(&frame),
            FrameType::GO_AWAY => self.go_away(frame),
            FrameType::RESPONSE if self.is_ours(frame.call) => {
                self.response(frame);
                Ok(())
            }
            FrameType::MESSAGE => {
                self.message(frame.call, frame.flags, Payload::Shared(frame.payload))
            }
            FrameType::END => self.end(frame),
            FrameType::ERROR if self.is_ours(frame.call) => {
                self.error(frame);
                Ok(())
            }
            FrameType::CANCEL if !self.is_ours(frame.call) => {
                self.cancel(frame.call);
                Ok(())
            }
            FrameType::CREDIT => self.credit(&frame),
            other if other.may_ignore() => Ok(()),
            other => self.misplaced(frame.call, other),
        }
    }

    /// Takes a fragment that was read in place.
    pub(super) fn fragment(&mut self, header: FrameHeader, bytes: BytesMut) -> Result<(), Broken> {
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

    pub(super) fn is_ours(&self, call: u64) -> bool {
        call != 0 && !self.shared.role.is_peers(call)
    }

    pub(super) fn field_limits(&self) -> FieldLimits {
        FieldLimits {
            max_bytes: self.shared.config.limits.max_metadata.max(16 << 10),
            ..FieldLimits::default()
        }
    }

    fn request(&mut self, frame: Frame) -> Result<(), Broken> {
        let call = frame.call;
        if !self.shared.role.is_peers(call) {
            return Err(Broken::new(format!(
                "a REQUEST has the number {call} of the wrong side"
            )));
        }
        let mut state = self.shared.state();
        if call <= state.last_peers_call {
            let last = state.last_peers_call;
            return Err(Broken::new(format!(
                "a REQUEST has the number {call} after {last}"
            )));
        }
        state.last_peers_call = call;
        let load = Load::of(&state, &self.shared.config.limits);
        drop(state);
        self.responder.request(frame, &load);
        self.check_flood_behind(load.small)
    }

    /// A peer that makes us answer and does not read the answers is cut off.
    pub(super) fn check_flood(&self) -> Result<(), Broken> {
        let small = self.shared.state().outgoing.small_len();
        self.check_flood_behind(small)
    }

    fn check_flood_behind(&self, small: usize) -> Result<(), Broken> {
        let limit = self.shared.config.limits.max_outgoing.saturating_mul(2);
        if small + self.responder.frames.len() > limit {
            return Err(Broken::new(format!(
                "the peer asks and does not read: over {limit} bytes of short answers wait for it \
                 (twice the limit `max_outgoing`)"
            ))
            .with_code(Code::ResourceExhausted));
        }
        Ok(())
    }

    fn response(&mut self, frame: Frame) {
        let Frame { call, flags, .. } = frame;
        let limits = self.field_limits();
        let parsed = split_block(frame.payload)
            .and_then(|(block, message)| Ok((CallFields::parse(block, &limits)?, message)));
        let mut state = self.shared.state();
        let Some(entry) = state.calls.get_mut(&call) else {
            return;
        };
        let (fields, message) = match parsed {
            Ok(parsed) if !entry.accepted => parsed,
            parsed => {
                drop(state);
                let status = match parsed {
                    Ok(_) => Status::internal("the peer sent a second RESPONSE"),
                    Err(error) => unreadable("RESPONSE", &error),
                };
                return self.fail_ours(call, status);
            }
        };
        entry.accepted = true;
        entry.expires = entry.deadline;
        let key = entry.method.map(method_key);
        if let (Some(key), Some(number)) = (key, fields.method_number)
            && state.method_numbers.len() < super::caller::MAX_METHOD_NUMBERS
        {
            state.method_numbers.insert(key, number);
        }
        let message = flags.contains(Flags::BODY).then_some(message);
        if flags.contains(Flags::END) && !flags.contains(Flags::MORE) {
            let removed = self.shared.remove_call(&mut state, call);
            drop(state);
            return self.reply(removed, fields.metadata, message);
        }
        let inbox = state.calls.get(&call).map(|it| Arc::clone(&it.inbox));
        drop(state);
        let Some(inbox) = inbox else {
            return;
        };
        self.wakers.extend(inbox.accept(fields.metadata));
        if let Some(message) = message {
            let message = Payload::Shared(message);
            self.push_ours(call, &inbox, message, flags, false);
        }
    }

    /// Ends a call of ours with a reply that came whole.
    fn reply(&mut self, call: Option<OurCall>, metadata: Metadata, message: Option<Bytes>) {
        let Some(call) = call else {
            return;
        };
        match call.inbox.reply(metadata, message, &bounds(&self.shared)) {
            Ok(waker) => {
                self.wakers.extend(waker);
                call.stop_upload();
            }
            Err(status) => self.finish(call, Err(status.at_peer(&self.shared.peer))),
        }
    }

    /// Adds to a call of ours what came of a message, and its end if this is it.
    fn push_ours(
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

    fn end_ours(&mut self, call: u64, end: Result<Metadata, Status>) {
        let mut state = self.shared.state();
        let removed = self.shared.remove_call(&mut state, call);
        drop(state);
        if let Some(call) = removed {
            self.finish(call, end);
        }
    }

    pub(super) fn finish(&mut self, call: OurCall, end: Result<Metadata, Status>) {
        if end.is_err() {
            // The call's reader may come much later, or never.
            call.inbox.drop_incomplete(&self.shared.budget);
        }
        self.wakers.extend(call.inbox.end(end));
        call.stop_upload();
    }

    /// Ends a call of ours because of what the peer sent for it, and tells the peer.
    fn fail_ours(&mut self, call: u64, status: Status) {
        let mut state = self.shared.state();
        let Some(removed) = self.shared.remove_call(&mut state, call) else {
            return;
        };
        state.push_cancel(call, status.code());
        drop(state);
        self.finish(removed, Err(status.at_peer(&self.shared.peer)));
    }

    /// Ends a call of the peer because of what it sent for it.
    fn fail_peers(&mut self, call: u64, status: Status) {
        let removed = self.shared.state().remove_peers_call(call);
        let Some(entry) = removed else {
            return;
        };
        self.shared.drop_peers_call(entry, &status);
        let mut state = self.shared.state();
        state.outgoing.forget(call);
        drop(state);
        let frames = &mut self.responder.frames;
        let encoding = Encoding::MESSAGE_PACK;
        let reply = Reply::plain(call, encoding);
        super::reply::error_frame(&self.shared, frames, reply, status, Flags::NONE);
    }

    fn message(&mut self, call: u64, flags: Flags, payload: Payload) -> Result<(), Broken> {
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

    /// Takes several messages of a call as [`message`](Self::message) takes one.
    pub(super) fn run(&mut self, run: Run) {
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

    fn end(&mut self, frame: Frame) -> Result<(), Broken> {
        let call = frame.call;
        if call == 0 {
            return Err(Broken::new("an END belongs to no call".to_owned()));
        }
        let trailers = match CallFields::parse(frame.payload, &self.field_limits()) {
            Ok(fields) => fields.metadata,
            Err(error) => {
                self.fail_any(call, malformed(error));
                return Ok(());
            }
        };
        let state = self.shared.state();
        if self.is_ours(call) {
            let accepted = state.calls.get(&call).is_none_or(|it| it.accepted);
            drop(state);
            if accepted {
                self.end_ours(call, Ok(trailers));
            } else {
                self.fail_ours(
                    call,
                    Status::internal("the peer sent END before its RESPONSE"),
                );
            }
            return Ok(());
        }
        let inbox = state
            .peers_calls
            .get(&call)
            .and_then(|it| it.upload.clone());
        drop(state);
        if let Some(inbox) = inbox {
            self.wakers.extend(inbox.end(Ok(trailers)));
        }
        Ok(())
    }

    fn error(&mut self, frame: Frame) {
        let call = frame.call;
        let fields = match CallFields::parse(frame.payload, &self.field_limits()) {
            Ok(fields) => fields,
            Err(error) => {
                return self.end_ours(call, Err(unreadable("ERROR", &error)));
            }
        };
        let code = fields.code.and_then(|code| u8::try_from(code).ok());
        let code = code.map_or(Code::Unknown, Code::from_number);
        let called = self.called(call);
        let mut text = fields.text.unwrap_or_default();
        if let (Code::Unimplemented, Some(schema)) = (code, fields.schema)
            && let Some(why) = called.and_then(|it| schema.explain(it.1?))
        {
            text.push_str(&format!(" ({why})"));
        }
        let mut status = Status::new(code, text);
        if frame.flags.contains(Flags::NOT_STARTED) {
            status = status.into_not_started();
        }
        if let Some(pushback) = fields.pushback {
            status = status.with_pushback(Pushback::from_number(pushback));
        }
        *status.metadata_mut() = fields.metadata.into_map();
        if let Some(details) = fields.details {
            let limits = self.shared.config.limits.decode_limits();
            let encoding = called.map_or(Encoding::MESSAGE_PACK, |it| it.0);
            // Copied: the error may live long, and the bytes stand in a whole read's memory.
            let details = Bytes::copy_from_slice(&details);
            let body = ErrorBody::new(Message::with_limits(details, encoding, limits));
            status = status.with_attachment(Arc::new(body));
        }
        self.end_ours(call, Err(status.into_remote().at_peer(&self.shared.peer)));
    }

    /// Returns the encoding and the method of a call of ours.
    fn called(&self, call: u64) -> Option<(Encoding, Option<MethodHandle>)> {
        let state = self.shared.state();
        let call = state.calls.get(&call)?;
        Some((call.encoding, call.method))
    }

    fn cancel(&mut self, call: u64) {
        let grace = self.shared.config.cancel_grace;
        let mut state = self.shared.state();
        let Some(entry) = state.peers_calls.get(&call) else {
            // A large answer may still be on its way.
            state.outgoing.forget(call);
            return;
        };
        let upload = entry.upload.clone();
        let expires = state.silence(call, Instant::now() + grace);
        state.outgoing.forget(call);
        state.sweep_by(expires);
        drop(state);
        if let Some(inbox) = upload {
            let end = Err(Status::cancelled("the caller gave the call up"));
            self.wakers.extend(inbox.end(end));
        }
    }

    fn credit(&mut self, frame: &Frame) -> Result<(), Broken> {
        let mut payload = &frame.payload[..];
        let amount = match get_varint(&mut payload) {
            Ok(amount) if payload.is_empty() => i64::try_from(amount).unwrap_or(i64::MAX),
            _ => {
                self.fail_any(frame.call, Status::internal("a CREDIT is not one varint"));
                return Ok(());
            }
        };
        let mut state = self.shared.state();
        let sending = if self.is_ours(frame.call) {
            state.calls.get_mut(&frame.call).map(|it| &mut it.sending)
        } else {
            state
                .peers_calls
                .get_mut(&frame.call)
                .map(|it| &mut it.sending)
        };
        let waker = sending.and_then(|it| it.add(amount));
        drop(state);
        self.wakers.extend(waker);
        Ok(())
    }

    /// A frame of a type that is not known, or that the other side of a call may send only.
    fn misplaced(&mut self, call: u64, frame_type: FrameType) -> Result<(), Broken> {
        let text = format!(
            "a frame of type {:#04x} ({}) has no meaning here",
            frame_type.0,
            frame_type.name()
        );
        if call == 0 {
            return Err(Broken::new(text).with_code(Code::Unimplemented));
        }
        self.fail_any(call, Status::unimplemented(text));
        Ok(())
    }

    pub(super) fn fail_any(&mut self, call: u64, status: Status) {
        if self.is_ours(call) {
            self.fail_ours(call, status);
        } else {
            self.fail_peers(call, status);
        }
    }
}

/// What it means for a call of ours that the peer's fields cannot be read.
fn unreadable(frame: &str, error: &FieldError) -> Status {
    let code = if error.is_limit() {
        Code::ResourceExhausted
    } else {
        Code::Internal
    };
    Status::new(code, format!("the peer's {frame} cannot be read: {error}"))
}
