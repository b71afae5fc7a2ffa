//! How much a message may ask of the one who decodes it.

/// The bounds that a message must keep to be decoded.
///
/// # Stack and time
///
/// serde recurses, so depth costs stack, and how much depends on the type: for a recursive struct
/// of 20 optional strings it is about 2 KB a level in a release build and 13 KB in a debug build, of
/// the 2 MiB that a thread has by default. A service that decodes larger recursive types
/// in debug builds needs a lower limit, or threads with more stack.
///
/// No depth but a small one bounds the time of an untagged enum that nests in two variants: serde
/// tries both at every level, and twice as long for each.
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
    /// more than [`HIGHEST_DEPTH`](Self::HIGHEST_DEPTH) counts as that. The map of a method's
    /// arguments is the first level.
    pub max_depth: usize,
}

impl DecodeLimits {
    /// The highest depth that can be allowed, which is serde_json's own.
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
