//! Why a connection ends: RFC 6455, section 7.

use std::borrow::Cow;
use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};

/// The longest payload of a control frame (RFC 6455, section 5.5).
pub(super) const MOST_CONTROL: usize = 125;

/// The number in a close frame: RFC 6455, section 7.4.1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct CloseCode(u16);

impl CloseCode {
    pub(super) const NORMAL: Self = Self(1000);
    pub(super) const GOING_AWAY: Self = Self(1001);
    pub(super) const PROTOCOL: Self = Self(1002);
    pub(super) const UNSUPPORTED: Self = Self(1003);
    pub(super) const INVALID: Self = Self(1007);
    pub(super) const TOO_LARGE: Self = Self(1009);

    /// Says whether a close frame may have this number. The others are kept for what no frame
    /// says, or are nobody's.
    fn may_be_sent(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

/// A rule of the protocol that the peer broke, and the number to close the connection with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Violation {
    pub(super) code: CloseCode,
    pub(super) text: Cow<'static, str>,
}

impl Violation {
    pub(super) fn new(code: CloseCode, text: impl Into<Cow<'static, str>>) -> Self {
        let text = text.into();
        Self { code, text }
    }

    pub(super) fn protocol(text: &'static str) -> Self {
        Self::new(CloseCode::PROTOCOL, text)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Violation {}

/// What a close frame says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Close {
    /// `None` where the frame was empty.
    pub(super) code: Option<CloseCode>,
    pub(super) reason: String,
}

impl Close {
    /// Reads the payload of a close frame.
    ///
    /// # Errors
    ///
    /// Half a number, one that no frame may have, or a reason that is not UTF-8.
    pub(super) fn read(payload: &Bytes) -> Result<Self, Violation> {
        let (code, reason) = match payload.split_first_chunk() {
            None if payload.is_empty() => (None, &[][..]),
            None => return Err(Violation::protocol("a close frame has half a number")),
            Some((code, reason)) => (Some(CloseCode(u16::from_be_bytes(*code))), reason),
        };
        if code.is_some_and(|it| !it.may_be_sent()) {
            let text = "a close frame has a number that none may have";
            return Err(Violation::protocol(text));
        }
        let Ok(reason) = str::from_utf8(reason) else {
            let text = "the reason of a close frame is not UTF-8";
            return Err(Violation::protocol(text));
        };
        let reason = reason.to_owned();
        Ok(Self { code, reason })
    }
}

/// Writes the payload of a close frame.
pub(super) fn payload(code: CloseCode, reason: &str) -> BytesMut {
    let mut payload = BytesMut::new();
    payload.put_u16(code.0);
    let mut length = reason.len().min(MOST_CONTROL - 2);
    while !reason.is_char_boundary(length) {
        length -= 1;
    }
    payload.put_slice(reason.get(..length).unwrap_or_default().as_bytes());
    payload
}

impl fmt::Display for Close {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(CloseCode(code)) => write!(f, "close code {code}")?,
            None => f.write_str("no close code")?,
        }
        match &*self.reason {
            "" => Ok(()),
            reason => write!(f, ": {}", reason.escape_debug()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(payload: &[u8]) -> Result<Close, Violation> {
        Close::read(&Bytes::copy_from_slice(payload))
    }

    #[test]
    fn numbers_that_no_frame_may_have_are_refused() {
        for code in [0_u16, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
            let violation = read(&code.to_be_bytes()).unwrap_err();
            assert_eq!(violation.code, CloseCode::PROTOCOL, "{code}");
        }
        for code in [1000_u16, 1003, 1007, 1011, 1014, 3000, 4999] {
            assert_eq!(
                read(&code.to_be_bytes()).unwrap().code,
                Some(CloseCode(code))
            );
        }
        assert!(read(&[3]).is_err() && read(&[3, 232, 0xFF]).is_err());
        assert_eq!(read(&[]).unwrap().to_string(), "no close code");
    }

    #[test]
    fn a_reason_is_cut_at_a_character_and_read_back() {
        let long = payload(CloseCode::GOING_AWAY, &"ü".repeat(100));
        assert_eq!(long.len(), 124, "an odd limit cannot hold the last `ü`");
        let close = read(&long).unwrap();
        assert_eq!(close.reason, "ü".repeat(61));
        let text = read(&payload(CloseCode::NORMAL, "over\n"))
            .unwrap()
            .to_string();
        assert_eq!(text, "close code 1000: over\\n");
    }
}
