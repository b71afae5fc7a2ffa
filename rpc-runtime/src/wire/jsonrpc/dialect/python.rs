//! JSON as Python's `json.dumps` writes it.

use std::fmt::Write as _;

use bytes::{BufMut, BytesMut};

/// Gives a text that was written without white space the spacing and the escapes of Python.
pub(super) fn restyle(text: &[u8]) -> BytesMut {
    let mut out = BytesMut::with_capacity(text.len() + text.len() / 4);
    let text = String::from_utf8_lossy(text);
    let (mut in_string, mut is_escaped) = (false, false);
    for (at, character) in text.char_indices() {
        match character {
            '"' if !is_escaped => {
                in_string = !in_string;
                out.put_u8(b'"');
            }
            ',' if !in_string => out.put_slice(b", "),
            ':' if !in_string => out.put_slice(b": "),
            ' ' if !in_string => {}
            '+' | '-' if !in_string && out.last() == Some(&b'e') => {
                out.put_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                let digits = text.bytes().skip(at + 1);
                // Python writes an exponent with two digits at least.
                if digits.take_while(u8::is_ascii_digit).count() == 1 {
                    out.put_u8(b'0');
                }
            }
            // Delete is not printable, so Python escapes it too.
            ' '..='~' => out.put_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    // A buffer that grows takes everything.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
        is_escaped = in_string && character == '\\' && !is_escaped;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_and_escapes_are_those_of_python() {
        for (ours, pythons) in [
            (
                r#"{"a":[1,2,{}],"b":":,"}"#,
                r#"{"a": [1, 2, {}], "b": ":,"}"#,
            ),
            ("\"\u{e9}\u{1F600}\u{7f}\"", r#""\u00e9\ud83d\ude00\u007f""#),
            (
                "[1e-7,1.5e+22,-2e-10,true]",
                "[1e-07, 1.5e+22, -2e-10, true]",
            ),
            (r#"["\"\\","a\\\",",1]"#, r#"["\"\\", "a\\\",", 1]"#),
        ] {
            assert_eq!(restyle(ours.as_bytes()), pythons.as_bytes());
        }
    }
}
