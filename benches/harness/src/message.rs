//! The small message that most workloads send.

/// 16 letters.
pub const NAME: &str = "a-name-of-16-let";
/// Three times 8 letters.
pub const TAGS: [&str; 3] = ["tag-one!", "tag-two!", "tag-3rd!"];

/// The small message, for peers that send serde types; the others have it in their own language.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Small {
    pub id: u64,
    pub name: String,
    pub tags: Vec<String>,
}

impl Small {
    /// Builds a fresh one, as a caller that has something to say does.
    pub fn new(id: u64) -> Self {
        Self {
            id,
            name: NAME.to_owned(),
            tags: TAGS.iter().map(|&tag| tag.to_owned()).collect(),
        }
    }

    pub fn checksum(&self) -> u64 {
        checksum(self.id, &self.name, self.tags.iter().map(String::as_str))
    }
}

/// Reads every field of a message, so that a peer with lazy fields does their work too.
pub fn checksum<'a>(id: u64, name: &str, tags: impl IntoIterator<Item = &'a str>) -> u64 {
    let letters: usize = tags.into_iter().map(str::len).sum();
    id.wrapping_mul(64)
        .wrapping_add((name.len() + letters) as u64)
}

/// The checksum of an intact [`Small::new`].
pub fn expected_checksum(id: u64) -> u64 {
    checksum(id, NAME, TAGS)
}
