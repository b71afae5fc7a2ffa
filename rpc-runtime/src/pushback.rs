//! What a server asks of a client that would make a call again.

use std::time::Duration;

/// What a server asks of a client that would make a failed call again: see
/// [`Status::with_pushback`](crate::Status::with_pushback).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Pushback {
    /// To wait for this long first, instead of a time of its own. Wires carry whole milliseconds,
    /// rounded up.
    After(Duration),
    /// Not to make the call again.
    Never,
}

/// How the native wire says `Never`.
const NEVER: u64 = u64::MAX;

impl Pushback {
    /// Returns it as the native wire writes it: milliseconds, or the largest number.
    pub(crate) fn to_number(self) -> u64 {
        match self {
            Self::Never => NEVER,
            Self::After(pause) => milliseconds(pause).min(NEVER - 1),
        }
    }

    pub(crate) fn from_number(number: u64) -> Self {
        match number {
            NEVER => Self::Never,
            pause => Self::After(Duration::from_millis(pause)),
        }
    }
}

#[cfg(feature = "http")]
impl Pushback {
    /// Returns it as gRPC writes it: milliseconds in 32 bits, negative for `Never`
    /// (<https://github.com/grpc/proposal/blob/master/A6-client-retries.md>, "Pushback").
    pub(crate) fn to_text(self) -> String {
        match self {
            Self::Never => "-1".to_owned(),
            Self::After(pause) => milliseconds(pause).min(i32::MAX as u64).to_string(),
        }
    }

    /// Reads what gRPC writes; what is no number means `Never`, as the same section says.
    pub(crate) fn from_text(text: &[u8]) -> Self {
        let number = std::str::from_utf8(text)
            .ok()
            .and_then(|it| it.parse::<i32>().ok());
        match number.map(u64::try_from) {
            Some(Ok(pause)) => Self::After(Duration::from_millis(pause)),
            _ => Self::Never,
        }
    }
}

fn milliseconds(pause: Duration) -> u64 {
    let rounded_up = pause.as_nanos().div_ceil(1_000_000);
    u64::try_from(rounded_up).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EACH: [Pushback; 4] = [
        Pushback::Never,
        Pushback::After(Duration::ZERO),
        Pushback::After(Duration::from_millis(1_500)),
        Pushback::After(Duration::from_secs(86_400)),
    ];

    #[test]
    fn both_wires_carry_it() {
        for pushback in EACH {
            assert_eq!(Pushback::from_number(pushback.to_number()), pushback);
            #[cfg(feature = "http")]
            assert_eq!(Pushback::from_text(pushback.to_text().as_bytes()), pushback);
        }
        let longest = Pushback::After(Duration::MAX);
        assert!(matches!(
            Pushback::from_number(longest.to_number()),
            Pushback::After(_)
        ));
        let short = Pushback::After(Duration::from_nanos(1));
        assert_eq!(short.to_number(), 1);
    }

    #[cfg(feature = "http")]
    #[test]
    fn what_is_no_number_means_never() {
        for text in ["", "soon", "-5", "1.5", "99999999999"] {
            assert_eq!(
                Pushback::from_text(text.as_bytes()),
                Pushback::Never,
                "{text}"
            );
        }
    }
}
