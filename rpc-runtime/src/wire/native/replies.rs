//! Answers that came whole, as nearly all do: those of one read reach their calls together.

use bytes::{Bytes, BytesMut};

use super::caller::{MAX_METHOD_NUMBERS, method_key};
use super::calls::OurCall;
use super::field::CallFields;
use super::frame::{Flags, Frame};
use super::inbox::SHORT_REPLY;
use super::receive::{Receiver, unreadable};
use super::responder::bounds;
use super::state::State;
use crate::call::{Metadata, MethodHandle};
use crate::status::Status;

/// A RESPONSE that is all of an answer.
pub(super) struct WholeReply {
    call: u64,
    metadata: Metadata,
    method_number: Option<u64>,
    message: Option<Bytes>,
}

/// Whole answers on their way to their calls.
#[derive(Default)]
pub(super) struct Replies {
    came: Vec<WholeReply>,
    /// Kept for its memory.
    answered: Vec<Answered>,
}

/// A call that has ended with a reply, or because of it.
struct Answered {
    call: OurCall,
    reply: Result<WholeReply, Status>,
}

impl Receiver {
    /// Takes a RESPONSE that is all of an answer. Its call gets it with the next
    /// [`hand_over`](Self::hand_over).
    pub(super) fn whole_reply(&mut self, frame: Frame) {
        let Frame { call, flags, .. } = frame;
        let limits = self.field_limits();
        let mut fields = CallFields::default();
        match fields.read_payload(frame.payload, &limits) {
            // What says how a stream goes on comes before its items.
            parsed if fields.resume.is_some() => {
                self.hand_over();
                self.begin_answer(call, flags, fields, parsed);
            }
            Ok(message) => self.replies.came.push(WholeReply {
                call,
                metadata: fields.metadata,
                method_number: fields.method_number,
                message: flags.contains(Flags::BODY).then_some(message),
            }),
            Err(error) => {
                self.hand_over();
                self.fail_ours(call, unreadable("RESPONSE", &error));
            }
        }
    }

    /// Ends the calls whose answers have come whole, under one lock for all of them.
    pub(super) fn hand_over(&mut self) {
        if self.replies.came.is_empty() {
            return;
        }
        let mut answered = std::mem::take(&mut self.replies.answered);
        let mut state = self.shared.state();
        for reply in self.replies.came.drain(..) {
            answered.extend(state.answer(reply));
        }
        state.answered += answered.len();
        drop(state);
        self.shared.places.add_permits(answered.len());
        let mut short = ShortReplies::of(&answered);
        for Answered { call, reply } in answered.drain(..) {
            match reply {
                Ok(reply) => self.reply(call, reply, &mut short),
                Err(status) => self.finish(call, Err(status.at_peer(&self.shared.peer))),
            }
        }
        self.replies.answered = answered;
    }

    fn reply(&mut self, call: OurCall, reply: WholeReply, short: &mut ShortReplies) {
        let message = reply.message.map(|it| short.keep(it));
        let bounds = bounds(&self.shared);
        match call.inbox.reply(reply.metadata, message, &bounds) {
            Ok(waker) => {
                self.wakers.extend(waker);
                call.stop_upload();
            }
            Err(status) => self.finish(call, Err(status.at_peer(&self.shared.peer))),
        }
    }
}

impl State {
    /// Takes out the call that is answered, if it is still open.
    fn answer(&mut self, reply: WholeReply) -> Option<Answered> {
        let call = self.calls.remove(&reply.call)?;
        // Nobody reads what is left of its request.
        self.outgoing.forget(reply.call);
        if call.accepted {
            let status = Status::internal("the peer sent a second RESPONSE");
            self.push_cancel(reply.call, status.code());
            let reply = Err(status);
            return Some(Answered { call, reply });
        }
        self.learn_number(call.method, reply.method_number);
        let reply = Ok(reply);
        Some(Answered { call, reply })
    }

    /// Keeps the number that the peer has told for a method.
    pub(super) fn learn_number(&mut self, method: Option<MethodHandle>, number: Option<u64>) {
        if let (Some(method), Some(number)) = (method, number)
            && self.method_numbers.len() < MAX_METHOD_NUMBERS
        {
            self.method_numbers.insert(method_key(method), number);
        }
    }
}

/// Copies short replies out of the memory that was read into, which each of them would keep as a
/// whole. Those of one read share pieces of memory as large as one of them may be.
struct ShortReplies {
    piece: BytesMut,
    /// The bytes of those that are still to come.
    left: usize,
}

impl ShortReplies {
    fn of(answered: &[Answered]) -> Self {
        let replies = answered.iter().flat_map(|it| &it.reply);
        let messages = replies.flat_map(|it| &it.message).map(Bytes::len);
        Self {
            piece: BytesMut::new(),
            left: messages.filter(|it| *it <= SHORT_REPLY).sum(),
        }
    }

    fn keep(&mut self, message: Bytes) -> Bytes {
        let length = message.len();
        if length > SHORT_REPLY {
            return message;
        }
        if self.piece.capacity() < length {
            self.piece = BytesMut::with_capacity(self.left.min(SHORT_REPLY));
        }
        self.left -= length;
        self.piece.extend_from_slice(&message);
        if self.left == 0 {
            // The last of its piece, and most often the only one: nothing is shared.
            return std::mem::take(&mut self.piece).freeze();
        }
        self.piece.split().freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_replies_share_memory_and_keep_no_more_than_one_may_be_long() {
        let read = Bytes::from(vec![7; 40_000]);
        let lengths = [10, 0, 3_000, 2_000, SHORT_REPLY, 30, SHORT_REPLY + 1];
        let mut short = ShortReplies {
            piece: BytesMut::new(),
            left: lengths.iter().filter(|it| **it <= SHORT_REPLY).sum(),
        };
        for length in lengths {
            let kept = short.keep(read.slice(..length));
            assert_eq!(kept, read[..length]);
            let is_copy = kept.is_empty() || kept.as_ptr() != read.as_ptr();
            assert_eq!(is_copy, length <= SHORT_REPLY);
            assert!(short.piece.capacity() <= SHORT_REPLY);
        }
        assert_eq!(short.left, 0);
    }
}
