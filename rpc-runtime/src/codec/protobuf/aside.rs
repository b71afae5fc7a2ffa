//! What the JSON of a message puts aside before it knows what it is: an `Any`, and extensions.
//!
//! Where their types are registered, both become a tree of values first, which takes up to thirty times the memory of its
//! text, and those inside of them become one again at each level: thirty levels take twelve times as long as one. The text alone
//! says how much it will be, so it is asked before.

/// What a value counts beside its text: it has 32 bytes, in lists that grow to twice their length.
const VALUE: usize = 64;

/// Returns how many bytes the trees of a JSON text take, all together.
///
/// It may be no JSON: up to the first mistake this sees the same strings and brackets as serde_json.
pub(super) fn put_aside(text: &[u8]) -> usize {
    if !text
        .windows(2)
        .any(|it| matches!(it, b"\"@" | b"\"[" | b"\"\\"))
    {
        return 0;
    }
    let mut reader = Reader::default();
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        at = reader.read(*byte, at, text) + 1;
    }
    reader.total
}

/// An array or object that is not closed yet.
struct Open {
    is_object: bool,
    is_aside: bool,
    start: usize,
    /// How many values were before those in it.
    values: usize,
}

#[derive(Default)]
struct Reader {
    open: Vec<Open>,
    values: usize,
    /// The next string is the name of a member.
    expects_name: bool,
    /// The next value is put aside, if it is an array or an object.
    is_next_aside: bool,
    total: usize,
}

impl Reader {
    /// Reads what begins with `byte`, and returns where that ends.
    fn read(&mut self, byte: u8, at: usize, text: &[u8]) -> usize {
        match byte {
            b'"' => {
                let end = end_of_string(text, at + 1);
                if std::mem::take(&mut self.expects_name) {
                    self.name(text.get(at + 1..end).unwrap_or_default());
                }
                return end;
            }
            b'{' | b'[' => {
                self.values += 1;
                self.open.push(Open {
                    is_object: byte == b'{',
                    is_aside: std::mem::take(&mut self.is_next_aside),
                    start: at,
                    values: self.values,
                });
                self.expects_name = byte == b'{';
            }
            b',' => {
                self.values += 1;
                self.is_next_aside = false;
                self.expects_name = self.open.last().is_some_and(|it| it.is_object);
            }
            b':' => self.values += 1,
            b']' | b'}' => self.close(at),
            _ => {}
        }
        at
    }

    /// An `Any` is put aside as a whole, of an extension its value. A name can be written in more than one way.
    fn name(&mut self, name: &[u8]) {
        let is_any = match name.first() {
            Some(b'@') => name == b"@type" || name.contains(&b'\\'),
            Some(b'[') => {
                self.is_next_aside = true;
                false
            }
            first => first == Some(&b'\\'),
        };
        if let Some(open) = self.open.last_mut().filter(|_| is_any) {
            open.is_aside = true;
        }
    }

    fn close(&mut self, at: usize) {
        self.is_next_aside = false;
        self.expects_name = false;
        if let Some(closed) = self.open.pop().filter(|it| it.is_aside) {
            let values = self.values - closed.values;
            let size = values
                .saturating_mul(VALUE)
                .saturating_add(at - closed.start);
            self.total = self.total.saturating_add(size);
        }
    }
}

/// Returns where the quote is that ends a string, or where the text ends.
fn end_of_string(text: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_put_aside_counts() {
        for (text, values, bytes) in [
            (r#"{"a":[1,2,3]}"#, 0, 0),
            (r#"{"a":"@type","b":["@type","[x]"]}"#, 0, 0),
            (r#"{"@name":[1,2,3],"\n":1}"#, 3 + 3, 23),
            (r#"{"@type":"a/b"}"#, 1, 14),
            (r#"{"a":[1,2],"@type":"a/b"}"#, 5, 24),
            (r#"{"a":[1,2],"b":{"\u0040type":"a/b"}}"#, 1, 19),
            (r#"{"a":[1,2],"@t\u0079pe":"a/b"}"#, 5, 29),
            (r#"{"a":[1,2],"[x]":1}"#, 0, 0),
            (r#"{"a":[1,2],"[x]":[1,2,3]}"#, 2, 6),
            (r#"{"a":[1,2],"[x]":1,"b":[1]}"#, 0, 0),
            (r#"{"[x]":{"[x]":[1,2,3]}}"#, 2 + 4, 6 + 14),
            (r#"{"a\"":[{"@type":"a/b","\"@type\"":"}"}]}"#, 3, 30),
        ] {
            let expected = values * VALUE + bytes;
            assert_eq!(put_aside(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_json_is_read_to_its_end() {
        for text in [
            r#"{"@type":"#,
            r#"{"@type\"#,
            "]}\"@",
            "\"[",
            "{,:\"@type\"}]",
            "\"\\",
        ] {
            let _ = put_aside(text.as_bytes());
        }
    }
}
