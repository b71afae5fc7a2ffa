//! Which name a caller may have meant.

/// A longer name is compared with nothing, so that a caller cannot make the search costly.
const MAX_LENGTH: usize = 64;

/// How many names are compared at most.
const MAX_NAMES: usize = 256;

/// How much of a name that nobody serves is said back to the caller.
const MAX_SHOWN: usize = 128;

/// Ends a message with the path that is nearest to `asked`, if one is near enough.
///
/// Names are near if they differ in two letters, case, `_` and `-` aside, or in the parts before
/// them: `Math/add` and `math.v1.Math/adds` are near to `math.v1.Math/add`.
pub(super) fn suggestion<'a>(asked: &str, paths: impl Iterator<Item = &'a str>) -> String {
    match nearest(asked, paths) {
        Some(path) => format!(", did you mean `{path}`?"),
        None => String::new(),
    }
}

/// Returns the beginning of a name that came from a caller.
pub(super) fn shown(name: &str) -> &str {
    let end = (0..=MAX_SHOWN.min(name.len())).rev();
    let end = end.into_iter().find(|end| name.is_char_boundary(*end));
    name.get(..end.unwrap_or(0)).unwrap_or_default()
}

fn nearest<'a>(asked: &str, paths: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let asked = Name::new(asked)?;
    paths
        .take(MAX_NAMES)
        .filter_map(|path| Some((asked.distance(&Name::new(path)?)?, path)))
        // Also by the path itself, as a router keeps its paths in no order.
        .min()
        .map(|(_, path)| path)
}

/// A path as it is compared: lower case, its parts apart.
struct Name {
    letters: [u8; MAX_LENGTH],
    length: usize,
    /// Where the last parts begin, the last one first.
    starts: [usize; MAX_PARTS],
    parts: usize,
}

const MAX_PARTS: usize = 8;

impl Name {
    fn new(path: &str) -> Option<Self> {
        if path.is_empty() || path.len() > MAX_LENGTH {
            return None;
        }
        let mut name = Self {
            letters: [0; MAX_LENGTH],
            length: 0,
            starts: [0; MAX_PARTS],
            parts: 1,
        };
        for byte in path.bytes() {
            let letter = match byte {
                b'_' | b'-' => continue,
                b'/' | b'.' | b':' => b'/',
                other => other.to_ascii_lowercase(),
            };
            *name.letters.get_mut(name.length)? = letter;
            name.length += 1;
            if letter == b'/' {
                name.starts.copy_within(0..MAX_PARTS - 1, 1);
                name.starts[0] = name.length;
                name.parts = (name.parts + 1).min(MAX_PARTS);
            }
        }
        Some(name)
    }

    /// Returns the last so many parts.
    fn tail(&self, parts: usize) -> &[u8] {
        let start = self.starts.get(parts - 1).copied().unwrap_or(0);
        self.letters.get(start..self.length).unwrap_or_default()
    }

    /// Returns how far two names are apart, if that is near. What is missing before the shorter
    /// one counts only between names that are else as near.
    fn distance(&self, other: &Self) -> Option<(usize, usize)> {
        let parts = self.parts.min(other.parts);
        let (one, two) = (self.tail(parts), other.tail(parts));
        let allowed = if one.len().min(two.len()) < 4 { 1 } else { 2 };
        let distance = edits(one, two, allowed)?;
        Some((distance, self.parts.abs_diff(other.parts)))
    }
}

/// Returns how many letters must be put in, taken out or replaced, if `allowed` are enough.
fn edits(one: &[u8], two: &[u8], allowed: usize) -> Option<usize> {
    if one.len().abs_diff(two.len()) > allowed || one.len().min(two.len()) <= allowed {
        return (one == two && !one.is_empty()).then_some(0);
    }
    let mut row: [usize; MAX_LENGTH + 1] = std::array::from_fn(|index| index);
    for (line, letter) in one.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        let mut least = row[0];
        for (column, other) in two.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
            least = least.min(row[column + 1]);
        }
        if least > allowed {
            return None;
        }
    }
    row.get(two.len()).copied().filter(|it| *it <= allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATHS: [&str; 5] = [
        "math.v1.Math/add",
        "math.v1.Math/getValue",
        "math.v1.Math/divide",
        "hello",
        "f",
    ];

    #[test]
    fn what_was_meant_is_found() {
        let cases = [
            ("math.v1.Math/ad", Some("math.v1.Math/add")),
            ("math.v2.Math/add", Some("math.v1.Math/add")),
            ("Math/add", Some("math.v1.Math/add")),
            ("add", Some("math.v1.Math/add")),
            ("math.v1.Math.add", Some("math.v1.Math/add")),
            ("math.v1.Math/get_value", Some("math.v1.Math/getValue")),
            ("math.v1.Math/devide", Some("math.v1.Math/divide")),
            ("math.v1.Math/hello", Some("hello")),
            ("Hallo", Some("hello")),
            ("g", None),
            ("", None),
            ("/", None),
            ("multiply", None),
            ("math.v1.Math/subtract", None),
        ];
        for (asked, meant) in cases {
            assert_eq!(nearest(asked, PATHS.into_iter()), meant, "{asked}");
            let mut backwards = PATHS;
            backwards.reverse();
            assert_eq!(nearest(asked, backwards.into_iter()), meant, "{asked}");
        }
    }

    #[test]
    fn a_hostile_name_costs_little_and_is_said_back_in_part() {
        let long = "ä".repeat(10_000);
        assert_eq!(nearest(&long, [long.as_str()].into_iter()), None);
        assert!(shown(&long).len() <= MAX_SHOWN);
        let parts = "/".repeat(MAX_LENGTH);
        assert_eq!(nearest(&parts, [parts.as_str()].into_iter()), Some(&*parts));
        let looked_at = std::cell::Cell::new(0);
        let names = std::iter::repeat_with(|| {
            looked_at.set(looked_at.get() + 1);
            "other"
        });
        assert_eq!(nearest("hello", names), None);
        assert_eq!(looked_at.get(), MAX_NAMES);
    }
}
