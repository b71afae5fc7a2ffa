//! The items of a stream that somebody may need again: numbered, counted, and bounded.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use super::limits::ReplayLimits;
use crate::call::MESSAGE_COST;

/// What an item weighs beside its bytes.
const OVERHEAD: usize = 64;

/// One item, encoded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Item {
    pub(super) bytes: Bytes,
    /// How many were left out before it because their reader was slow.
    pub(super) skipped: u32,
}

impl Item {
    fn weight(&self) -> usize {
        self.bytes.len() + OVERHEAD
    }

    /// What it costs of its reader's credit.
    fn cost(&self) -> u64 {
        self.bytes.len() as u64 + MESSAGE_COST
    }
}

/// What is left of an item that may have arrived, or of several.
struct Unsure {
    cost: u64,
    skipped: u32,
    items: u32,
}

/// How many of them are told apart, as many as fit the credit that readers give by default. One may give
/// as much credit as they like, and say nothing of what has arrived.
const MAX_UNSURE: usize = 16 << 10;

/// Items in a row: those that were handed to the reader, oldest first, and then those that wait for it.
pub(super) struct Buffer {
    items: VecDeque<Item>,
    /// How many came before those that are here.
    gone: u64,
    /// The last of them, which were let go before anybody said that they have arrived: as many as fit the
    /// reader's credit, at most.
    unsure: VecDeque<Unsure>,
    /// How many were left out before items that are lost, which the next item tells.
    skipped: u32,
    /// How many of those that are here the reader has.
    read: usize,
    /// How many were handed to any reader.
    handed: u64,
    bytes: usize,
    /// What all buffers of the server hold.
    total: Arc<AtomicUsize>,
}

impl Buffer {
    pub(super) fn new(total: Arc<AtomicUsize>) -> Self {
        Self {
            items: VecDeque::new(),
            gone: 0,
            unsure: VecDeque::new(),
            skipped: 0,
            read: 0,
            handed: 0,
            bytes: 0,
            total,
        }
    }

    pub(super) fn push(&mut self, mut item: Item) {
        let skipped = std::mem::take(&mut self.skipped);
        item.skipped = item.skipped.saturating_add(skipped);
        self.bytes += item.weight();
        self.total.fetch_add(item.weight(), Ordering::Relaxed);
        self.items.push_back(item);
    }

    /// Returns how many items wait for the reader.
    pub(super) fn waiting(&self) -> usize {
        self.items.len() - self.read
    }

    /// Hands the next item out, and keeps it.
    pub(super) fn read(&mut self) -> Option<Item> {
        let item = self.items.get(self.read)?.clone();
        self.read += 1;
        self.handed = self.handed.max(self.gone + self.read as u64);
        Some(item)
    }

    /// Says whether more is here than may be.
    pub(super) fn is_over(&self, limits: &ReplayLimits) -> bool {
        self.bytes > limits.bytes
            || self.items.len() > limits.items
            || self.total.load(Ordering::Relaxed) > limits.bytes_total
    }

    /// Says whether an item more may be here.
    pub(super) fn has_room(&self, limits: &ReplayLimits) -> bool {
        self.bytes < limits.bytes
            && self.items.len() < limits.items
            && self.total.load(Ordering::Relaxed) < limits.bytes_total
    }

    /// Says whether there is room for an item that its reader has not asked for: half of it is left to
    /// those that are on their way.
    pub(super) fn has_ample_room(&self, limits: &ReplayLimits) -> bool {
        self.bytes < limits.bytes / 2
            && self.items.len() < limits.items / 2
            && self.total.load(Ordering::Relaxed) < limits.bytes_total / 2
    }

    /// Lets the oldest items go while more is here than may be, but none that the reader has not.
    pub(super) fn shrink(&mut self, limits: &ReplayLimits) {
        while self.read > 0 && self.is_over(limits) {
            if let Some(oldest) = self.items.front() {
                let (cost, skipped) = (oldest.cost(), oldest.skipped);
                self.doubt(cost, skipped);
            }
            self.forget_oldest();
        }
    }

    /// Remembers that nobody has said yet whether an item has arrived.
    fn doubt(&mut self, cost: u64, skipped: u32) {
        let is_full = self.unsure.len() >= MAX_UNSURE;
        match self.unsure.back_mut().filter(|_| is_full) {
            // They have arrived when all of them have.
            Some(last) => {
                last.cost = last.cost.saturating_add(cost);
                last.skipped = last.skipped.saturating_add(skipped);
                last.items = last.items.saturating_add(1);
            }
            None => self.unsure.push_back(Unsure {
                cost,
                skipped,
                items: 1,
            }),
        }
    }

    /// Lets the items go that `credit` says have arrived, and returns what is left of it.
    pub(super) fn arrived(&mut self, mut credit: u64) -> u64 {
        while let Some(unsure) = self.unsure.front() {
            let Some(rest) = credit.checked_sub(unsure.cost) else {
                return credit;
            };
            credit = rest;
            self.unsure.pop_front();
        }
        while self.read > 0
            && let Some(rest) = self
                .items
                .front()
                .and_then(|it| credit.checked_sub(it.cost()))
        {
            credit = rest;
            self.forget_oldest();
        }
        credit
    }

    fn forget_oldest(&mut self) {
        if let Some(item) = self.items.pop_front() {
            self.uncharge(item.weight());
            self.gone += 1;
            self.read = self.read.saturating_sub(1);
        }
    }

    fn uncharge(&mut self, weight: usize) {
        self.bytes -= weight;
        self.total.fetch_sub(weight, Ordering::Relaxed);
    }

    /// Goes back to behind so many items, which have all arrived. Returns how many of the next ones are
    /// not here any more; `None` if so many were never handed out.
    pub(super) fn go_back(&mut self, received: u64) -> Option<u64> {
        if received > self.handed {
            return None;
        }
        while self.gone < received && !self.items.is_empty() {
            self.forget_oldest();
        }
        self.read = 0;
        let lost = self.gone.saturating_sub(received);
        self.tell_skipped(lost);
        Some(lost)
    }

    /// Has the next item tell also how many were left out before the last `lost` of those that are gone.
    fn tell_skipped(&mut self, lost: u64) {
        let unsure = std::mem::take(&mut self.unsure);
        let items = |it: &Unsure| u64::from(it.items);
        let mut arrived = unsure.iter().map(items).sum::<u64>().saturating_sub(lost);
        let mut skipped: u32 = 0;
        for it in unsure {
            match arrived.checked_sub(items(&it)) {
                Some(rest) => arrived = rest,
                None => {
                    arrived = 0;
                    skipped = skipped.saturating_add(it.skipped);
                }
            }
        }
        let next = self
            .items
            .front_mut()
            .map_or(&mut self.skipped, |it| &mut it.skipped);
        *next = next.saturating_add(skipped);
    }

    /// Returns how many items were handed out.
    pub(super) fn handed(&self) -> u64 {
        self.handed
    }

    /// Lets everything go.
    pub(super) fn clear(&mut self) {
        let items = std::mem::take(&mut self.items);
        self.gone += items.len() as u64;
        self.unsure = VecDeque::new();
        self.read = 0;
        self.uncharge(self.bytes);
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(total: &Arc<AtomicUsize>, items: u8) -> Buffer {
        let mut buffer = Buffer::new(Arc::clone(total));
        (0..items).for_each(|number| buffer.push(item(number)));
        buffer
    }

    fn item(number: u8) -> Item {
        Item {
            bytes: Bytes::copy_from_slice(&[number; 36]),
            skipped: 0,
        }
    }

    fn read(buffer: &mut Buffer) -> Option<u8> {
        buffer.read().map(|it| it.bytes[0])
    }

    #[test]
    fn items_are_given_again_behind_those_that_arrived() {
        let total = Arc::default();
        let mut buffer = buffer(&total, 5);
        assert_eq!(
            [(); 3].map(|()| read(&mut buffer)),
            [Some(0), Some(1), Some(2)]
        );
        assert_eq!(buffer.go_back(4), None, "only three were handed out");
        assert_eq!(buffer.go_back(2), Some(0));
        assert_eq!(total.load(Ordering::Relaxed), 3 * 100);
        assert_eq!(
            [(); 4].map(|()| read(&mut buffer)),
            [Some(2), Some(3), Some(4), None]
        );
        assert_eq!((buffer.waiting(), buffer.handed()), (0, 5));
        drop(buffer);
        assert_eq!(total.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn credit_lets_go_what_was_read_and_nothing_else() {
        let total = Arc::default();
        let mut buffer = buffer(&total, 3);
        assert_eq!(buffer.arrived(1_000), 1_000, "nothing was read");
        read(&mut buffer);
        read(&mut buffer);
        assert_eq!(buffer.arrived(51), 51, "each costs 52");
        assert_eq!(buffer.arrived(53), 1);
        assert_eq!(buffer.arrived(1_000), 948);
        assert_eq!(read(&mut buffer), Some(2));
    }

    #[test]
    fn credit_for_what_was_let_go_lets_nothing_else_go_and_what_was_left_out_is_told() {
        let total = Arc::default();
        let mut buffer = Buffer::new(Arc::clone(&total));
        (0..6).for_each(|number| {
            let skipped = u32::from(number) * 10;
            buffer.push(Item {
                skipped,
                ..item(number)
            });
        });
        (0..4).for_each(|number| assert_eq!(read(&mut buffer), Some(number)));
        buffer.shrink(&ReplayLimits::new().items(4));
        // Two items went, and this is the credit of three.
        assert_eq!(buffer.arrived(3 * 52), 0);
        assert_eq!(buffer.go_back(3), Some(0));
        let next = buffer.read().unwrap();
        assert_eq!((next.bytes[0], next.skipped), (3, 30));

        buffer.shrink(&ReplayLimits::new().items(2));
        (4..6).for_each(|number| assert_eq!(read(&mut buffer), Some(number)));
        buffer.shrink(&ReplayLimits::new().items(1));
        assert_eq!(buffer.go_back(3), Some(2), "3 and 4 are gone");
        let next = buffer.read().unwrap();
        assert_eq!((next.bytes[0], next.skipped), (5, 30 + 40 + 50));
        // The next one that comes tells it where none is here.
        buffer.shrink(&ReplayLimits::new().items(0));
        assert_eq!(buffer.go_back(5), Some(1));
        buffer.push(Item {
            skipped: 7,
            ..item(6)
        });
        assert_eq!(buffer.read().unwrap().skipped, 127);
        assert_eq!(buffer.go_back(7), Some(0));
    }

    #[test]
    fn each_limit_lets_the_oldest_go_that_were_read_and_they_are_counted() {
        let wide = ReplayLimits::new();
        for limits in [wide.items(2), wide.bytes(299), wide.bytes_total(299)] {
            let total = Arc::default();
            let mut buffer = buffer(&total, 5);
            assert!(buffer.is_over(&limits) && !buffer.has_room(&limits));
            buffer.shrink(&limits);
            assert_eq!(buffer.waiting(), 5, "none of them was read");
            (0..5).for_each(|number| assert_eq!(read(&mut buffer), Some(number)));
            buffer.shrink(&limits);
            assert_eq!(total.load(Ordering::Relaxed), 2 * 100);
            assert_eq!(buffer.go_back(1), Some(2), "1 and 2 are gone");
            assert_eq!(read(&mut buffer), Some(3));
        }
    }

    #[test]
    fn a_reader_who_never_says_what_has_arrived_does_not_make_it_grow() {
        let (total, limits) = (Arc::default(), ReplayLimits::new().items(4));
        let mut buffer = buffer(&total, 0);
        let items = 3 * MAX_UNSURE as u64;
        for number in 0..items {
            buffer.push(Item {
                skipped: u32::from(number + 5 == items),
                ..item(7)
            });
            assert_eq!(read(&mut buffer), Some(7));
            buffer.shrink(&limits);
        }
        assert!(buffer.unsure.len() <= MAX_UNSURE);
        // Those that are told apart arrive one by one, and the others with the last of them.
        let apart = (MAX_UNSURE as u64 - 1) * 52;
        assert_eq!(buffer.arrived(apart + 52), 52);
        assert_eq!(buffer.unsure.len(), 1);
        assert_eq!(buffer.go_back(items - 6), Some(2));
        assert_eq!(buffer.read().unwrap().skipped, 1);
    }
}
