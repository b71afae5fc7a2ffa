//! Values that nobody asked for are skipped, however deep they nest, without recursion.

use super::error::Error;
use super::read::{Reader, Token};
use crate::codec::limits::DecodeLimits;
use crate::codec::malformed::Problem;

impl<'de> Reader<'de> {
    /// Skips one value with all that is in it, without recursion.
    #[inline]
    pub(super) fn skip(&mut self) -> Result<(), Error> {
        let start = self.rest();
        match self.token()? {
            Token::Array(count) => self.skip_container(u64::from(count), start),
            Token::Map(count) => self.skip_container(u64::from(count) * 2, start),
            _ => Ok(()),
        }
    }

    #[inline(never)]
    fn skip_container(&mut self, values: u64, start: &'de [u8]) -> Result<(), Error> {
        let mut open = OpenContainers::new(self.levels_left);
        let mut entered = (values, start);
        loop {
            let (values, start) = entered;
            if values > self.rest().len() as u64 {
                return Err(self.fail(Problem::Truncated, start));
            }
            if !open.enter(values) {
                return Err(self.fail(Problem::TooDeep { limit: self.limit }, start));
            }
            entered = loop {
                if !open.take_value() {
                    return Ok(());
                }
                let start = self.rest();
                match self.token()? {
                    Token::Array(count) => break (u64::from(count), start),
                    Token::Map(count) => break (u64::from(count) * 2, start),
                    _ => {}
                }
            };
        }
    }
}

/// The containers that a skip is inside of.
struct OpenContainers {
    limit: usize,
    depth: usize,
    /// How many values are still to come in the innermost one.
    left: u64,
    /// The same of those around it, from the outside in.
    enclosing: [u64; DecodeLimits::HIGHEST_DEPTH],
}

impl OpenContainers {
    fn new(limit: usize) -> Self {
        Self {
            limit,
            depth: 0,
            left: 0,
            enclosing: [0; DecodeLimits::HIGHEST_DEPTH],
        }
    }

    /// Counts one value, and returns whether there is one to come.
    #[inline]
    fn take_value(&mut self) -> bool {
        while self.left == 0 {
            let Some(outer) = self.enclosing.get(..self.depth).and_then(<[u64]>::last) else {
                return false;
            };
            self.left = *outer;
            self.depth -= 1;
        }
        self.left -= 1;
        true
    }

    /// Returns whether one more container is allowed.
    fn enter(&mut self, values: u64) -> bool {
        let slots = self.enclosing.get_mut(..self.limit);
        let Some(slot) = slots.and_then(|slots| slots.get_mut(self.depth)) else {
            return false;
        };
        *slot = self.left;
        self.depth += 1;
        self.left = values;
        true
    }
}
