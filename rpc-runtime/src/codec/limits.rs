//! How much a message may ask of the one who decodes it.

/// The bounds that a message must keep to be decoded.
///
/// # Stack and time
///
/// Decoding recurses, so depth costs stack, and how much depends on the type: for a recursive struct
/// of 20 optional strings it is about 2 KB a level in a release build and 13 KB in a debug build, for
/// a protobuf message of 200 fields 200 KB in a debug build, of the 2 MiB that a thread has by default.
/// [`max_stack`](Self::max_stack) bounds that for all of it but what is put aside before it is decoded
/// (for an untagged enum or `#[serde(flatten)]`; in the JSON of protobuf an `Any` and extensions that
/// are registered), Postcard and formats of your own: there depth alone does. Threads with a smaller
/// stack need a lower limit.
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
    pub max_depth: u32,

    /// How many bytes of memory the elements of lists and maps of one message may take. 32 MiB by
    /// default.
    ///
    /// One byte of a message can be an element of hundreds of bytes in memory, as an empty map is for a
    /// struct whose fields are optional. An element counts with all of its fields, and so does what is
    /// in a `Box`; the list or map itself may take as much again, as it grows, and what serde puts aside
    /// first (for an untagged enum or `#[serde(flatten)]`) counts as that, and not as what it becomes.
    /// Postcard and formats of your own are not counted.
    ///
    /// A message of MessagePack or JSON may always take 16 times its length, so that long lists of
    /// small things, such as numbers and short strings, need no higher limit.
    ///
    /// The unknown fields of binary protobuf may take as many again. In its JSON an `Any` and extensions,
    /// once their types are registered, are put aside before they are decoded, again at each level at
    /// which they are in each other, and this bounds that too, all levels together: each value, name,
    /// list and object counts 64 bytes, and its text.
    pub max_element_memory: u32,

    /// How many bytes of the stack decoding may take before it goes no deeper. 1 MiB by default. The
    /// last level comes on top.
    pub max_stack: u32,
}

impl DecodeLimits {
    /// The highest depth that can be allowed, which is serde_json's own.
    pub const HIGHEST_DEPTH: usize = 127;

    /// Sets how deep arrays, maps and enum variants with data may nest.
    #[must_use]
    pub const fn max_depth(mut self, max_depth: usize) -> Self {
        self.max_depth = saturate(max_depth);
        self
    }

    /// Sets how many bytes of memory the elements of one message may take, up to 4 GiB.
    #[must_use]
    pub const fn max_element_memory(mut self, bytes: usize) -> Self {
        self.max_element_memory = saturate(bytes);
        self
    }

    /// Sets how many bytes of the stack decoding may take before it goes no deeper, up to 4 GiB.
    #[must_use]
    pub const fn max_stack(mut self, bytes: usize) -> Self {
        self.max_stack = saturate(bytes);
        self
    }

    /// Returns the memory for elements, in bytes.
    pub(super) fn element_memory(self) -> usize {
        self.max_element_memory as usize
    }

    /// Returns the stack for decoding, in bytes.
    pub(super) fn stack(self) -> usize {
        self.max_stack as usize
    }

    /// Returns the depth that is enforced.
    pub(super) fn depth(self) -> usize {
        (self.max_depth as usize).min(Self::HIGHEST_DEPTH)
    }
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self {
            max_depth: 64,
            max_element_memory: 32 << 20,
            max_stack: 1 << 20,
        }
    }
}

/// The fields are of 32 bits because every message carries the limits that it came under.
const fn saturate(value: usize) -> u32 {
    if value > u32::MAX as usize {
        return u32::MAX;
    }
    value as u32
}
