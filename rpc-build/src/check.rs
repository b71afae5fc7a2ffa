//! What `protoc` refuses and the parser lets through.

use crate::diagnostic::Diagnostic;
use crate::schema::Schema;

/// Every mistake in a schema that was loaded.
pub fn check(_schema: &Schema) -> Vec<Diagnostic> {
    Vec::new()
}

/// The name of a field in JSON where none is given: `foo_bar` is `fooBar` (`ToJsonName` in `descriptor.cc`).
pub(crate) fn json_name(name: &str) -> String {
    let mut is_upper = false;
    let letters = name.chars().filter_map(|letter| match letter {
        '_' => {
            is_upper = true;
            None
        }
        _ => Some(match std::mem::take(&mut is_upper) {
            true => letter.to_ascii_uppercase(),
            false => letter,
        }),
    });
    letters.collect()
}
