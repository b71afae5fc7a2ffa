//! What waits to be written to a connection.
//!
//! Small frames stand one behind the other in one buffer. A message that is larger than a fragment
//! waits in a lane of its call; the lanes take turns, a fragment at a time, so that small frames
//! of other calls pass a large message on its way. Frames of the same call stay behind it.

use std::collections::VecDeque;

use bytes::{BufMut, Bytes, BytesMut};

use super::chunks::{BY_REFERENCE, Chunks};
use super::frame::{Flags, FrameHeader, FrameType, HEADER_LENGTH};
use super::room::Wanted;
use crate::call::Rope;

/// Longer messages leave in fragments, which are no longer than this but when it is [quiet](QUIET).
pub(super) const FRAGMENT: usize = 64 << 10;

/// A frame whose payload is in parts: fields in the pieces of `head`, the message in `body`.
pub(super) struct Parts<'a> {
    pub(super) frame_type: FrameType,
    /// The flags of the last frame; `MORE` is added to those before it.
    pub(super) flags: Flags,
    pub(super) call: u64,
    pub(super) head: &'a [&'a [u8]],
    pub(super) body: Body<'a>,
}

impl Parts<'_> {
    fn head_len(&self) -> usize {
        self.head.iter().map(|it| it.len()).sum()
    }
}

/// The message of a frame.
pub(super) enum Body<'a> {
    /// Small, or worth a copy.
    Slice(&'a [u8]),
    /// Queued as it is.
    Shared(Rope),
}

impl Body<'_> {
    fn into_rope(self) -> Rope {
        match self {
            Self::Slice(bytes) => Bytes::copy_from_slice(bytes).into(),
            Self::Shared(rope) => rope,
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Slice(bytes) => bytes.len(),
            Self::Shared(rope) => rope.len(),
        }
    }

    /// Returns the room that it takes.
    pub(super) fn wants(&self) -> Wanted {
        if self.len() > FRAGMENT {
            Wanted::Large
        } else {
            Wanted::Any
        }
    }
}

/// The length of a fragment that small frames wait for.
const BESIDE_SMALL: usize = FRAGMENT / 2;

/// How many fragments leave one by one, with no small frame between them, until it is quiet:
/// nobody makes small calls then, and each write and each read has its price.
const QUIET: u32 = 64;

/// The most of large messages that one write takes when it is quiet, in one frame if it can be.
const WHEN_QUIET: usize = 4 * FRAGMENT;

/// Everything that waits to be written.
#[derive(Default)]
pub(super) struct Outgoing {
    ready: Chunks,
    lanes: VecDeque<Lane>,
    waiting: usize,
    /// The fragments that have left since the last small frame.
    quiet: u32,
    /// The longest frame that the peer is known to take; 0 until it has said so.
    max_frame: usize,
}

/// A call with a large message on its way.
struct Lane {
    call: u64,
    pieces: VecDeque<Piece>,
}

enum Piece {
    /// A message, or the rest of one whose first frame stands before it.
    Message {
        rest: Rope,
        last: Flags,
        /// What has left of it.
        sent: usize,
    },
    /// Whole frames that come behind it.
    Frames(BytesMut),
}

impl Outgoing {
    /// Notes the longest frame that the peer takes.
    pub(super) fn set_max_frame(&mut self, max_frame: u32) {
        self.max_frame = usize::try_from(max_frame).unwrap_or(usize::MAX);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ready.len() == 0 && self.lanes.is_empty()
    }

    /// The bytes that wait.
    pub(super) fn len(&self) -> usize {
        self.ready.len() + self.waiting
    }

    /// The bytes of large messages that wait, and of what comes behind one of the same call.
    pub(super) fn large_len(&self) -> usize {
        self.waiting
    }

    /// The bytes that wait outside of large messages.
    pub(super) fn small_len(&self) -> usize {
        self.ready.len()
    }

    /// Queues a frame, in fragments if its message is large.
    pub(super) fn push(&mut self, parts: Parts<'_>) {
        let length = parts.head_len() + parts.body.len();
        let small = parts.body.len() <= FRAGMENT;
        if let Some(lane) = self.lanes.iter_mut().find(|lane| lane.call == parts.call) {
            let added = lane.push(parts, small);
            self.waiting += added;
        } else if small {
            self.quiet = 0;
            let header = header(parts.frame_type, parts.flags, parts.call, length);
            self.ready.put(&header);
            parts.head.iter().for_each(|it| self.ready.put(it));
            match parts.body {
                Body::Slice(bytes) => self.ready.put(bytes),
                Body::Shared(rope) => rope
                    .into_iter()
                    .for_each(|it| self.ready.put_by_reference(it)),
            }
        } else {
            let mut lane = Lane {
                call: parts.call,
                pieces: VecDeque::new(),
            };
            // The first frame leaves at once: a call's REQUEST must leave before those of later
            // calls, which may be small.
            let large = LargeMessage::new(parts);
            large.first.into_iter().for_each(|it| self.ready.put(&it));
            self.waiting += large.rest.len();
            lane.push_rest(large.rest, large.last);
            self.lanes.push_back(lane);
        }
    }

    /// Queues whole frames of calls that have nothing else waiting.
    pub(super) fn push_frames(&mut self, frames: &[u8]) {
        self.quiet = 0;
        self.ready.put(frames);
    }

    /// Queues whole frames of a call, behind what it has waiting.
    pub(super) fn push_frames_of(&mut self, call: u64, frames: &[u8]) {
        match self.lanes.iter_mut().find(|lane| lane.call == call) {
            Some(lane) => {
                lane.append(|it| it.put_slice(frames));
                self.waiting += frames.len();
            }
            None => self.push_frames(frames),
        }
    }

    /// Gives up what is left of a call. A fragment that is out stays out; the peer is told by a
    /// CANCEL or an ERROR that comes behind it.
    pub(super) fn forget(&mut self, call: u64) {
        if let Some(index) = self.lanes.iter().position(|lane| lane.call == call)
            && let Some(lane) = self.lanes.remove(index)
        {
            self.waiting -= lane.pieces.iter().map(Piece::len).sum::<usize>();
        }
    }

    /// Moves what the next write takes into `batch`, which is empty: all that is small, and one
    /// fragment, or more when it is quiet. What is queued from now on waits for no more than that.
    pub(super) fn take(&mut self, batch: &mut Chunks) {
        std::mem::swap(&mut self.ready, batch);
        let (least, mut most) = if self.quiet < QUIET {
            (BESIDE_SMALL, BESIDE_SMALL)
        } else {
            (FRAGMENT, WHEN_QUIET)
        };
        while most >= least {
            let Some(mut lane) = self.lanes.pop_front() else {
                return;
            };
            self.quiet = self.quiet.saturating_add(1);
            let taken = lane.take(batch, least, most.min(self.max_frame).max(least));
            self.waiting -= taken;
            most = most.saturating_sub(taken.max(least));
            if !lane.pieces.is_empty() {
                self.lanes.push_back(lane);
            }
        }
    }
}

/// A message that leaves in several frames.
struct LargeMessage {
    /// The first frame, if it has fields. It carries little of the message, so that the rest is cut
    /// into fragments that need no copy.
    first: Option<BytesMut>,
    rest: Rope,
    last: Flags,
}

impl LargeMessage {
    fn new(parts: Parts<'_>) -> Self {
        let (first_flags, last) = split_flags(parts.flags);
        let head_length = parts.head_len();
        let mut rest = parts.body.into_rope();
        if parts.frame_type == FrameType::MESSAGE {
            return Self {
                first: None,
                rest,
                last,
            };
        }
        let short = rest.take_short(BY_REFERENCE);
        let length = head_length + short.len();
        let mut first = BytesMut::with_capacity(HEADER_LENGTH + length);
        first.put_slice(&header(parts.frame_type, first_flags, parts.call, length));
        parts.head.iter().for_each(|it| first.put_slice(it));
        first.put_slice(&short);
        Self {
            first: Some(first),
            rest,
            last,
        }
    }
}

/// The flags of the first and of the last fragment: BODY belongs to the first, END to the last.
fn split_flags(flags: Flags) -> (Flags, Flags) {
    (
        Flags(flags.0 & !Flags::END.0) | Flags::MORE,
        Flags(flags.0 & Flags::END.0),
    )
}

fn header(frame_type: FrameType, flags: Flags, call: u64, length: usize) -> [u8; 16] {
    FrameHeader {
        length: u32::try_from(length).unwrap_or(u32::MAX),
        ..FrameHeader::new(frame_type, flags, call)
    }
    .to_bytes()
}

impl Piece {
    fn len(&self) -> usize {
        match self {
            Self::Message { rest, .. } => rest.len(),
            Self::Frames(frames) => frames.len(),
        }
    }
}

impl Lane {
    /// Appends a frame, and says how many bytes that added.
    fn push(&mut self, parts: Parts<'_>, small: bool) -> usize {
        if !small {
            let large = LargeMessage::new(parts);
            let first = large.first.unwrap_or_default();
            let added = first.len() + large.rest.len();
            if !first.is_empty() {
                self.append(|frames| frames.put_slice(&first));
            }
            self.push_rest(large.rest, large.last);
            return added;
        }
        let length = parts.head_len() + parts.body.len();
        self.append(|frames| {
            frames.put_slice(&header(parts.frame_type, parts.flags, parts.call, length));
            parts.head.iter().for_each(|it| frames.put_slice(it));
            match &parts.body {
                Body::Slice(bytes) => frames.put_slice(bytes),
                Body::Shared(rope) => rope.pieces().for_each(|it| frames.put_slice(it)),
            }
        });
        HEADER_LENGTH + length
    }

    fn push_rest(&mut self, rest: Rope, last: Flags) {
        self.pieces.push_back(Piece::Message {
            rest,
            last,
            sent: 0,
        });
    }

    /// Appends whole frames.
    fn append(&mut self, write: impl FnOnce(&mut BytesMut)) {
        if let Some(Piece::Frames(frames)) = self.pieces.back_mut() {
            return write(frames);
        }
        let mut frames = BytesMut::new();
        write(&mut frames);
        self.pieces.push_back(Piece::Frames(frames));
    }

    /// Moves one piece, or one fragment of it, and says how many bytes it no longer holds. A fragment
    /// is `most` long at most, and no longer than what has left of its message, or `least`: the
    /// peer makes room for as much as has come.
    fn take(&mut self, batch: &mut Chunks, least: usize, most: usize) -> usize {
        match self.pieces.front_mut() {
            None => 0,
            Some(Piece::Frames(frames)) => {
                let length = frames.len();
                batch.put_by_reference(frames.split().freeze());
                self.pieces.pop_front();
                length
            }
            Some(Piece::Message { rest, last, sent }) => {
                let most = (*sent).clamp(least, most);
                let length = most.min(rest.len());
                *sent += length;
                let is_last = length == rest.len();
                let flags = if is_last { *last } else { Flags::MORE };
                batch.put(&header(FrameType::MESSAGE, flags, self.call, length));
                let mut wanted = length;
                while wanted > 0
                    && let Some(piece) = rest.take_up_to(wanted)
                {
                    wanted -= piece.len();
                    batch.put_by_reference(piece);
                }
                if rest.is_empty() {
                    self.pieces.pop_front();
                }
                length
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Buf;

    use super::super::frame::{Frame, FrameReader};
    use super::*;
    use crate::codec::Pieces;

    fn drain(outgoing: &mut Outgoing) -> Vec<Frame> {
        let mut bytes = BytesMut::new();
        while !outgoing.is_empty() {
            let mut batch = Chunks::default();
            outgoing.take(&mut batch);
            while batch.has_remaining() {
                bytes.extend_from_slice(batch.chunk());
                batch.advance(batch.chunk().len());
            }
        }
        assert_eq!(outgoing.len(), 0);
        let mut reader = FrameReader::with_bytes(1 << 20, bytes);
        std::iter::from_fn(|| reader.next().unwrap()).collect()
    }

    fn message(call: u64, body: Bytes, flags: Flags) -> Parts<'static> {
        Parts {
            frame_type: FrameType::MESSAGE,
            flags,
            call,
            head: &[],
            body: Body::Shared(body.into()),
        }
    }

    #[test]
    fn small_frames_pass_a_large_message_and_its_own_call_stays_in_order() {
        let large = Bytes::from(vec![7; 3 * FRAGMENT + 1]);
        let mut outgoing = Outgoing::default();
        outgoing.push(Parts {
            head: &[b"head"],
            frame_type: FrameType::REQUEST,
            ..message(1, large.clone(), Flags::BODY | Flags::END)
        });
        outgoing.push(message(1, Bytes::from_static(b"behind"), Flags::END));
        outgoing.push(message(3, Bytes::from_static(b"small"), Flags::NONE));
        let frames = drain(&mut outgoing);
        assert_eq!(frames[0].frame_type, FrameType::REQUEST, "in their order");
        assert_eq!(frames[1].call, 3, "the small frame passes the message");
        let own: Vec<_> = frames.iter().filter(|it| it.call == 1).collect();
        assert_eq!(own[0].flags, Flags::BODY | Flags::MORE);
        assert_eq!(&own[0].payload[..], b"head");
        let (behind, own) = own.split_last().unwrap();
        assert_eq!(&behind.payload[..], b"behind");
        assert_eq!(own.last().unwrap().flags, Flags::END);
        let total: usize = own.iter().map(|it| it.payload.len()).sum();
        assert_eq!(total, large.len() + 4);
    }

    #[test]
    fn a_large_message_is_not_copied() {
        let body = Bytes::from(vec![7; 2 * FRAGMENT]);
        let mut pieces = Pieces::default();
        pieces.push(4, body.clone());
        let mut buffer = BytesMut::from("headhere");
        let rope = Rope::of(&mut buffer, 2, pieces);
        assert_eq!(buffer, "he");
        let mut outgoing = Outgoing::default();
        outgoing.push(Parts {
            frame_type: FrameType::RESPONSE,
            head: &[b"fields"],
            body: Body::Shared(rope),
            ..message(1, Bytes::new(), Flags::BODY | Flags::END)
        });
        let shared = |it: &&Bytes| body.as_ptr_range().contains(&it.as_ptr());
        let (mut bytes, mut not_copied) = (BytesMut::new(), 0);
        while !outgoing.is_empty() {
            let mut batch = Chunks::default();
            outgoing.take(&mut batch);
            not_copied += batch.chunks().filter(shared).count();
            bytes.put(batch);
        }
        assert_eq!(not_copied, 4);
        let mut reader = FrameReader::with_bytes(1 << 20, bytes);
        let frames: Vec<_> = std::iter::from_fn(|| reader.next().unwrap()).collect();
        let lengths: Vec<_> = frames.iter().map(|it| it.payload.len()).collect();
        assert_eq!(lengths, [[8].as_slice(), &[BESIDE_SMALL; 4], &[4]].concat());
        assert_eq!(&frames[0].payload[..], b"fieldsad");
        assert_eq!(&frames[5].payload[..], b"here");
        assert_eq!(frames[5].flags, Flags::END);
    }

    #[test]
    fn large_messages_take_turns() {
        let mut outgoing = Outgoing::default();
        for call in [1, 3] {
            outgoing.push(message(
                call,
                Bytes::from(vec![0; 6 * BESIDE_SMALL]),
                Flags::NONE,
            ));
        }
        let calls: Vec<u64> = drain(&mut outgoing).iter().map(|it| it.call).collect();
        assert_eq!(calls, [1, 3].repeat(6));
    }

    /// The lengths of the frames that the next write takes.
    fn taken(outgoing: &mut Outgoing) -> Vec<usize> {
        let mut batch = Chunks::default();
        outgoing.take(&mut batch);
        let mut bytes = BytesMut::new();
        bytes.put(batch);
        let mut reader = FrameReader::with_bytes(u32::MAX, bytes);
        let frames = std::iter::from_fn(|| reader.next().unwrap());
        frames.map(|it| it.payload.len()).collect()
    }

    #[test]
    fn longer_fragments_leave_until_a_small_frame_comes() {
        let mut outgoing = Outgoing::default();
        outgoing.set_max_frame(1 << 20);
        let length = (QUIET as usize * BESIDE_SMALL) + 3 * WHEN_QUIET;
        outgoing.push(message(1, Bytes::from(vec![0; length]), Flags::NONE));
        for _ in 0..QUIET {
            assert_eq!(taken(&mut outgoing), [BESIDE_SMALL]);
        }
        assert_eq!(taken(&mut outgoing), [WHEN_QUIET]);
        outgoing.push(message(3, Bytes::from_static(b"small"), Flags::NONE));
        assert_eq!(
            taken(&mut outgoing),
            [5, BESIDE_SMALL],
            "whoever comes next waits for no more"
        );
        outgoing.push_frames(&header(FrameType::RESPONSE, Flags::END, 5, 0));
        assert_eq!(taken(&mut outgoing), [0, BESIDE_SMALL]);
    }

    #[test]
    fn a_fragment_is_no_longer_than_what_came_before_it_and_than_the_peer_takes() {
        let mut outgoing = Outgoing {
            quiet: QUIET,
            ..Outgoing::default()
        };
        let body = Bytes::from(vec![0; 3 * WHEN_QUIET]);
        outgoing.push(message(1, body.clone(), Flags::NONE));
        assert_eq!(taken(&mut outgoing), [FRAGMENT; 4], "it has not said yet");
        outgoing.set_max_frame(128 << 10);
        assert_eq!(taken(&mut outgoing), [128 << 10; 2]);
        outgoing.set_max_frame(u32::MAX);
        assert_eq!(taken(&mut outgoing), [WHEN_QUIET]);
        outgoing.push(message(3, body, Flags::NONE));
        let (one, two) = (FRAGMENT, 2 * FRAGMENT);
        assert_eq!(taken(&mut outgoing), [one, one, two]);
        assert_eq!(taken(&mut outgoing), [WHEN_QUIET]);
    }

    #[test]
    fn a_forgotten_call_takes_nothing_along() {
        let mut outgoing = Outgoing::default();
        outgoing.push(message(1, Bytes::from(vec![0; 3 * FRAGMENT]), Flags::NONE));
        outgoing.push(message(3, Bytes::from_static(b"stays"), Flags::NONE));
        outgoing.forget(1);
        let frames = drain(&mut outgoing);
        assert_eq!(frames.len(), 1);
        assert_eq!(frames[0].call, 3);
    }
}
