//! Default values, as descriptors spell them.

use buffa_descriptor::generated::descriptor::field_descriptor_proto::Type;

/// Whether `text` is a value of a type that needs no name.
pub(super) fn is_default(text: &str, kind: Type) -> bool {
    match kind {
        Type::TYPE_INT32 | Type::TYPE_SINT32 | Type::TYPE_SFIXED32 => text.parse::<i32>().is_ok(),
        Type::TYPE_INT64 | Type::TYPE_SINT64 | Type::TYPE_SFIXED64 => text.parse::<i64>().is_ok(),
        Type::TYPE_UINT32 | Type::TYPE_FIXED32 => text.parse::<u32>().is_ok(),
        Type::TYPE_UINT64 | Type::TYPE_FIXED64 => text.parse::<u64>().is_ok(),
        Type::TYPE_BOOL => matches!(text, "true" | "false"),
        Type::TYPE_FLOAT | Type::TYPE_DOUBLE => is_float(text),
        Type::TYPE_BYTES => is_escaped(text),
        Type::TYPE_STRING => true,
        Type::TYPE_MESSAGE | Type::TYPE_GROUP | Type::TYPE_ENUM => false,
    }
}

/// Words for what is no number, and digits for what is. Rust has more words.
fn is_float(text: &str) -> bool {
    let is_number = text.bytes().any(|letter| letter.is_ascii_digit());
    matches!(text, "inf" | "-inf" | "nan" | "-nan") || (is_number && text.parse::<f64>().is_ok())
}

/// Bytes are written with the escapes of C.
fn is_escaped(text: &str) -> bool {
    let mut letters = text.bytes().peekable();
    while let Some(letter) = letters.next() {
        if letter != b'\\' {
            continue;
        }
        let is_whole = match letters.next() {
            Some(b'n' | b'r' | b't' | b'"' | b'\'' | b'\\' | b'a' | b'b' | b'f' | b'v' | b'?') => {
                true
            }
            Some(b'x' | b'X') => letters.next_if(u8::is_ascii_hexdigit).is_some(),
            Some(first @ b'0'..=b'7') => {
                let more = (0..2).take_while(|_| {
                    letters
                        .next_if(|letter| (b'0'..=b'7').contains(letter))
                        .is_some()
                });
                // Three digits may be more than a byte.
                more.count() < 2 || first <= b'3'
            }
            _ => false,
        };
        if !is_whole {
            return false;
        }
    }
    true
}
