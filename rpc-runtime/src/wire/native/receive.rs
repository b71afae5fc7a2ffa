//! What a frame means: each is handed to the call that it belongs to.
//!
//! What is wrong with a frame fails its call. Only what makes the rest of the connection
//! unreadable, or breaks a rule of the connection itself, ends the connection: [`Broken`].
//! Frames of the connection itself are in [`control`](super::control).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;

use bytes::Bytes;
use tokio::time::Instant;

use super::assembly::Payload;
use super::calls::OurCall;
use super::connection::Shared;
use super::control::Broken;
use super::field::{CallFields, FieldError, FieldLimits, get_varint};
use super::frame::{Flags, Frame, FrameType};
use super::replies::Replies;
use super::reply::Reply;
use super::responder::Responder;
use crate::call::{ErrorBody, Message, Metadata, MethodHandle};
use crate::codec::Encoding;
use crate::pushback::Pushback;
use crate::status::{Code, Status};

/// Hands frames out.
pub(super) struct Receiver {
    pub(super) shared: Arc<Shared>,
    pub(super) responder: Responder,
    pub(super) settings_seen: bool,
    /// Answers that came whole and were not handed out yet.
    pub(super) replies: Replies,
    /// Readers of calls, which are woken when the whole read was handed out.
    pub(super) wakers: Vec<Waker>,
}

impl Receiver {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            responder: Responder::new(Arc::clone(&shared)),
            shared,
            settings_seen: false,
            replies: Replies::default(),
            wakers: Vec::new(),
        }
    }

    /// Says whether the peer has introduced itself.
    pub(super) fn is_settled(&self) -> bool {
        self.settings_seen
    }

    /// Ends a read: what was answered in place is queued, and readers hear of what came.
    pub(super) fn end_batch(&mut self) {
        self.hand_over();
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
        let ours = self.is_ours(frame.call);
        match frame.frame_type {
            FrameType::REQUEST => return self.request(frame),
            FrameType::RESPONSE if ours && frame.is_last() => {
                self.whole_reply(frame);
                return Ok(());
            }
            // What comes behind an answer must find its call ended.
            _ => self.hand_over(),
        }
        match frame.frame_type {
            FrameType::RESPONSE | FrameType::ERROR | FrameType::CANCEL if frame.call == 0 => {
                let name = frame.frame_type.name();
                Err(Broken::new(format!("{name} belongs to no call")))
            }
            FrameType::SETTINGS => self.settings(&frame),
            FrameType::PING => self.ping(&frame),
            FrameType::GO_AWAY => self.go_away(frame),
            FrameType::RESPONSE if ours => {
                self.response(frame);
                Ok(())
            }
            FrameType::MESSAGE => {
                self.message(frame.call, frame.flags, Payload::Shared(frame.payload))
            }
            FrameType::END => self.end(frame),
            FrameType::ERROR if ours => {
                self.error(frame);
                Ok(())
            }
            FrameType::CANCEL if !ours => {
                self.cancel(frame.call);
                Ok(())
            }
            FrameType::CREDIT => self.credit(&frame),
            FrameType::SKIPPED => {
                self.skipped(&frame);
                Ok(())
            }
            other if other.may_ignore() => Ok(()),
            other => self.misplaced(frame.call, other),
        }
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
        let last = self.shared.last_peers_call.load(Ordering::Relaxed);
        if call <= last {
            return Err(Broken::new(format!(
                "a REQUEST has the number {call} after {last}"
            )));
        }
        self.shared.last_peers_call.store(call, Ordering::SeqCst);
        if self.shared.refuses.load(Ordering::SeqCst) {
            self.responder.look_again();
        }
        let load = self.responder.load();
        self.responder.request(frame, load);
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

    /// Takes the RESPONSE of an answer that goes on.
    fn response(&mut self, frame: Frame) {
        let Frame { call, flags, .. } = frame;
        let limits = self.field_limits();
        let mut fields = CallFields::default();
        let parsed = fields.read_payload(frame.payload, &limits);
        self.begin_answer(call, flags, fields, parsed);
    }

    /// Begins the answer to a call of ours, and ends it if it is whole.
    pub(super) fn begin_answer(
        &mut self,
        call: u64,
        flags: Flags,
        fields: CallFields,
        parsed: Result<Bytes, FieldError>,
    ) {
        let mut state = self.shared.state();
        let Some(entry) = state.calls.get_mut(&call) else {
            return;
        };
        let message = match parsed {
            Ok(message) if !entry.accepted => message,
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
        let inbox = Arc::clone(&entry.inbox);
        let method = entry.method;
        state.learn_number(method, fields.method_number);
        drop(state);
        let message = flags.contains(Flags::BODY).then_some(message);
        let granted = fields.resume.and_then(|it| it.granted()).map(Box::new);
        self.wakers.extend(inbox.accept(fields.metadata, granted));
        if let Some(message) = message {
            let message = Payload::Shared(message);
            self.push_ours(call, &inbox, message, flags, false);
        } else if flags.contains(Flags::END) {
            self.end_ours(call, Ok(Metadata::default()));
        }
    }

    pub(super) fn end_ours(&mut self, call: u64, end: Result<Metadata, Status>) {
        let mut state = self.shared.state();
        let removed = self.shared.remove_call(&mut state, call);
        // Nobody reads what is left of its request.
        state.outgoing.forget(call);
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
    pub(super) fn fail_ours(&mut self, call: u64, status: Status) {
        let mut state = self.shared.state();
        let Some(removed) = self.shared.remove_call(&mut state, call) else {
            return;
        };
        state.push_cancel(call, status.code());
        drop(state);
        self.finish(removed, Err(status.at_peer(&self.shared.peer)));
    }

    /// Ends a call of the peer because of what it sent for it.
    pub(super) fn fail_peers(&mut self, call: u64, status: Status) {
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

    fn end(&mut self, frame: Frame) -> Result<(), Broken> {
        let call = frame.call;
        if call == 0 {
            return Err(Broken::new("an END belongs to no call".to_owned()));
        }
        let trailers = match CallFields::parse(&frame.payload, &self.field_limits()) {
            Ok(fields) => fields.metadata,
            Err(error) => {
                self.fail_any(call, unreadable("END", &error));
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
        let fields = match CallFields::parse(&frame.payload, &self.field_limits()) {
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
pub(super) fn unreadable(frame: &str, error: &FieldError) -> Status {
    let code = if error.is_limit() {
        Code::ResourceExhausted
    } else {
        Code::Internal
    };
    Status::new(code, format!("the peer's {frame} cannot be read: {error}"))
}
