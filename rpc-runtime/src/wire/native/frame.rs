//! Frames: sixteen bytes of header, then the payload.

use std::fmt;
use std::ops::BitOr;

use bytes::buf::Limit;
use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The length of every frame's header.
pub(crate) const HEADER_LENGTH: usize = 16;

/// Below this much spare room the buffer grows before the next read.
const READ_AT_LEAST: usize = 1024;

/// From so many missing bytes on, a fragment is read straight into its message.
const READ_IN_PLACE: usize = 8 * 1024;

/// What the buffer of a quiet connection grows by; many connections are quiet. Less than a page of the system's memory, as
/// that is what each would take.
const GROW_AT_FIRST: usize = 2 * 1024;

/// What the buffer of a busy connection grows by. A whole frame of the usual fragment size fits
/// without a copy.
const GROW_AT_MOST: usize = 64 * 1024;

/// The longest run of messages that are handed over together. A reader that keeps one of them
/// keeps them all.
const RUN: usize = 16 * 1024;

/// The largest message of a run.
pub(crate) const RUN_MESSAGE: u32 = 1024;

/// What a frame is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct FrameType(pub(crate) u8);

impl FrameType {
    pub(crate) const SETTINGS: Self = Self(0x01);
    pub(crate) const REQUEST: Self = Self(0x02);
    pub(crate) const RESPONSE: Self = Self(0x03);
    pub(crate) const MESSAGE: Self = Self(0x04);
    pub(crate) const END: Self = Self(0x05);
    pub(crate) const ERROR: Self = Self(0x06);
    pub(crate) const CANCEL: Self = Self(0x07);
    pub(crate) const CREDIT: Self = Self(0x08);
    pub(crate) const PING: Self = Self(0x09);
    pub(crate) const GO_AWAY: Self = Self(0x0A);
    pub(crate) const SKIPPED: Self = Self(0x8B);

    /// Returns whether a receiver that does not know this type may skip the frame.
    pub(crate) fn may_ignore(self) -> bool {
        self.0 & 0x80 != 0
    }

    /// Returns the name in the specification.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SETTINGS => "SETTINGS",
            Self::REQUEST => "REQUEST",
            Self::RESPONSE => "RESPONSE",
            Self::MESSAGE => "MESSAGE",
            Self::END => "END",
            Self::ERROR => "ERROR",
            Self::CANCEL => "CANCEL",
            Self::CREDIT => "CREDIT",
            Self::PING => "PING",
            Self::GO_AWAY => "GO_AWAY",
            Self::SKIPPED => "SKIPPED",
            _ => "unknown frame",
        }
    }
}

/// What is special about a frame. Unknown bits are kept, and ignored by every reader.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Flags(pub(crate) u8);

impl Flags {
    pub(crate) const NONE: Self = Self(0);
    /// Nothing follows from this side on this call.
    pub(crate) const END: Self = Self(0x01);
    /// The message goes on in the next MESSAGE frame of this call.
    pub(crate) const MORE: Self = Self(0x02);
    /// After the fields comes a message, or its first fragment.
    pub(crate) const BODY: Self = Self(0x04);
    /// No handler saw the call, so it may be sent again.
    pub(crate) const NOT_STARTED: Self = Self(0x08);
    /// The frame answers one of its own type.
    pub(crate) const ACK: Self = Self(0x10);

    /// Returns whether all bits of `other` are set.
    pub(crate) fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What precedes each payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FrameHeader {
    /// The length of the payload alone.
    pub(crate) length: u32,
    pub(crate) frame_type: FrameType,
    pub(crate) flags: Flags,
    /// The call that the frame belongs to; 0 is the connection.
    pub(crate) call: u64,
}

impl FrameHeader {
    /// Returns a header whose length [`finish_frame`] fills in.
    pub(crate) fn new(frame_type: FrameType, flags: Flags, call: u64) -> Self {
        Self {
            length: 0,
            frame_type,
            flags,
            call,
        }
    }

    #[cfg(test)]
    pub(crate) fn write(&self, out: &mut BytesMut) {
        out.put_slice(&self.to_bytes());
    }

    pub(crate) fn to_bytes(self) -> [u8; HEADER_LENGTH] {
        // As one number, which is written at once; bytes are put together one by one.
        let [frame_type, flags] = [self.frame_type.0, self.flags.0].map(u128::from);
        let head = u128::from(self.length) | frame_type << 32 | flags << 40;
        (head | u128::from(self.call) << 64).to_le_bytes()
    }

    pub(crate) fn read(bytes: &[u8; HEADER_LENGTH]) -> Self {
        let [
            l0,
            l1,
            l2,
            l3,
            frame_type,
            flags,
            _,
            _,
            c0,
            c1,
            c2,
            c3,
            c4,
            c5,
            c6,
            c7,
        ] = *bytes;
        Self {
            length: u32::from_le_bytes([l0, l1, l2, l3]),
            frame_type: FrameType(frame_type),
            flags: Flags(flags),
            call: u64::from_le_bytes([c0, c1, c2, c3, c4, c5, c6, c7]),
        }
    }

    /// Reads the header at the start of `bytes`, if all of it is there.
    fn peek(bytes: &[u8]) -> Option<Self> {
        bytes.first_chunk().map(Self::read)
    }

    pub(crate) fn payload_length(self) -> usize {
        usize::try_from(self.length).unwrap_or(usize::MAX)
    }
}

/// One whole frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Frame {
    pub(crate) frame_type: FrameType,
    pub(crate) flags: Flags,
    pub(crate) call: u64,
    pub(crate) payload: Bytes,
}

impl Frame {
    /// Returns whether this side sends nothing more on the call.
    pub(crate) fn is_last(&self) -> bool {
        self.flags.contains(Flags::END) && !self.flags.contains(Flags::MORE)
    }
}

/// Messages of one call, one whole frame behind the other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Run {
    pub(crate) call: u64,
    bytes: Bytes,
}

impl Run {
    /// The length of all frames, headers included.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Splits off the first message.
    pub(crate) fn next(&mut self) -> Option<Bytes> {
        let header = FrameHeader::peek(&self.bytes)?;
        self.bytes.advance(HEADER_LENGTH);
        let length = header.payload_length().min(self.bytes.len());
        Some(self.bytes.split_to(length))
    }
}

/// A peer announced a payload that is longer than it may be. Where the next frame begins cannot
/// be waited for, so this ends the connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FrameTooLarge {
    pub(crate) length: u32,
    pub(crate) limit: u32,
}

impl fmt::Display for FrameTooLarge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { length, limit } = self;
        write!(
            formatter,
            "the peer sent a frame of {length} bytes, the limit `max_frame` is {limit}"
        )
    }
}

impl std::error::Error for FrameTooLarge {}

/// A fragment that is read straight into the memory of its message.
#[derive(Debug)]
struct InPlace {
    header: FrameHeader,
    /// What has come of the payload, and then of the header behind it.
    bytes: BytesMut,
}

/// Turns bytes as they are read into frames. The payloads share the memory that was read into.
#[derive(Debug)]
pub(crate) struct FrameReader {
    unsplit: BytesMut,
    /// What is read into other memory than `unsplit`, which is empty meanwhile.
    in_place: Option<InPlace>,
    max_frame: u32,
    grow_by: usize,
}

impl FrameReader {
    /// `max_frame` bounds the payload, not the header.
    #[cfg(test)]
    pub(crate) fn new(max_frame: u32) -> Self {
        Self::with_bytes(max_frame, BytesMut::new())
    }

    /// Starts with bytes that were read while the protocol was detected.
    pub(crate) fn with_bytes(max_frame: u32, unsplit: BytesMut) -> Self {
        Self {
            unsplit,
            in_place: None,
            max_frame,
            grow_by: GROW_AT_FIRST,
        }
    }

    /// Returns the buffer to append what is read to, with room for at least 1 KiB.
    ///
    /// The room grows with what the peer has really sent, not with what a header promises: a
    /// thousand connections that each announce a large frame and then fall silent cost little.
    pub(crate) fn buffer_mut(&mut self) -> &mut BytesMut {
        let buffered = self.unsplit.len();
        let spare = self.unsplit.capacity() - buffered;
        if spare == 0 && buffered > 0 {
            // The last read could have taken more.
            self.grow_by = GROW_AT_MOST;
        }
        let wanted = self.pending().min(buffered.max(GROW_AT_MOST));
        if spare < wanted.max(READ_AT_LEAST) {
            // More than is wanted now, so that a piece of memory serves several reads.
            self.unsplit.reserve(wanted.max(self.grow_by));
        }
        &mut self.unsplit
    }

    /// Returns how much of the frame that has begun is still to come, as far as is known.
    fn pending(&self) -> usize {
        FrameHeader::peek(&self.unsplit)
            .filter(|header| header.length <= self.max_frame)
            .map_or(0, |header| {
                let whole = HEADER_LENGTH.saturating_add(header.payload_length());
                whole.saturating_sub(self.unsplit.len())
            })
    }

    /// Returns the header of a fragment of a message that has begun to come, and of which so much is
    /// missing that it should be read in place.
    pub(crate) fn pending_fragment(&self) -> Option<FrameHeader> {
        if self.in_place.is_some() || self.pending() < READ_IN_PLACE {
            return None;
        }
        FrameHeader::peek(&self.unsplit).filter(|it| it.frame_type == FrameType::MESSAGE)
    }

    /// Reads the rest of the [pending fragment](Self::pending_fragment) behind `bytes`, which are
    /// empty and have room for the payload and one more header.
    pub(crate) fn read_in_place(&mut self, header: FrameHeader, mut bytes: BytesMut) {
        bytes.extend_from_slice(self.unsplit.get(HEADER_LENGTH..).unwrap_or_default());
        self.unsplit.clear();
        self.in_place = Some(InPlace { header, bytes });
    }

    /// Returns where a fragment that is read in place is appended to. The read takes the header of
    /// the next frame along, and no more: that belongs elsewhere.
    pub(crate) fn in_place_mut(&mut self) -> Option<Limit<&mut BytesMut>> {
        let InPlace { header, bytes } = self.in_place.as_mut()?;
        let whole = header.payload_length().saturating_add(HEADER_LENGTH);
        let rest = whole.saturating_sub(bytes.len());
        Some(bytes.limit(rest))
    }

    /// Takes the fragment that was read in place, once it is whole.
    pub(crate) fn take_in_place(&mut self) -> Option<(FrameHeader, BytesMut)> {
        let whole = |it: &mut InPlace| it.bytes.len() >= it.header.payload_length();
        let InPlace { header, mut bytes } = self.in_place.take_if(whole)?;
        let behind = bytes.get(header.payload_length()..).unwrap_or_default();
        self.unsplit.extend_from_slice(behind);
        bytes.truncate(header.payload_length());
        Some((header, bytes))
    }

    /// Splits off the next frame, or returns `None` until more has been read.
    ///
    /// # Errors
    ///
    /// The header announces more than the limit. Every later call says the same.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, FrameTooLarge> {
        let Some(header) = FrameHeader::peek(&self.unsplit) else {
            return Ok(None);
        };
        if header.length > self.max_frame {
            return Err(FrameTooLarge {
                length: header.length,
                limit: self.max_frame,
            });
        }
        let length = header.payload_length();
        if self.unsplit.len() - HEADER_LENGTH < length {
            return Ok(None);
        }
        self.unsplit.advance(HEADER_LENGTH);
        let payload = match length {
            0 => Bytes::new(),
            length => self.unsplit.split_to(length).freeze(),
        };
        Ok(Some(Frame {
            frame_type: header.frame_type,
            flags: header.flags,
            call: header.call,
            payload,
        }))
    }

    /// Splits off the small whole messages of one call that come next, if there are several.
    ///
    /// They are copied, all at once: what waits for its reader must not keep the whole memory that
    /// it was read into.
    pub(crate) fn next_run(&mut self) -> Option<Run> {
        let first = FrameHeader::peek(&self.unsplit)?;
        if first.frame_type != FrameType::MESSAGE || first.flags != Flags::NONE || first.call == 0 {
            return None;
        }
        let (mut length, mut frames) = (0, 0_u32);
        while let Some(rest) = self.unsplit.get(length..)
            && let Some(header) = FrameHeader::peek(rest)
        {
            let whole = HEADER_LENGTH + header.payload_length();
            let same = FrameHeader {
                length: first.length,
                ..header
            } == first;
            let fits = header.length <= RUN_MESSAGE.min(self.max_frame) && whole <= rest.len();
            if !same || !fits || length + whole > RUN {
                break;
            }
            length += whole;
            frames += 1;
        }
        if frames < 2 {
            return None;
        }
        let bytes = Bytes::copy_from_slice(self.unsplit.get(..length)?);
        self.unsplit.advance(length);
        Some(Run {
            call: first.call,
            bytes,
        })
    }

    /// Returns how many bytes were read and not split off.
    pub(crate) fn buffered(&self) -> usize {
        self.unsplit.len()
    }

    /// Returns whether an end of file now would cut a frame short.
    pub(crate) fn is_mid_frame(&self) -> bool {
        !self.unsplit.is_empty() || self.in_place.is_some()
    }
}

/// Leaves room for a header, and returns where; [`finish_frame`] fills it in.
pub(crate) fn begin_frame(out: &mut BytesMut) -> usize {
    let start = out.len();
    out.put_bytes(0, HEADER_LENGTH);
    start
}

/// Writes the header of the frame that began at `start` and reaches to the end of `out`.
/// The header's own `length` is not looked at.
pub(crate) fn finish_frame(out: &mut BytesMut, start: usize, header: FrameHeader) {
    let payload = out.len().saturating_sub(start + HEADER_LENGTH);
    let length = u32::try_from(payload).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(start..start + HEADER_LENGTH) {
        place.copy_from_slice(&FrameHeader { length, ..header }.to_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame_bytes(frame_type: FrameType, flags: Flags, call: u64, payload: &[u8]) -> BytesMut {
        let mut out = BytesMut::new();
        let start = begin_frame(&mut out);
        out.put_slice(payload);
        finish_frame(&mut out, start, FrameHeader::new(frame_type, flags, call));
        out
    }

    fn three_frames() -> BytesMut {
        let mut stream = frame_bytes(FrameType::PING, Flags::NONE, 0, b"12345678");
        let flags = Flags::BODY | Flags::END;
        stream.unsplit(frame_bytes(FrameType::REQUEST, flags, 1, &[7; 300]));
        stream.unsplit(frame_bytes(FrameType::END, Flags::END, 3, b""));
        stream
    }

    fn drain(reader: &mut FrameReader) -> Vec<Frame> {
        std::iter::from_fn(|| reader.next().unwrap()).collect()
    }

    #[test]
    fn header_has_the_specified_layout() {
        let header = FrameHeader {
            length: 0x0102_0304,
            frame_type: FrameType::REQUEST,
            flags: Flags::END | Flags::BODY,
            call: 0x1112_1314_1516_1718,
        };
        let bytes = header.to_bytes();
        let expected = [
            4, 3, 2, 1, 2, 5, 0, 0, 0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11,
        ];
        assert_eq!(bytes, expected);
        assert_eq!(FrameHeader::read(&bytes), header);
        let mut written = BytesMut::new();
        header.write(&mut written);
        assert_eq!(written, expected.as_slice());
    }

    #[test]
    fn reserved_bytes_are_ignored() {
        let mut bytes = FrameHeader::new(FrameType::END, Flags::END, 9).to_bytes();
        bytes[6] = 0xAA;
        bytes[7] = 0x55;
        let expected = FrameHeader::new(FrameType::END, Flags::END, 9);
        assert_eq!(FrameHeader::read(&bytes), expected);
    }

    #[test]
    fn frames_come_out_whatever_the_reads_look_like() {
        let stream = three_frames();
        for step in 1..stream.len() {
            let mut reader = FrameReader::new(1024);
            let mut frames = Vec::new();
            for piece in stream.chunks(step) {
                reader.buffer_mut().put_slice(piece);
                frames.extend(drain(&mut reader));
            }
            assert_eq!(frames.len(), 3, "{step}");
            assert_eq!(frames[0].payload, b"12345678".as_slice());
            assert_eq!(frames[1].payload, vec![7; 300]);
            assert_eq!(frames[1].call, 1);
            assert!(frames[1].flags.contains(Flags::END));
            assert_eq!(frames[2].frame_type, FrameType::END);
            assert!(frames[2].payload.is_empty());
            assert!(!reader.is_mid_frame());
        }
    }

    #[test]
    fn every_truncation_is_noticed() {
        let stream = frame_bytes(FrameType::MESSAGE, Flags::NONE, 1, b"hello");
        for length in 1..stream.len() {
            let mut reader = FrameReader::with_bytes(64, stream[..length].into());
            assert_eq!(reader.next(), Ok(None), "{length}");
            assert!(reader.is_mid_frame(), "{length}");
        }
    }

    #[test]
    fn payloads_share_the_memory_that_was_read() {
        let mut reader = FrameReader::new(1024);
        reader.buffer_mut().put_slice(&three_frames());
        let begin = reader.unsplit.as_ptr() as usize;
        let frames = drain(&mut reader);
        assert_eq!(frames[0].payload.as_ptr() as usize, begin + 16);
        assert_eq!(frames[1].payload.as_ptr() as usize, begin + 16 + 8 + 16);
    }

    #[test]
    fn too_large_is_refused_from_the_header_alone() {
        let header = FrameHeader {
            length: 65,
            ..FrameHeader::new(FrameType::MESSAGE, Flags::NONE, 1)
        };
        let mut reader = FrameReader::new(64);
        reader.buffer_mut().put_slice(&header.to_bytes());
        let expected = FrameTooLarge {
            length: 65,
            limit: 64,
        };
        assert_eq!(reader.next(), Err(expected));
        assert_eq!(reader.next(), Err(expected));
        assert!(expected.to_string().contains("65 bytes"));
        reader.max_frame = 65;
        assert_eq!(reader.next(), Ok(None));
    }

    #[test]
    fn memory_follows_what_was_sent_not_what_was_promised() {
        let header = FrameHeader {
            length: u32::MAX,
            ..FrameHeader::new(FrameType::MESSAGE, Flags::NONE, 1)
        };
        for limit in [u32::MAX, 1024] {
            let mut reader = FrameReader::new(limit);
            reader.buffer_mut().put_slice(&header.to_bytes());
            assert!(reader.buffer_mut().capacity() <= 2 * GROW_AT_MOST);
            assert!(reader.buffer_mut().capacity() >= 16 + READ_AT_LEAST);
        }
    }

    #[test]
    fn a_quiet_connection_holds_little_and_a_busy_one_reads_much() {
        let ping = frame_bytes(FrameType::PING, Flags::NONE, 0, b"12345678");
        let mut reader = FrameReader::new(1 << 20);
        for _ in 0..10_000 {
            reader.buffer_mut().put_slice(&ping);
            assert_eq!(drain(&mut reader).len(), 1);
            assert!(reader.buffer_mut().capacity() <= GROW_AT_FIRST + ping.len());
        }
        for _ in 0..3 {
            // As a socket with much to read does it: the room there is, and no more.
            let buffer = reader.buffer_mut();
            let room = buffer.capacity() - buffer.len();
            buffer.put_bytes(0x80, room);
            assert_eq!(buffer.len(), buffer.capacity());
        }
        assert!(reader.buffer_mut().capacity() > GROW_AT_MOST);
    }

    #[test]
    fn a_large_frame_arrives() {
        let payload = vec![0x5A; 900_000];
        let stream = frame_bytes(FrameType::MESSAGE, Flags::NONE, 1, &payload);
        let mut reader = FrameReader::new(1 << 20);
        let mut rest = stream.as_ref();
        while !rest.is_empty() {
            assert_eq!(reader.next(), Ok(None));
            let buffer = reader.buffer_mut();
            let room = buffer.capacity() - buffer.len();
            assert!(room >= READ_AT_LEAST);
            let (piece, after) = rest.split_at(room.min(rest.len()));
            buffer.put_slice(piece);
            rest = after;
        }
        assert_eq!(reader.next().unwrap().unwrap().payload, payload);
    }

    /// Reads a stream as a driver does, at most `step` bytes at a time, and lends what is asked for.
    fn read_in_steps(mut stream: &[u8], step: usize) -> (Vec<(FrameType, Vec<u8>)>, usize) {
        let mut reader = FrameReader::new(1 << 20);
        let (mut frames, mut in_place) = (Vec::new(), 0);
        loop {
            if let Some((header, bytes)) = reader.take_in_place() {
                in_place += 1;
                frames.push((header.frame_type, bytes.to_vec()));
            }
            while let Some(frame) = reader.next().unwrap() {
                frames.push((frame.frame_type, frame.payload.to_vec()));
            }
            if let Some(header) = reader.pending_fragment() {
                let room = header.payload_length() + HEADER_LENGTH;
                reader.read_in_place(header, BytesMut::with_capacity(room));
            }
            if stream.is_empty() {
                assert!(!reader.is_mid_frame());
                return (frames, in_place);
            }
            let mut most = step.min(stream.len());
            match reader.in_place_mut() {
                Some(mut place) => {
                    most = most.min(place.remaining_mut());
                    place.put_slice(&stream[..most]);
                }
                None => reader.buffer_mut().put_slice(&stream[..most]),
            }
            stream = &stream[most..];
        }
    }

    #[test]
    fn fragments_are_read_in_place_whatever_the_reads_look_like() {
        let fragment =
            |byte, length| frame_bytes(FrameType::MESSAGE, Flags::MORE, 1, &vec![byte; length]);
        let mut stream = three_frames();
        for (byte, length) in [(1, 65_536), (2, 65_536), (3, 100), (4, READ_IN_PLACE)] {
            stream.unsplit(fragment(byte, length));
        }
        stream.unsplit(three_frames());
        let (expected, none) = read_in_steps(&stream, usize::MAX);
        assert_eq!(
            (expected.len(), none),
            (10, 0),
            "whole frames need no place"
        );
        for step in [1, 7, 15, 16, 17, 1_000, 4_096, 65_536, 65_552, 70_000] {
            let (frames, in_place) = read_in_steps(&stream, step);
            assert!(frames == expected, "{step}");
            assert!(in_place >= 1 || step > 60_000, "{step}");
        }
        for cut in [stream.len() - 1, 65_000, 66_000] {
            let mut reader = FrameReader::new(1 << 20);
            reader.buffer_mut().put_slice(&stream[..cut]);
            while reader.next().unwrap().is_some() {}
            if let Some(header) = reader.pending_fragment() {
                reader.read_in_place(header, BytesMut::new());
            }
            assert!(reader.take_in_place().is_none() && reader.is_mid_frame());
        }
    }

    #[test]
    fn random_bytes_never_panic() {
        let mut random = fastrand::Rng::with_seed(0x57_49_52_45);
        for _ in 0..2_000 {
            let mut stream = three_frames();
            for _ in 0..random.usize(1..6) {
                let position = random.usize(..stream.len());
                stream[position] = random.u8(..);
            }
            stream.truncate(random.usize(..=stream.len()));
            let mut reader = FrameReader::with_bytes(512, stream);
            while let Ok(Some(frame)) = reader.next() {
                assert!(frame.payload.len() <= 512);
            }
            assert!(reader.buffer_mut().capacity() < 2 * GROW_AT_MOST);
        }
    }

    #[test]
    fn only_the_high_bit_lets_a_type_be_ignored() {
        for byte in 0..=u8::MAX {
            assert_eq!(FrameType(byte).may_ignore(), byte >= 0x80);
        }
        assert_eq!(FrameType(0x0B).name(), "unknown frame");
        assert_eq!(FrameType::GO_AWAY.name(), "GO_AWAY");
    }

    #[test]
    fn small_messages_of_one_call_come_out_as_a_run() {
        let message =
            |call, flags, length| frame_bytes(FrameType::MESSAGE, flags, call, &vec![7; length]);
        let mut stream = message(1, Flags::NONE, 5);
        for (call, flags, length) in [
            (1, Flags::NONE, 0),
            (1, Flags::NONE, 1024),
            (1, Flags::NONE, 1025),
            (3, Flags::NONE, 5),
            (3, Flags::END, 5),
        ] {
            stream.unsplit(message(call, flags, length));
        }
        stream.extend_from_slice(&message(5, Flags::NONE, 5).repeat(2)[..40]);
        let mut reader = FrameReader::with_bytes(1 << 20, stream);
        let mut run = reader.next_run().unwrap();
        let lengths: Vec<_> = std::iter::from_fn(|| run.next())
            .map(|it| it.len())
            .collect();
        assert_eq!((run.call, lengths), (1, vec![5, 0, 1024]));
        // What is large, of another call, flagged, or not whole comes by itself.
        for length in [1025, 5, 5, 5] {
            assert_eq!(reader.next_run(), None);
            assert_eq!(reader.next().unwrap().unwrap().payload.len(), length);
        }
        assert_eq!((reader.next_run(), reader.next()), (None, Ok(None)));
    }

    #[test]
    fn a_run_is_bounded() {
        let one = frame_bytes(FrameType::MESSAGE, Flags::NONE, 1, &[7; 84]);
        let mut reader = FrameReader::with_bytes(1 << 20, BytesMut::from(&one.repeat(1_000)[..]));
        let mut bytes = 0;
        while let Some(run) = reader.next_run() {
            assert!(run.len() <= RUN);
            bytes += run.len();
        }
        assert_eq!(bytes, 100_000);
    }
}
