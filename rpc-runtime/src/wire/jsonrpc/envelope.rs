//! One JSON text: the members of an object, or the items of a batch.
//!
//! Only the brackets around calls are read here. What is in a member stays text, so that numbers
//! keep every digit and arguments go straight into the types of a handler; nothing recurses.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// What JSON allows around values (RFC 8259, section 2).
const SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

/// The members of one object that any dialect knows, as they stand there.
#[derive(Default, Debug)]
pub(crate) struct Envelope<'a> {
    pub(crate) jsonrpc: Option<&'a RawValue>,
    pub(crate) method: Option<&'a RawValue>,
    pub(crate) params: Option<&'a RawValue>,
    pub(crate) id: Option<&'a RawValue>,
    pub(crate) result: Option<&'a RawValue>,
    pub(crate) error: Option<&'a RawValue>,
    pub(crate) kwargs: Option<&'a RawValue>,
    pub(crate) meta: Option<&'a RawValue>,
    pub(crate) ok: Option<&'a RawValue>,
    /// A known member is there more than once, so nobody can say what was meant.
    pub(crate) is_ambiguous: bool,
}

/// Why a text is not what it should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unreadable {
    /// It is not JSON in UTF-8.
    Syntax,
    /// It is JSON, but nothing of what is looked for.
    Shape,
    /// A batch of more items than are allowed.
    TooMany,
}

impl<'a> Envelope<'a> {
    /// Reads an object.
    pub(crate) fn read(text: &'a [u8]) -> Result<Self, Unreadable> {
        let text = std::str::from_utf8(text).map_err(|_| Unreadable::Syntax)?;
        if text.trim_start_matches(SPACE).starts_with('{') {
            return serde_json::from_str(text).map_err(|_| Unreadable::Syntax);
        }
        let is_json = serde_json::from_str::<&RawValue>(text).is_ok();
        Err(match is_json {
            true => Unreadable::Shape,
            false => Unreadable::Syntax,
        })
    }
}

/// Returns what a string says, if the text is one.
pub(crate) fn string(value: &RawValue) -> Option<Cow<'_, str>> {
    let text = value.get();
    let inside = text.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    match inside {
        Some(inside) if !inside.contains('\\') => Some(inside.into()),
        _ => serde_json::from_str(text).map(Cow::Owned).ok(),
    }
}

/// Says whether a text is a batch: an array.
pub(crate) fn is_batch(text: &[u8]) -> bool {
    text.trim_ascii_start().first() == Some(&b'[')
}

/// Returns the items of a batch, each as it stands there.
pub(crate) fn items(text: &[u8], limit: usize) -> Result<Vec<&str>, Unreadable> {
    let text = std::str::from_utf8(text).map_err(|_| Unreadable::Syntax)?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let items = deserializer.deserialize_seq(Items { limit });
    let items = items.map_err(|_| Unreadable::Syntax)?;
    // What follows is not looked at when there was too much before it.
    let items = items.ok_or(Unreadable::TooMany)?;
    deserializer.end().map_err(|_| Unreadable::Syntax)?;
    Ok(items)
}

struct Items {
    limit: usize,
}

impl<'de> Visitor<'de> for Items {
    /// `None` for too many.
    type Value = Option<Vec<&'de str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a batch")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Self::Value, S::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element::<&RawValue>()? {
            items.push(item.get());
            if items.len() > self.limit {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(None);
            }
        }
        Ok(Some(items))
    }
}

#[derive(serde::Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Member {
    Jsonrpc,
    Method,
    Params,
    Id,
    Result,
    Error,
    Kwargs,
    Meta,
    Ok,
    #[serde(other)]
    Other,
}

impl<'de> Deserialize<'de> for Envelope<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Envelope<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut found = Envelope::default();
        while let Some(member) = map.next_key::<Member>()? {
            let slot = match member {
                Member::Jsonrpc => &mut found.jsonrpc,
                Member::Method => &mut found.method,
                Member::Params => &mut found.params,
                Member::Id => &mut found.id,
                Member::Result => &mut found.result,
                Member::Error => &mut found.error,
                Member::Kwargs => &mut found.kwargs,
                Member::Meta => &mut found.meta,
                Member::Ok => &mut found.ok,
                Member::Other => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            found.is_ambiguous |= slot.replace(map.next_value()?).is_some();
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(value: Option<&RawValue>) -> Option<&str> {
        value.map(RawValue::get)
    }

    #[test]
    fn members_stay_as_they_stand_there() {
        let text = br#" {"\u006dethod":"a","id":1e400,"params":[1.0, 2],"else":[[1e999]],"jsonrpc":"2.0"} "#;
        let found = Envelope::read(text).unwrap();
        assert_eq!(raw(found.method), Some("\"a\""));
        assert_eq!(raw(found.id), Some("1e400"));
        assert_eq!(raw(found.params), Some("[1.0, 2]"));
        assert!(!found.is_ambiguous);
        assert!(found.result.is_none() && found.kwargs.is_none());
    }

    #[test]
    fn a_member_that_is_there_twice_is_noticed() {
        assert!(Envelope::read(br#"{"id":1,"id":1}"#).unwrap().is_ambiguous);
        assert!(!Envelope::read(br#"{"x":1,"x":2}"#).unwrap().is_ambiguous);
    }

    #[test]
    fn what_is_no_object_is_told_from_what_is_no_json() {
        for text in ["1", "\"a\"", "null", " [1] ", "1e999"] {
            let error = Envelope::read(text.as_bytes()).unwrap_err();
            assert_eq!(error, Unreadable::Shape, "{text}");
        }
        for text in [
            "",
            " ",
            "{",
            "{}}",
            "{\"a\":01}",
            "nul",
            "{\"a\":\"\u{1}\"}",
            "{1:2}",
        ] {
            let error = Envelope::read(text.as_bytes()).unwrap_err();
            assert_eq!(error, Unreadable::Syntax, "{text}");
        }
        let error = Envelope::read(b"{\"a\":\"\xFF\"}").unwrap_err();
        assert_eq!(error, Unreadable::Syntax);
    }

    #[test]
    fn no_depth_of_nesting_is_too_much_to_read() {
        let (open, close) = ("[".repeat(1 << 20), "]".repeat(1 << 20));
        let text = format!("{{\"params\":{open}{close},\"id\":1}}");
        assert_eq!(raw(Envelope::read(text.as_bytes()).unwrap().id), Some("1"));
        let text = format!("{open}{close}");
        assert_eq!(items(text.as_bytes(), 1).unwrap().len(), 1);
    }

    #[test]
    fn items_are_counted_before_they_are_kept() {
        assert_eq!(items(b"[1, {} ,[2]]", 3), Ok(vec!["1", "{}", "[2]"]));
        assert_eq!(items(b"[1,2,3,4]", 3), Err(Unreadable::TooMany));
        assert_eq!(items(b"[]", 0), Ok(vec![]));
        for text in ["[1,]", "[1", "[1] 2", "[1,2,3,4", "[\"\\x\"]"] {
            assert_eq!(items(text.as_bytes(), 3), Err(Unreadable::Syntax), "{text}");
        }
    }
}
