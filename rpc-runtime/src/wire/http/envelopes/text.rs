//! Base64 around a stream of bytes, as `application/grpc-web-text` has it
//! (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md>): whoever writes may flush at
//! any place, so there can be padding in the middle.

use bytes::{Bytes, BytesMut};

use crate::status::Status;
use crate::wire::http::metadata::{decode_base64, encode_padded_base64};

/// So many characters stand for themselves.
const GROUP: usize = 4;

/// Takes bytes out of text that comes in pieces of any size.
#[derive(Debug, Default)]
pub(super) struct Text {
    /// A group that is not whole.
    partial: BytesMut,
}

impl Text {
    /// Reads what is whole.
    ///
    /// # Errors
    ///
    /// What is not Base64.
    pub(super) fn decode(&mut self, text: &[u8]) -> Result<Bytes, Status> {
        self.partial.extend_from_slice(text);
        let whole = self.partial.len() / GROUP * GROUP;
        let text = self.partial.split_to(whole);
        let mut out = BytesMut::with_capacity(whole / GROUP * 3);
        let mut rest = &text[..];
        while !rest.is_empty() {
            // A piece ends behind its padding.
            let padded = rest.chunks(GROUP).position(|group| group.ends_with(b"="));
            let length = padded.map_or(rest.len(), |groups| (groups + 1) * GROUP);
            let (piece, behind) = rest.split_at_checked(length).ok_or_else(malformed)?;
            out.extend_from_slice(&decode_base64(piece).ok_or_else(malformed)?);
            rest = behind;
        }
        Ok(out.freeze())
    }

    /// Says whether a group has begun and is not whole.
    pub(super) fn is_mid_group(&self) -> bool {
        !self.partial.is_empty()
    }
}

fn malformed() -> Status {
    Status::invalid_argument("the body is not Base64, as its content type says")
}

/// Writes bytes as text that can be read by itself.
pub(super) fn encode(bytes: &[u8]) -> Bytes {
    encode_padded_base64(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_however_it_is_cut_and_padded() {
        let pieces: [&[u8]; 5] = [b"a", b"bc", b"def", b"", b"ghijk"];
        let text: Vec<u8> = pieces.iter().flat_map(|it| encode(it).to_vec()).collect();
        assert_eq!(text, b"YQ==YmM=ZGVmZ2hpams=");
        for length in 1..=text.len() {
            let mut reader = Text::default();
            let mut bytes = Vec::new();
            for piece in text.chunks(length) {
                bytes.extend_from_slice(&reader.decode(piece).unwrap());
            }
            assert_eq!(bytes, b"abcdefghijk", "{length}");
            assert!(!reader.is_mid_group());
        }
        let mut cut = Text::default();
        assert_eq!(cut.decode(b"YWJjZ").unwrap(), &b"abc"[..]);
        assert!(cut.is_mid_group());
        for text in [b"Y=Q=", b"====", b"YQ=a", b"\x00\x01\xFF\xFE", b"YW J"] {
            let read = Text::default().decode(text);
            assert!(read.is_err(), "{}: {read:?}", text.escape_ascii());
        }
    }
}
