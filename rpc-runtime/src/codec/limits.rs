//! How much a message may ask of the one who decodes it.

/// The bounds that a message must keep to be decoded.
///
/// # Examples
///
/// ```
/// use rpc_runtime::codec::DecodeLimits;
///
/// let limits = DecodeLimits::default().max_depth(16);
/// assert_eq!(limits.max_depth, 16);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct DecodeLimits {
    /// How deep arrays, maps and enum variants with data may nest. 64 by default;
    /// more than [`HIGHEST_DEPTH`](Self::HIGHEST_DEPTH) counts as that.
    pub max_depth: usize,
}

impl DecodeLimits {
    /// The highest depth that can be allowed: what serde_json allows at most, and what a thread
    /// with 2 MiB of stack can decode in a debug build.
    pub const HIGHEST_DEPTH: usize = 127;

    /// Sets how deep arrays, maps and enum variants with data may nest.
    #[must_use]
    pub const fn max_depth(mut self, max_depth: usize) -> Self {
        self.max_depth = max_depth;
        self
    }

    /// Returns the depth that is enforced.
    pub(super) fn depth(self) -> usize {
        self.max_depth.min(Self::HIGHEST_DEPTH)
    }
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self { max_depth: 64 }
    }
}
