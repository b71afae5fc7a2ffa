//! How much of the stack decoding has taken: [`Stack`].
//!
//! A limit on depth alone does not bound the stack, as a level takes what its type takes: in a debug build 200 KB for a
//! message of 200 fields. So whoever goes a level deeper asks here first.

use std::cell::Cell;
use std::ptr;

use super::DecodeLimits;

/// The stack that decoding one message takes, from where it began.
#[derive(Debug)]
pub(super) struct Stack {
    /// Nothing goes below this address: stacks grow downwards wherever Rust runs.
    end: usize,
    limit: usize,
    is_used_up: Cell<bool>,
}

impl Stack {
    /// Begins at the caller.
    #[inline]
    pub(super) fn new(limits: DecodeLimits) -> Self {
        let limit = limits.stack();
        Self {
            end: here().saturating_sub(limit),
            limit,
            is_used_up: Cell::new(false),
        }
    }

    /// Returns whether so much has been taken that nothing may go deeper.
    #[inline]
    pub(super) fn ends_here(&self) -> bool {
        let ends = here() < self.end;
        if ends {
            self.is_used_up.set(true);
        }
        ends
    }

    /// Returns whether anything was kept from going deeper.
    pub(super) fn is_used_up(&self) -> bool {
        self.is_used_up.get()
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }
}

/// Returns an address in the frame of the caller, or next to it.
#[inline]
fn here() -> usize {
    let marker = 0_u8;
    ptr::from_ref(&marker).addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goes deeper until the stack ends, and returns how deep that was.
    fn depth(stack: &Stack, level: usize) -> usize {
        let frame = std::hint::black_box([level; 1_000]);
        if stack.ends_here() || level > 1_000 {
            return level;
        }
        depth(stack, level + 1).max(frame[0])
    }

    #[test]
    fn it_ends_where_the_limit_says() {
        let limits = DecodeLimits::default();
        let few = Stack::new(limits.max_stack(50_000));
        let many = Stack::new(limits.max_stack(500_000));
        assert!((1..10).contains(&depth(&few, 0)));
        assert!((20..100).contains(&depth(&many, 0)));
        assert!(few.is_used_up() && many.is_used_up());
        let endless = Stack::new(limits.max_stack(usize::MAX));
        assert!(!endless.ends_here() && !endless.is_used_up());
    }
}
