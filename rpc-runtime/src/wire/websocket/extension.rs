//! What is agreed on about compression: RFC 7692, section 7.1.

use http::HeaderMap;
use http::header::SEC_WEBSOCKET_EXTENSIONS;

const NAME: &str = "permessage-deflate";
const SERVER_NO_CONTEXT: &str = "server_no_context_takeover";
const CLIENT_NO_CONTEXT: &str = "client_no_context_takeover";
const SERVER_BITS: &str = "server_max_window_bits";
const CLIENT_BITS: &str = "client_max_window_bits";

/// The smallest and the largest window, as powers of two. There is one of 8 as well, which zlib does
/// not write.
const LEAST_BITS: u8 = 9;
const MOST_BITS: u8 = 15;

/// How messages are compressed that one side sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Direction {
    /// Each message is compressed by itself.
    pub(super) forgets: bool,
    pub(super) window_bits: u8,
}

/// How both directions are compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Agreed {
    pub(super) server: Direction,
    pub(super) client: Direction,
}

/// What the client offers: nothing that it would have to remember, as that takes 300 KiB for each
/// connection.
pub(super) const OFFER: &str =
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// One entry of the header: its parameters, with their values.
fn parameters(entry: &str) -> Option<Vec<(&str, Option<&str>)>> {
    let mut parts = entry.split(';').map(str::trim);
    if parts.next() != Some(NAME) {
        return None;
    }
    let parameters: Vec<_> = parts.map(parameter).collect();
    let mut names: Vec<_> = parameters.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    names.dedup();
    (names.len() == parameters.len()).then_some(parameters)
}

fn parameter(part: &str) -> (&str, Option<&str>) {
    match part.split_once('=') {
        None => (part, None),
        Some((name, value)) => (name.trim_end(), Some(value.trim().trim_matches('"'))),
    }
}

fn bits(value: &str) -> Option<u8> {
    let bits = value.parse().ok()?;
    (!value.starts_with(['0', '+']) && (8..=MOST_BITS).contains(&bits)).then_some(bits)
}

impl Agreed {
    /// Chooses the first offer of a client that can be accepted.
    pub(super) fn choose(headers: &HeaderMap) -> Option<Self> {
        let lines = headers.get_all(SEC_WEBSOCKET_EXTENSIONS).iter();
        let texts = lines.filter_map(|it| it.to_str().ok());
        let mut entries = texts.flat_map(|it| it.split(','));
        entries.find_map(|it| Self::accept(it.trim()))
    }

    fn accept(offer: &str) -> Option<Self> {
        let mut agreed = Self {
            // Whoever wants to remember may, and a server never does: see `OFFER`.
            server: Direction {
                forgets: true,
                window_bits: MOST_BITS,
            },
            client: Direction {
                forgets: true,
                window_bits: MOST_BITS,
            },
        };
        for parameter in parameters(offer)? {
            match parameter {
                (SERVER_NO_CONTEXT | CLIENT_NO_CONTEXT | CLIENT_BITS, None) => {}
                (SERVER_BITS, Some(value)) => {
                    let wanted = bits(value).filter(|it| *it >= LEAST_BITS)?;
                    agreed.server.window_bits = wanted;
                }
                // A hint; any window can be read.
                (CLIENT_BITS, Some(value)) => drop(bits(value)?),
                _ => return None,
            }
        }
        Some(agreed)
    }

    /// Writes what a server answers.
    pub(super) fn answer(self) -> String {
        let mut answer = OFFER.to_owned();
        if self.server.window_bits < MOST_BITS {
            answer.push_str(&format!("; {SERVER_BITS}={}", self.server.window_bits));
        }
        answer
    }

    /// Reads the answer of a server to [`OFFER`]; `None` if it is none.
    pub(super) fn read(answer: &str) -> Option<Self> {
        let agreed = Self::accept(answer)?;
        let parameters = parameters(answer)?;
        // The server may not do less than was asked for, nor set what was not offered (section 7.1.2.2).
        let forgets = parameters.contains(&(SERVER_NO_CONTEXT, None));
        let narrows = parameters.iter().any(|(name, _)| *name == CLIENT_BITS);
        (forgets && !narrows).then_some(agreed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn choose(offer: &'static str) -> Option<u8> {
        let mut headers = HeaderMap::new();
        headers.insert(SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_static(offer));
        Agreed::choose(&headers).map(|it| it.server.window_bits)
    }

    #[test]
    fn the_first_offer_that_can_be_kept_is_accepted() {
        for (offer, bits) in [
            ("permessage-deflate", Some(15)),
            ("permessage-deflate; client_max_window_bits", Some(15)),
            ("permessage-deflate; client_max_window_bits=8", Some(15)),
            (
                "permessage-deflate; server_max_window_bits=\"10\"",
                Some(10),
            ),
            ("permessage-deflate; server_max_window_bits=8", None),
            (
                "permessage-deflate; server_max_window_bits=8, permessage-deflate",
                Some(15),
            ),
            ("permessage-deflate; server_max_window_bits=16", None),
            ("permessage-deflate; server_max_window_bits=09", None),
            ("permessage-deflate; server_max_window_bits", None),
            ("permessage-deflate; unknown", None),
            (
                "permessage-deflate; client_max_window_bits; client_max_window_bits",
                None,
            ),
            ("permessage-deflate; server_no_context_takeover=1", None),
            (
                "x-webkit-deflate-frame, permessage-deflate;client_no_context_takeover",
                Some(15),
            ),
            ("permessage-bzip2", None),
        ] {
            assert_eq!(choose(offer), bits, "{offer}");
        }
    }

    #[test]
    fn a_server_is_held_to_what_was_offered() {
        let agreed = Agreed::accept(&format!("{NAME}; {SERVER_BITS}=9")).unwrap();
        assert_eq!(Agreed::read(&agreed.answer()), Some(agreed));
        assert_eq!(Agreed::read(NAME), None, "it would remember");
        assert_eq!(Agreed::read(&format!("{OFFER}; {CLIENT_BITS}=9")), None);
        assert_eq!(Agreed::read("x"), None);
    }
}
