//! How much memory a message becomes: [`Memory`].
//!
//! The length of a message bounds its text, but not its elements: an empty map is one byte, and in a list of a struct with
//! twenty optional strings it takes 480. So whoever adds to a list or a map asks here first, and so does a value in a `Box`.

use std::cell::Cell;

use super::DecodeLimits;

/// What a message may take in any case, as a multiple of its length: lists of small numbers and short strings, which every
/// message may be full of, take 8 to 12 times their length.
const TIMES_LENGTH: usize = 16;

/// The memory that the elements of one message take.
///
/// Fields, and the elements of tuples and arrays, are part of the value that they are in and count with it.
#[derive(Debug)]
pub(super) struct Memory {
    left: Cell<usize>,
    limit: usize,
    /// The size of the place where the next value goes, which has been counted: it takes more only in a `Box`.
    place: Cell<usize>,
    is_used_up: Cell<bool>,
}

impl Memory {
    #[inline]
    pub(super) fn new(limits: DecodeLimits, message_length: usize) -> Self {
        let limit = message_length.saturating_mul(TIMES_LENGTH);
        let limit = limit.max(limits.element_memory());
        Self {
            left: Cell::new(limit),
            limit,
            // The caller has one for the whole value.
            place: Cell::new(usize::MAX),
            is_used_up: Cell::new(false),
        }
    }

    /// Counts a value that is added to a list or a map, and is read next. Returns whether there is memory for it.
    #[inline]
    pub(super) fn add<T>(&self) -> bool {
        self.put::<T>();
        self.count(size_of::<T>())
    }

    /// Notes what is read next: a part of a value that was counted.
    #[inline]
    pub(super) fn put<T>(&self) {
        // What is smaller than a pointer has nothing elsewhere.
        if size_of::<T>() >= size_of::<usize>() {
            self.place.set(size_of::<T>());
        }
    }

    /// Counts what a value takes that its place has not, as it is in a `Box`. Returns whether there is memory for it.
    #[inline]
    pub(super) fn fill<T>(&self) -> bool {
        let place = self.place.get();
        if size_of::<T>() <= place {
            return true;
        }
        self.place.set(size_of::<T>());
        self.count(size_of::<T>() - place)
    }

    #[inline]
    fn count(&self, bytes: usize) -> bool {
        let left = self.left.get().checked_sub(bytes);
        match left {
            Some(left) => self.left.set(left),
            None => self.is_used_up.set(true),
        }
        left.is_some()
    }

    /// Returns whether there was no memory for a value.
    pub(super) fn is_used_up(&self) -> bool {
        self.is_used_up.get()
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(bytes: usize) -> Memory {
        Memory::new(DecodeLimits::default().max_element_memory(bytes), 0)
    }

    #[test]
    fn elements_count_and_their_parts_do_not() {
        let memory = memory(100);
        assert!(memory.fill::<[u64; 100]>());
        assert!(memory.add::<[u64; 6]>());
        assert!(memory.fill::<[u64; 6]>());
        memory.put::<[u64; 3]>();
        assert!(memory.fill::<[u64; 3]>());
        assert!(memory.add::<[u64; 6]>() && !memory.is_used_up());
        assert!(!memory.add::<[u8; 5]>() && memory.is_used_up());
        assert_eq!(memory.limit(), 100);
    }

    #[test]
    fn what_is_in_a_box_counts_beside_the_pointer() {
        let memory = memory(100);
        assert!(memory.add::<Box<[u64; 12]>>());
        assert!(memory.fill::<[u64; 12]>());
        assert!(memory.fill::<[u64; 12]>());
        assert!(memory.add::<u32>());
        assert!(!memory.add::<u8>());
    }

    #[test]
    fn a_long_message_may_take_a_multiple_of_its_length() {
        let memory = Memory::new(DecodeLimits::default().max_element_memory(10), 100);
        assert_eq!(memory.limit(), 1_600);
        let longest = Memory::new(DecodeLimits::default(), usize::MAX);
        assert_eq!(longest.limit(), usize::MAX);
    }
}
