//! Messages that came together, for a reader who takes them one by one without asking the wire for each.

use bytes::{Buf, Bytes};

use super::message::decode_status;
use crate::codec::{DecodeLimits, Encodes, Encoding};
use crate::status::Status;

/// A flag that is zero and a length, big endian: what stands before a message of gRPC and Connect.
const HEADER: usize = 5;

/// Whole messages, each behind its header.
#[derive(Debug)]
pub(crate) struct Run {
    bytes: Bytes,
    encoding: Encoding,
    limits: DecodeLimits,
}

impl Default for Run {
    fn default() -> Self {
        Self::new(Bytes::new(), Encoding::JSON, DecodeLimits::default())
    }
}

impl Run {
    /// Makes a run of what [`whole`](Self::whole) has found.
    pub(crate) fn new(bytes: Bytes, encoding: Encoding, limits: DecodeLimits) -> Self {
        Self {
            bytes,
            encoding,
            limits,
        }
    }

    /// Returns how many bytes are whole messages that a run can have: nothing that has a flag, and none of more than
    /// `max_message` bytes.
    #[cfg(feature = "http")]
    pub(crate) fn whole(bytes: &[u8], max_message: usize) -> usize {
        let mut rest = bytes;
        while let Some(length) = length(rest).filter(|it| *it <= max_message)
            && let Some(behind) = rest.get(HEADER + length..)
        {
            rest = behind;
        }
        bytes.len() - rest.len()
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes the next message out and decodes it, where it is.
    pub(crate) fn next<C: Encodes<T>, T>(&mut self) -> Option<Result<T, Status>> {
        let end = HEADER + length(&self.bytes)?;
        let message = self.bytes.get(HEADER..end)?;
        let decoded = C::decode_part(message, &self.bytes, self.encoding, self.limits);
        self.bytes.advance(end);
        Some(decoded.map_err(decode_status))
    }
}

/// Reads the length in a header without a flag.
#[inline]
fn length(bytes: &[u8]) -> Option<usize> {
    match bytes.first_chunk::<HEADER>()? {
        &[0, a, b, c, d] => usize::try_from(u32::from_be_bytes([a, b, c, d])).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Serde;
    use crate::status::Code;

    fn run(messages: &[&[u8]]) -> Run {
        let mut all = Vec::new();
        for message in messages {
            let length = u32::try_from(message.len()).unwrap();
            all.push(0);
            all.extend_from_slice(&length.to_be_bytes());
            all.extend_from_slice(message);
        }
        Run::new(all.into(), Encoding::JSON, DecodeLimits::default())
    }

    #[test]
    fn messages_come_out_in_order_and_one_that_cannot_be_read_fails_itself() {
        let mut run = run(&[b"1", b"{", b"23"]);
        assert_eq!(run.next::<Serde, u64>().unwrap().unwrap(), 1);
        let failed = run.next::<Serde, u64>().unwrap().unwrap_err();
        assert_eq!(failed.code(), Code::InvalidArgument);
        assert_eq!(run.next::<Serde, u64>().unwrap().unwrap(), 23);
        assert!(run.is_empty() && run.next::<Serde, u64>().is_none());
        assert!(Run::default().next::<Serde, u64>().is_none());
    }

    #[test]
    fn large_bytes_are_lent_and_not_copied() {
        let mut large = b"\xC6\0\0\x80\0".to_vec();
        large.resize(5 + (32 << 10), 7);
        let mut run = Run {
            encoding: Encoding::MESSAGE_PACK,
            ..run(&[b"\xC4\x01a", &large])
        };
        let whole = run.bytes.as_ptr_range();
        assert_eq!(run.next::<Serde, Bytes>().unwrap().unwrap(), "a");
        let bytes = run.next::<Serde, Bytes>().unwrap().unwrap();
        assert_eq!(bytes, large[5..]);
        assert!(whole.contains(&bytes.as_ptr()));
    }
}
