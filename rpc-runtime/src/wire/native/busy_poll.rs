//! Whether the driver, with nothing left to do, looks again before it lets its thread sleep.
//!
//! To put a thread to sleep and to wake it takes tens of microseconds, on both sides. Where calls follow each
//! other more closely than that, it is cheaper to stay awake; where they do not, this must cost
//! next to nothing. So it is tried only where several messages came at once, and less and less
//! often while it is in vain.

use std::time::Duration;

use tokio::time::Instant;

use super::give_way::HELD;

/// So many looks at a clock that stands still, as in a test, are as good as the limit.
const MOST_STANDSTILLS: u32 = 128;

/// Between two looks that are further apart the thread did something else, and would not have slept.
const ELSEWHERE: Duration = Duration::from_micros(10);

/// So often the thread may have done something else before the next message: with more it is
/// kept awake by others.
const MOST_ELSEWHERE: u32 = 4;

/// At least one of so many times that the driver sleeps, it looks first: the next messages may
/// follow each other closely.
const MOST_SLEEPS: u32 = 1023;

/// What the driver of one connection has learnt.
pub(super) struct BusyPoll {
    limit: Duration,
    /// Something came since the last look.
    found: bool,
    /// And it was not one frame alone.
    several: bool,
    /// It looks, and lets its thread not sleep.
    looks: bool,
    looked: Instant,
    /// Since when the thread has done nothing else.
    since: Instant,
    /// How often the thread did something else.
    elsewhere: u32,
    /// How often the clock stood still.
    standstills: u32,
    /// So many times the driver sleeps without a look.
    sleeps: u32,
    /// The same after the last time in vain.
    pause: u32,
}

impl BusyPoll {
    /// Looks for up to `limit`; with zero it never does.
    pub(super) fn new(limit: Duration, now: Instant) -> Self {
        Self {
            limit,
            found: false,
            several: false,
            looks: false,
            looked: now,
            since: now,
            elsewhere: 0,
            standstills: 0,
            sleeps: 0,
            pause: 0,
        }
    }

    /// Notes that so many frames came.
    pub(super) fn found(&mut self, frames: usize) {
        self.found = true;
        self.several = frames > 1;
    }

    /// Says whether to look again, in the next turn.
    pub(super) fn goes_on(&mut self, now: Instant) -> bool {
        let away = now - std::mem::replace(&mut self.looked, now);
        if std::mem::take(&mut self.found) {
            return self.begin(now);
        }
        if !self.looks {
            return false;
        }
        if away > HELD {
            return self.gives_up(MOST_SLEEPS);
        }
        if away > ELSEWHERE {
            self.elsewhere += 1;
            self.since = now;
        }
        if self.elsewhere > MOST_ELSEWHERE {
            self.looks = false;
            return false;
        }
        self.standstills += u32::from(away.is_zero());
        if self.standstills >= MOST_STANDSTILLS || now - self.since >= self.limit {
            return self.gives_up((4 * self.pause + 3).min(MOST_SLEEPS));
        }
        true
    }

    /// Looks no more, and not before the driver has slept so often.
    fn gives_up(&mut self, pause: u32) -> bool {
        self.looks = false;
        self.pause = pause;
        self.sleeps = pause;
        false
    }

    fn begin(&mut self, now: Instant) -> bool {
        if std::mem::take(&mut self.looks) {
            self.pause /= 2;
        }
        if !self.several || self.limit.is_zero() {
            return false;
        }
        if self.sleeps > 0 {
            self.sleeps -= 1;
            return false;
        }
        self.looks = true;
        self.elsewhere = 0;
        self.standstills = 0;
        self.since = now;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_micros(50);
    const STEP: Duration = Duration::from_micros(1);

    /// Counts the looks until the driver sleeps.
    fn looks(busy: &mut BusyPoll, now: &mut Instant, step: Duration) -> u32 {
        let mut looks = 0;
        while busy.goes_on(*now) {
            looks += 1;
            *now += step;
        }
        looks
    }

    #[test]
    fn it_looks_for_the_limit_where_several_messages_came() {
        let mut now = Instant::now();
        let mut busy = BusyPoll::new(LIMIT, now);
        assert_eq!(looks(&mut busy, &mut now, STEP), 0, "nothing came");
        busy.found(1);
        assert_eq!(looks(&mut busy, &mut now, STEP), 0, "one came alone");
        busy.found(2);
        assert_eq!(looks(&mut busy, &mut now, STEP), 50);
        let mut long = BusyPoll::new(10 * LIMIT, now);
        long.found(2);
        assert_eq!(looks(&mut long, &mut now, STEP), 500);
        assert_eq!(looks(&mut busy, &mut now, STEP), 0, "nothing came since");
        let mut never = BusyPoll::new(Duration::ZERO, now);
        never.found(2);
        assert_eq!(looks(&mut never, &mut now, STEP), 0);
    }

    #[test]
    fn it_ends_where_the_clock_stands_still() {
        let mut now = Instant::now();
        let mut busy = BusyPoll::new(Duration::MAX, now);
        busy.found(2);
        assert_eq!(looks(&mut busy, &mut now, Duration::ZERO), MOST_STANDSTILLS);
    }

    #[test]
    fn in_vain_it_looks_less_and_less_often() {
        let mut now = Instant::now();
        let mut busy = BusyPoll::new(LIMIT, now);
        let mut times = Vec::new();
        for time in 0..5000 {
            busy.found(2);
            if looks(&mut busy, &mut now, STEP) > 0 {
                times.push(time);
            }
        }
        assert_eq!(times, [0, 4, 20, 84, 340, 1364, 2388, 3412, 4436]);
    }

    #[test]
    fn what_pays_is_done_again_sooner() {
        let mut now = Instant::now();
        let mut busy = BusyPoll::new(LIMIT, now);
        for _ in 0..1000 {
            busy.found(2);
            looks(&mut busy, &mut now, STEP);
        }
        for _ in 0..2000 {
            busy.found(2);
            busy.goes_on(now);
        }
        busy.found(2);
        looks(&mut busy, &mut now, STEP);
        assert_eq!(busy.sleeps, 3);
    }

    #[test]
    fn a_thread_that_others_keep_awake_is_left_to_them() {
        let mut now = Instant::now();
        let mut busy = BusyPoll::new(LIMIT, now);
        busy.found(2);
        let others = 2 * ELSEWHERE;
        assert_eq!(looks(&mut busy, &mut now, others), MOST_ELSEWHERE + 1);
        assert_eq!(busy.pause, 0, "it was not in vain");
        busy.found(2);
        let computes = HELD + STEP;
        assert_eq!(looks(&mut busy, &mut now, computes), 1);
        assert_eq!(
            busy.sleeps, MOST_SLEEPS,
            "it would wait for the thread itself"
        );
    }
}
