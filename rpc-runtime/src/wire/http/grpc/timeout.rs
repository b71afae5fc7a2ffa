//! The `grpc-timeout` header
//! (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>, "Timeout").

use std::time::Duration;

use http::{HeaderMap, HeaderName};

use crate::status::Status;

/// The header.
pub(in crate::wire::http) const NAME: HeaderName = HeaderName::from_static("grpc-timeout");

/// The most digits of a value.
const MAX_DIGITS: usize = 8;

/// One more than the largest value.
const TOO_LARGE: u128 = 100_000_000;

/// From here on a timeout is rounded up to milliseconds. Calls that may take as long then say the same, though each has a
/// few microseconds less left of it, and HTTP/2 has one byte for what was said before.
const ROUNDED_FROM: Duration = Duration::from_secs(1);
const MILLISECOND: u128 = 1_000_000;

/// Every unit with its length in nanoseconds, the shortest first.
const UNITS: [(u8, u64); 6] = [
    (b'n', 1),
    (b'u', 1_000),
    (b'm', 1_000_000),
    (b'S', 1_000_000_000),
    (b'M', 60_000_000_000),
    (b'H', 3_600_000_000_000),
];

/// Reads the header.
///
/// # Errors
///
/// A value that is not a timeout.
pub(in crate::wire::http) fn of(headers: &HeaderMap) -> Result<Option<Duration>, Status> {
    let Some(value) = headers.get(NAME) else {
        return Ok(None);
    };
    let timeout = parse(value.as_bytes()).ok_or_else(|| {
        Status::invalid_argument("`grpc-timeout` is not up to eight digits and a unit")
    })?;
    Ok(Some(timeout))
}

/// Reads a timeout; `None` for what is not one.
pub(in crate::wire::http) fn parse(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    if digits.is_empty() || digits.len() > MAX_DIGITS {
        return None;
    }
    let (_, nanoseconds) = UNITS.iter().find(|(it, _)| it == unit)?;
    // `u64::from_str` would allow a plus sign.
    let number = digits.iter().try_fold(0_u64, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + u64::from(digit - b'0'))
    })?;
    let seconds = Duration::from_secs(nanoseconds / 1_000_000_000);
    let below = Duration::from_nanos(nanoseconds % 1_000_000_000);
    let count = u32::try_from(number).ok()?;
    Some(
        seconds
            .saturating_mul(count)
            .saturating_add(below.saturating_mul(count)),
    )
}

/// Writes a timeout in the shortest unit that it fits, rounded up; what fits none is the longest.
pub(in crate::wire::http) fn format(timeout: Duration) -> String {
    let mut nanoseconds = timeout.as_nanos();
    if timeout >= ROUNDED_FROM {
        nanoseconds = nanoseconds.next_multiple_of(MILLISECOND);
    }
    let fitting = UNITS.iter().find_map(|(unit, length)| {
        let count = nanoseconds.div_ceil(u128::from(*length));
        (count < TOO_LARGE).then_some((count, *unit))
    });
    let (count, unit) = fitting.unwrap_or((TOO_LARGE - 1, b'H'));
    format!("{count}{}", char::from(unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read() {
        for (text, expected) in [
            ("0n", Duration::ZERO),
            ("7n", Duration::from_nanos(7)),
            ("99999999u", Duration::from_micros(99_999_999)),
            ("250m", Duration::from_millis(250)),
            ("1S", Duration::from_secs(1)),
            ("2M", Duration::from_secs(120)),
            ("3H", Duration::from_secs(10_800)),
            ("99999999H", Duration::from_secs(99_999_999 * 3600)),
            ("00000001S", Duration::from_secs(1)),
        ] {
            assert_eq!(parse(text.as_bytes()), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_timeout_is_refused() {
        for text in [
            "",
            "S",
            "1",
            "1s",
            "-1S",
            "+1S",
            "1.5S",
            "123456789S",
            " 1S",
            "1S ",
            "１S",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_again_and_never_shorter() {
        for (timeout, text) in [
            (Duration::ZERO, "0n"),
            (Duration::from_nanos(99_999_999), "99999999n"),
            (Duration::from_nanos(100_000_001), "100001u"),
            (Duration::from_micros(999_999), "999999u"),
            (Duration::from_secs(30), "30000000u"),
            (Duration::from_micros(29_999_001), "30000000u"),
            (Duration::from_secs(3600), "3600000m"),
            (Duration::from_secs(864_000), "864000S"),
            (Duration::MAX, "99999999H"),
        ] {
            assert_eq!(format(timeout), text);
            let read = parse(text.as_bytes()).expect("it is a timeout");
            assert!(read >= timeout || timeout == Duration::MAX, "{text}");
        }
    }
}
