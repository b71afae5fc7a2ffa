//! What a field is when it was not sent.

use std::cmp::Ordering;

use buffa_descriptor::generated::descriptor::field_descriptor_proto::Type;

use super::Pair;
use super::field::FieldPair;
use crate::lock::{Cardinality, Field, is_message, quoted};

pub(super) fn check<'a>(pair: &mut Pair<'a>, field: FieldPair<'a>) {
    let (old, new) = (field.old.it, field.new.it);
    if !can_have_default(old) || !can_have_default(new) {
        return;
    }
    let (before, now) = (Default::of(old), Default::of(new));
    if (before.is_zero() && now.is_zero()) || before == now {
        return;
    }
    let told = |field: &Field| match &field.default {
        Some(default) if matches!(field.kind, Type::TYPE_STRING | Type::TYPE_BYTES) => {
            quoted(default)
        }
        Some(default) => default.clone(),
        None => "that of its type".to_owned(),
    };
    let (was, is) = (told(old), told(new));
    let found = field
        .breaks("FIELD_SAME_DEFAULT", &format!("has the default {is}, it was {was}"), &[&[7]], format!("was {was}"))
        .help("keep the default: a reader of the old revision uses it for every message that leaves the field out");
    pair.add(found);
}

fn can_have_default(field: &Field) -> bool {
    let single = !matches!(field.cardinality, Cardinality::Repeated | Cardinality::Map);
    single && !is_message(field.kind)
}

/// A default as a value. Texts and bytes compare with each other, and so do all numbers, `bool` and enums among them: a
/// change of type is the business of other rules.
enum Default {
    Bytes(Vec<u8>),
    Integer(i128),
    Single(f32),
    Double(f64),
}

impl Default {
    /// A text that is no such value (a descriptor set made by hand) counts as none.
    fn of(field: &Field) -> Self {
        let text = field.default.as_deref();
        match field.kind {
            Type::TYPE_STRING => Self::Bytes(text.unwrap_or_default().into()),
            Type::TYPE_BYTES => Self::Bytes(unescaped(text.unwrap_or_default())),
            Type::TYPE_FLOAT => {
                Self::Single(text.and_then(|text| text.parse().ok()).unwrap_or(0.0))
            }
            Type::TYPE_DOUBLE => {
                Self::Double(text.and_then(|text| text.parse().ok()).unwrap_or(0.0))
            }
            Type::TYPE_BOOL => Self::Integer((text == Some("true")).into()),
            _ => Self::Integer(text.and_then(|text| text.parse().ok()).unwrap_or(0)),
        }
    }

    /// The default of a field that does not say any. -0 is one, too.
    fn is_zero(&self) -> bool {
        match self {
            Self::Bytes(bytes) => bytes.is_empty(),
            Self::Integer(integer) => *integer == 0,
            Self::Single(float) => *float == 0.0,
            Self::Double(float) => *float == 0.0,
        }
    }
}

impl PartialEq for Default {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bytes(one), Self::Bytes(other)) => one == other,
            (Self::Bytes(_), _) | (_, Self::Bytes(_)) => false,
            (Self::Integer(one), Self::Integer(other)) => one == other,
            (Self::Single(one), Self::Single(other)) => same(f64::from(*one), f64::from(*other)),
            (Self::Double(one), Self::Double(other)) => same(*one, *other),
            // A `double` has digits that a `float` cannot have: they are the same if they are as a `float`.
            #[expect(
                clippy::cast_possible_truncation,
                reason = "losing digits is what makes them comparable"
            )]
            (Self::Single(single), Self::Double(double))
            | (Self::Double(double), Self::Single(single)) => {
                same(f64::from(*single), f64::from(*double as f32))
            }
            (Self::Integer(integer), Self::Single(float))
            | (Self::Single(float), Self::Integer(integer)) => {
                is_integer(f64::from(*float), *integer)
            }
            (Self::Integer(integer), Self::Double(float))
            | (Self::Double(float), Self::Integer(integer)) => is_integer(*float, *integer),
        }
    }
}

/// All that is not a number is the same default.
fn same(one: f64, other: f64) -> bool {
    one.partial_cmp(&other) == Some(Ordering::Equal) || (one.is_nan() && other.is_nan())
}

/// Whether a float is exactly this integer.
fn is_integer(float: f64, integer: i128) -> bool {
    // 2^65 is past every integer of a field, and what is below it converts without loss.
    const PAST: f64 = 36_893_488_147_419_103_232.0;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it has no fraction and is in range"
    )]
    let equal = || float as i128 == integer;
    float.abs() < PAST && float.fract() == 0.0 && equal()
}

/// The bytes behind C escapes, as descriptors write defaults of `bytes`.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        let Some((escape, after)) = rest.split_first() else {
            break;
        };
        rest = after;
        match escape {
            b'n' => bytes.push(b'\n'),
            b'r' => bytes.push(b'\r'),
            b't' => bytes.push(b'\t'),
            b'a' => bytes.push(7),
            b'b' => bytes.push(8),
            b'f' => bytes.push(12),
            b'v' => bytes.push(11),
            b'x' | b'X' => bytes.push(digits(&mut rest, 16, 2, 0)),
            b'0'..=b'7' => {
                let first = escape - b'0';
                bytes.push(digits(&mut rest, 8, 2, first));
            }
            other => bytes.push(*other),
        }
    }
    bytes
}

/// Reads up to so many digits after those that make `value`.
fn digits(rest: &mut &[u8], radix: u8, most: usize, mut value: u8) -> u8 {
    for _ in 0..most {
        let Some((digit, after)) = rest.split_first() else {
            break;
        };
        let Some(digit) = char::from(*digit).to_digit(u32::from(radix)) else {
            break;
        };
        value = value
            .wrapping_mul(radix)
            .wrapping_add(u8::try_from(digit).unwrap_or(0));
        *rest = after;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::unescaped;

    #[test]
    fn escapes_of_bytes() {
        assert_eq!(
            unescaped(r#"a\n\377\x1fz\"\\\0017"#),
            b"a\n\xff\x1fz\"\\\x017"
        );
        assert_eq!(unescaped(r"\"), b"");
        assert_eq!(unescaped(r"\x"), b"\0");
    }
}
