//! Compression of messages: RFC 7692, section 7.2.

use bytes::{Buf, BytesMut};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::extension::Direction;

/// What ends every flushed block, and is left out on the line (section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xFF, 0xFF];

/// How many bytes are unpacked at once: nothing grows by more before its limit is looked at.
const PIECE: usize = 64 << 10;

/// Packs messages, each by itself.
///
/// What packing needs, 300 KiB, is made for a message and given back, so that connections do not hold
/// it while they are silent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deflater {
    window_bits: u8,
}

impl Deflater {
    pub(super) fn new(direction: Direction) -> Self {
        let Direction { window_bits, .. } = direction;
        Self { window_bits }
    }

    /// Packs a message; `None` if that would not make it smaller.
    pub(super) fn pack(self, message: &[u8]) -> Option<Vec<u8>> {
        let mut compress =
            Compress::new_with_window_bits(Compression::fast(), false, self.window_bits);
        let mut packed = Vec::with_capacity(message.len() / 2 + 64);
        loop {
            let read = usize::try_from(compress.total_in()).ok()?;
            let rest = message.get(read..)?;
            compress
                .compress_vec(rest, &mut packed, FlushCompress::Sync)
                .ok()?;
            let is_done = compress.total_in() == message.len() as u64;
            // Room that is left means that there was no more to write.
            if is_done && packed.len() < packed.capacity() {
                break;
            }
            if packed.len() > message.len() {
                return None;
            }
            packed.reserve(packed.len());
        }
        let length = packed.strip_suffix(&TAIL)?.len();
        packed.truncate(length);
        (length < message.len()).then_some(packed)
    }
}

/// Unpacks what comes, piece by piece.
pub(super) struct Inflater {
    /// Made for the first message that is packed.
    decompress: Option<Decompress>,
    forgets: bool,
    input: BytesMut,
    /// All of a message has come; its tail is in `input`.
    is_last: bool,
    has_more: bool,
}

/// The peer sent what cannot be unpacked.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Malformed;

impl Inflater {
    pub(super) fn new(direction: Direction) -> Self {
        Self {
            decompress: None,
            forgets: direction.forgets,
            input: BytesMut::new(),
            is_last: false,
            has_more: false,
        }
    }

    /// Takes a part of a message; all of what was taken before has been [unpacked](Self::next).
    pub(super) fn push(&mut self, part: BytesMut, is_last: bool) {
        self.input = part;
        if is_last {
            self.input.extend_from_slice(&TAIL);
        }
        self.is_last = is_last;
        // Frames of a message may be empty, and as many as their sender likes.
        self.has_more = !self.input.is_empty();
    }

    /// Says whether there may be a piece before more has come.
    pub(super) fn has_more(&self) -> bool {
        self.has_more
    }

    /// Returns the next piece, and whether it is the last of its message; `None` if there is none
    /// until more has come.
    pub(super) fn next(&mut self) -> Result<Option<(BytesMut, bool)>, Malformed> {
        if !self.has_more {
            return Ok(None);
        }
        let decompress = self
            .decompress
            .get_or_insert_with(|| Decompress::new(false));
        let mut piece = vec![0; room(self.input.len())];
        let (read, written) = (decompress.total_in(), decompress.total_out());
        let status = decompress
            .decompress(&self.input, &mut piece, FlushDecompress::Sync)
            .map_err(|_| Malformed)?;
        let read = usize::try_from(decompress.total_in() - read).map_err(|_| Malformed)?;
        let written = usize::try_from(decompress.total_out() - written).map_err(|_| Malformed)?;
        self.input.advance(read.min(self.input.len()));
        if status == Status::StreamEnd {
            // A last block may end the stream, and the next message begins another (section 7.2.3.4).
            decompress.reset(false);
            if read == 0 && written == 0 {
                return Err(Malformed);
            }
        }
        // A piece that is not full is the end of what there is.
        self.has_more = written == piece.len() || (!self.input.is_empty() && read + written > 0);
        if !self.has_more && !self.input.is_empty() {
            return Err(Malformed);
        }
        let is_last = self.is_last && !self.has_more;
        if is_last && self.forgets {
            self.decompress = None;
        }
        piece.truncate(written);
        Ok(Some((BytesMut::from(&*piece), is_last)))
    }
}

/// How much is prepared for what so many bytes unpack to, in proportion: a peer may cut a message into
/// frames of a byte. What is longer comes in several pieces.
fn room(packed: usize) -> usize {
    packed.saturating_mul(32).clamp(4 << 10, PIECE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: Direction = Direction {
        forgets: true,
        window_bits: 15,
    };

    fn unpack(inflater: &mut Inflater, packed: &[u8], cut: usize) -> Result<Vec<u8>, Malformed> {
        let mut message = Vec::new();
        for (part, is_last) in [(&packed[..cut], false), (&packed[cut..], true)] {
            inflater.push(BytesMut::from(part), is_last);
            let mut ended = false;
            while let Some((piece, last)) = inflater.next()? {
                assert!(!ended && piece.len() <= PIECE);
                ended = last;
                message.extend_from_slice(&piece);
            }
            assert_eq!(ended, is_last);
        }
        Ok(message)
    }

    #[test]
    fn messages_come_back_in_any_window_and_however_they_are_cut() {
        let text = "{\"jsonrpc\":\"2.0\",\"method\":\"tick\"}".repeat(20_000);
        for window_bits in [9, 12, 15] {
            for text in [&text.as_bytes()[..500], text.as_bytes()] {
                let deflater = Deflater::new(Direction {
                    forgets: true,
                    window_bits,
                });
                let packed = deflater.pack(text).expect("it is smaller");
                let mut inflater = Inflater::new(BOTH);
                for cut in [0, 1, packed.len() / 2, packed.len()] {
                    assert!(
                        unpack(&mut inflater, &packed, cut).unwrap() == text,
                        "{cut}"
                    );
                }
            }
        }
        assert_eq!(Deflater::new(BOTH).pack(b"short"), None);
    }

    #[test]
    fn the_examples_of_the_specification_are_read() {
        // Section 7.2.3: one block, one that is stored, one that ends the stream, two blocks.
        for packed in [
            &[0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00][..],
            &[
                0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00,
            ],
            &[0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00],
            &[
                0xF2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xCA, 0xC9, 0xC9, 0x07, 0x00,
            ],
        ] {
            let mut inflater = Inflater::new(BOTH);
            for cut in 0..=packed.len() {
                let read = unpack(&mut inflater, packed, cut);
                assert_eq!(read.unwrap(), b"Hello", "{packed:x?} cut at {cut}");
            }
        }
        // The second message refers to the first.
        let mut inflater = Inflater::new(Direction {
            forgets: false,
            window_bits: 15,
        });
        let first = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
        assert_eq!(unpack(&mut inflater, &first, 0).unwrap(), b"Hello");
        assert_eq!(
            unpack(&mut inflater, &[0xF2, 0, 0x11, 0, 0], 0).unwrap(),
            b"Hello"
        );
        assert!(unpack(&mut Inflater::new(BOTH), &[0xF2, 0, 0x11, 0, 0], 0).is_err());
    }

    #[test]
    fn frames_of_nothing_cost_nothing() {
        let packed = Deflater::new(BOTH).pack(&b"abc".repeat(500)).unwrap();
        let mut inflater = Inflater::new(BOTH);
        for _ in 0..10 {
            inflater.push(BytesMut::new(), false);
            assert!(!inflater.has_more());
            assert_eq!(inflater.next(), Ok(None));
        }
        assert_eq!(unpack(&mut inflater, &packed, 7), Ok(b"abc".repeat(500)));
    }

    #[test]
    fn what_a_frame_makes_be_prepared_is_in_proportion() {
        assert_eq!((room(0), room(1)), (4 << 10, 4 << 10));
        assert_eq!((room(1_000), room(usize::MAX)), (32_000, PIECE));
        let packed = Deflater::new(BOTH).pack(&b"abc".repeat(50_000)).unwrap();
        let mut inflater = Inflater::new(BOTH);
        let mut message = Vec::new();
        for (at, byte) in packed.iter().enumerate() {
            inflater.push(BytesMut::from(&[*byte][..]), at + 1 == packed.len());
            while let Some((piece, _)) = inflater.next().unwrap() {
                message.extend_from_slice(&piece);
            }
        }
        assert!(message == b"abc".repeat(50_000));
    }

    #[test]
    fn a_bomb_comes_in_small_pieces() {
        let packed = Deflater::new(BOTH).pack(&vec![0; 64 << 20]).unwrap();
        let mut inflater = Inflater::new(BOTH);
        inflater.push(BytesMut::from(&packed[..]), true);
        let (piece, is_last) = inflater.next().unwrap().unwrap();
        assert!(piece.len() <= PIECE && !is_last);
    }

    #[test]
    fn no_bytes_make_it_panic_or_go_on_for_ever() {
        let mut random = fastrand::Rng::with_seed(3);
        let packed = Deflater::new(BOTH).pack(&b"abc".repeat(500)).unwrap();
        for _ in 0..3_000 {
            let mut bytes = packed.clone();
            for _ in 0..random.usize(1..5) {
                let at = random.usize(..bytes.len());
                bytes[at] = random.u8(..);
            }
            let mut inflater = Inflater::new(BOTH);
            inflater.push(BytesMut::from(&bytes[..]), random.bool());
            for _ in 0..100 {
                match inflater.next() {
                    Ok(Some(_)) => {}
                    Ok(None) | Err(Malformed) => break,
                }
            }
            assert!(!matches!(inflater.next(), Ok(Some(_))), "it ends");
        }
    }
}
