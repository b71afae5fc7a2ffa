//! The headers of Connect.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::status::Status;

/// The version of the protocol, which there is one of.
pub(in crate::wire::http) const VERSION: HeaderName =
    HeaderName::from_static("connect-protocol-version");
const ONE: HeaderValue = HeaderValue::from_static("1");

/// What a call says of it.
pub(in crate::wire::http) const VERSION_ONE: (HeaderName, HeaderValue) = (VERSION, ONE);

/// How long a call may take, in milliseconds.
pub(in crate::wire::http) const TIMEOUT: HeaderName = HeaderName::from_static("connect-timeout-ms");

/// The most digits of a timeout.
const MAX_DIGITS: usize = 10;

/// The longest timeout that can be written.
const MAX_TIMEOUT: u128 = 9_999_999_999;

/// Refuses another version of the protocol; the header may be missing.
pub(in crate::wire::http) fn check_version(headers: &HeaderMap) -> Result<(), Status> {
    if headers.get(VERSION).is_some_and(|it| it != ONE) {
        let text = "`connect-protocol-version` is not 1";
        return Err(Status::invalid_argument(text));
    }
    Ok(())
}

/// Reads how long a call may take.
///
/// # Errors
///
/// A header that is not a number of milliseconds.
pub(in crate::wire::http) fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, Status> {
    let Some(value) = headers.get(TIMEOUT) else {
        return Ok(None);
    };
    let digits = value.to_str().ok().filter(|text| {
        (1..=MAX_DIGITS).contains(&text.len()) && text.bytes().all(|it| it.is_ascii_digit())
    });
    let milliseconds = digits.and_then(|it| it.parse().ok()).ok_or_else(|| {
        Status::invalid_argument("`connect-timeout-ms` is not a number of up to ten digits")
    })?;
    Ok(Some(Duration::from_millis(milliseconds)))
}

/// Writes a timeout, rounded up; one that has too many digits is the longest.
pub(in crate::wire::http) fn format_timeout(timeout: Duration) -> String {
    let milliseconds = timeout.as_micros().div_ceil(1_000);
    milliseconds.min(MAX_TIMEOUT).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_written_as_they_are_read() {
        for (timeout, text) in [
            (Duration::ZERO, "0"),
            (Duration::from_micros(1_001), "2"),
            (Duration::from_secs(30), "30000"),
            (Duration::MAX, "9999999999"),
        ] {
            assert_eq!(format_timeout(timeout), text);
        }
    }
}
