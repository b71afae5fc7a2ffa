//! Metadata as the runtime keeps it: most calls have none.

use std::ops::{Deref, DerefMut};
use std::sync::LazyLock;

use http::HeaderMap;

/// A [`HeaderMap`] that is a null pointer while it was never written to. A map itself takes 96
/// bytes, which a call would copy a dozen times on its way.
#[derive(Clone, Default, Debug)]
pub(crate) struct Metadata(Option<Box<HeaderMap>>);

static EMPTY: LazyLock<HeaderMap> = LazyLock::new(HeaderMap::new);

impl Metadata {
    /// Takes the map out and leaves an empty one.
    pub(crate) fn take(&mut self) -> Self {
        Self(self.0.take())
    }

    pub(crate) fn into_map(self) -> HeaderMap {
        self.0.map_or_else(HeaderMap::new, |map| *map)
    }
}

impl Deref for Metadata {
    type Target = HeaderMap;

    fn deref(&self) -> &HeaderMap {
        self.0.as_deref().unwrap_or_else(|| &EMPTY)
    }
}

impl DerefMut for Metadata {
    fn deref_mut(&mut self) -> &mut HeaderMap {
        self.0.get_or_insert_default()
    }
}

impl From<HeaderMap> for Metadata {
    fn from(map: HeaderMap) -> Self {
        Self((!map.is_empty()).then(|| Box::new(map)))
    }
}

impl PartialEq for Metadata {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}
