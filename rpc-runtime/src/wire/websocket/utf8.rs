//! Whether text that comes in parts is UTF-8: RFC 6455, section 8.1.

/// What of a character has come that is not whole.
#[derive(Default, Debug)]
pub(super) struct Utf8 {
    begun: [u8; 4],
    length: usize,
}

/// The text is not UTF-8, whatever may follow.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Invalid;

impl Utf8 {
    /// Looks at the next part of the text, and whether the text may end with it.
    pub(super) fn check(&mut self, mut bytes: &[u8], is_last: bool) -> Result<(), Invalid> {
        while self.length > 0 {
            let Some((byte, rest)) = bytes.split_first() else {
                break;
            };
            bytes = rest;
            if let Some(place) = self.begun.get_mut(self.length) {
                *place = *byte;
            }
            self.length += 1;
            let begun = self.begun.get(..self.length).ok_or(Invalid)?;
            match str::from_utf8(begun) {
                Ok(_) => self.length = 0,
                Err(error) if error.error_len().is_some() => return Err(Invalid),
                Err(_) => {}
            }
        }
        if let Err(error) = str::from_utf8(bytes) {
            let rest = bytes.get(error.valid_up_to()..).unwrap_or_default();
            let begun = self.begun.get_mut(..rest.len());
            match (error.error_len(), begun) {
                (None, Some(begun)) => begun.copy_from_slice(rest),
                _ => return Err(Invalid),
            }
            self.length = rest.len();
        }
        if is_last && self.length > 0 {
            return Err(Invalid);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_text_however_it_is_cut() {
        let text = "aß水🍰\u{10FFFF}";
        let bytes = text.as_bytes();
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let mut utf8 = Utf8::default();
                assert_eq!(utf8.check(&bytes[..first], false), Ok(()));
                assert_eq!(utf8.check(&bytes[first..second], false), Ok(()));
                assert_eq!(utf8.check(&bytes[second..], true), Ok(()));
                assert_eq!(utf8.length, 0);
            }
        }
    }

    #[test]
    fn what_can_become_no_text_is_known_at_once() {
        for bytes in [
            &b"a\xFF"[..],
            b"\xC0\x80",
            b"\xED\xA0",
            b"\xF4\x90",
            b"\xE6\xB0a",
        ] {
            for cut in 0..bytes.len() {
                let mut utf8 = Utf8::default();
                let first = utf8.check(&bytes[..cut], false);
                let both = first.and_then(|()| utf8.check(&bytes[cut..], false));
                assert_eq!(both, Err(Invalid), "{bytes:x?} cut at {cut}");
            }
        }
        assert_eq!(Utf8::default().check(b"\xE6\xB0", true), Err(Invalid));
    }
}
