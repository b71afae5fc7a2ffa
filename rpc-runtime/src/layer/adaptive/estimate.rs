//! How many calls may run at once: as many as can without each taking much longer than usual.
//!
//! Times are compared as ratios to what a call of the same method usually takes, so that quick and
//! slow methods can be looked at together. In each window the mean ratio decides: above the
//! tolerance fewer calls may run, near one more may if more came. What is usual comes from windows
//! in which calls were quick.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::Settings;
use crate::status::Code;

/// A window is at least so long and has so many calls, or is so long whatever it has; when it is so long, its quickest calls
/// are enough to see that all are slow.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(1);
const ENOUGH: u32 = 20;

/// Each place was taken so many times, as the calls that end first are the quick ones.
const TIMES: usize = 4;

/// What one call can count for: a few that hang say nothing about the others.
const HIGHEST_RATIO: f64 = 4.0;

/// A failure that takes less than this share of the usual is of another kind, such as one that a broken connection answers,
/// unless there are none but those for so long.
const QUICK_FAILURE: f64 = 0.25;
const FEW_QUICK_FAILURES: Duration = Duration::from_secs(10);

/// Where the ratio is brought to; below, there is room for more.
const AIM: f64 = 1.2;

/// Above this, fewer calls may run where others wait.
const BEARABLE_IN_CROWD: f64 = 1.25;

/// What is usual moves half way to what is found in a window of so many calls.
const INERTIA: f64 = 200.0;

/// Behind so many windows that had too many calls, one with half as many shows whether what is taken
/// for usual is what a call takes without a crowd: seldom, or soon where that was not known yet.
const SELDOM: u32 = 20;
const SOON: u32 = 2;

/// Where half as many calls take less than this share of the time, they were a crowd before.
const QUICKER: f64 = 0.7;

/// How many methods are told apart; the others are taken for one.
const MAX_METHODS: usize = 1_024;

pub(super) struct Estimate {
    limit: f64,
    settings: Settings,
    /// The limit was never too high yet.
    doubling: bool,
    /// Calls that began before felt another limit.
    settled: Instant,
    window: Window,
    /// By method; of each by how its calls end, of which there are few.
    usual: HashMap<Box<str>, Vec<Usual>>,
    /// The crowded windows until the next probe.
    until_probe: u32,
    /// The limit and the ratio before it was halved to look.
    probing_from: Option<(f64, f64)>,
    /// The ratio at which the limit was last lowered, in the window before.
    lowered_at: Option<f64>,
}

struct Window {
    began: Instant,
    ratios: f64,
    seconds: f64,
    calls: u32,
    most_running: usize,
    /// Calls had to wait or were refused.
    crowded: bool,
}

impl Window {
    fn new(began: Instant) -> Self {
        Self {
            began,
            ratios: 0.0,
            seconds: 0.0,
            calls: 0,
            most_running: 0,
            crowded: false,
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        let long = now - self.began;
        let has_enough = self.calls >= ENOUGH || long >= LONGEST;
        self.calls > 0 && long >= SHORTEST && has_enough && self.has_slow_ones()
    }

    fn has_slow_ones(&self) -> bool {
        self.calls as usize >= self.most_running * TIMES
    }

    /// Returns whether even the quickest calls are slow, as where many run and hardly one ends.
    fn is_surely_slow(&self, now: Instant, tolerance: f64) -> bool {
        let has_enough = self.calls >= ENOUGH && now - self.began >= LONGEST;
        has_enough && self.ratio() > tolerance * doubt(self.calls)
    }

    fn ratio(&self) -> f64 {
        self.ratios / f64::from(self.calls)
    }
}

/// What calls of a method that end in one way usually take, in seconds, and what they took in this window.
struct Usual {
    /// How they end: well, if this is none.
    failure: Option<Code>,
    /// Not known until there were enough calls to tell.
    time: Option<f64>,
    /// Of times before that is known, of ratios to it then.
    sum: f64,
    calls: u32,
    /// Since when all failures were quick.
    quick_since: Option<Instant>,
}

impl Usual {
    fn new(failure: Option<Code>) -> Self {
        Self {
            failure,
            time: None,
            sum: 0.0,
            calls: 0,
            quick_since: None,
        }
    }

    /// Returns whether a failure says nothing, being much quicker than usual. When all are for long, that is usual.
    fn is_another_kind(&mut self, ratio: f64, now: Instant) -> bool {
        if self.failure.is_none() || ratio >= QUICK_FAILURE {
            self.quick_since = None;
            return false;
        }
        let since = *self.quick_since.get_or_insert(now);
        if now - since >= FEW_QUICK_FAILURES {
            *self = Self::new(self.failure);
        }
        true
    }
}

/// A call that has ended.
pub(super) struct Ended<'a> {
    pub(super) method: &'a str,
    pub(super) began: Instant,
    pub(super) failure: Option<Code>,
    /// It was given up: it would have taken longer still.
    pub(super) cut_off: bool,
}

impl Estimate {
    pub(super) fn new(settings: &Settings, now: Instant) -> Self {
        Self {
            limit: settings.clamp(settings.first),
            settings: settings.clone(),
            doubling: true,
            settled: now,
            window: Window::new(now),
            usual: HashMap::new(),
            until_probe: SOON,
            probing_from: None,
            lowered_at: None,
        }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit as usize
    }

    #[cfg(test)]
    pub(super) fn methods(&self) -> usize {
        self.usual.len()
    }

    /// Notes that so many calls run.
    pub(super) fn running(&mut self, calls: usize) {
        self.window.most_running = self.window.most_running.max(calls);
    }

    /// Notes that a call found no place.
    pub(super) fn crowded(&mut self) {
        self.window.crowded = true;
    }

    pub(super) fn ended(&mut self, call: &Ended<'_>, now: Instant) {
        if call.began >= self.settled {
            self.measure(call, now);
        }
        let window = &self.window;
        if window.is_over(now) || window.is_surely_slow(now, self.settings.tolerance) {
            self.end_window(now);
        }
    }

    fn measure(&mut self, call: &Ended<'_>, now: Instant) {
        let took = (now - call.began).as_secs_f64().max(1e-6);
        let is_told_apart = self.usual.contains_key(call.method) || self.usual.len() < MAX_METHODS;
        let name = if is_told_apart { call.method } else { "" };
        let known = self.usual.get(name);
        let known = known.and_then(|it| it.iter().find(|it| it.failure == call.failure));
        let time = known.and_then(|it| it.time);
        let ratio = time.map_or(1.0, |time| (took / time).min(HIGHEST_RATIO));
        // Nor does such a call make a method known: a peer may have invented its name.
        if call.cut_off && ratio <= 1.0 {
            return;
        }
        let Some(usual) = self.usual(name, call.failure) else {
            return;
        };
        if usual.is_another_kind(ratio, now) {
            return;
        }
        usual.sum += time.map_or(took, |_| ratio);
        usual.calls += 1;
        self.window.ratios += ratio;
        self.window.seconds += took;
        self.window.calls += 1;
    }

    /// Returns what is kept of calls that end so.
    fn usual(&mut self, method: &str, failure: Option<Code>) -> Option<&mut Usual> {
        // A name is copied only the first time.
        if !self.usual.contains_key(method) {
            self.usual.insert(method.into(), Vec::new());
        }
        let kinds = self.usual.get_mut(method)?;
        let known = kinds.iter().position(|it| it.failure == failure);
        let at = known.unwrap_or(kinds.len());
        if known.is_none() {
            kinds.push(Usual::new(failure));
        }
        kinds.get_mut(at)
    }

    fn end_window(&mut self, now: Instant) {
        let window = std::mem::replace(&mut self.window, Window::new(now));
        let ratio = window.ratio();
        let before = self.limit;
        // Without the slow ones it shows no more than that fewer calls may run.
        let is_whole = window.has_slow_ones();
        match self.probing_from.take() {
            Some(from) if is_whole => self.end_probe(from, ratio * doubt(window.calls)),
            _ => {
                let share = self.share(ratio, &window);
                self.learn(is_whole, share);
                self.decide(ratio, &window);
            }
        }
        self.limit = self.settings.clamp(self.limit);
        if self.limit != before {
            // Those of before are still in the way of the first ones.
            let passing = window.seconds / f64::from(window.calls);
            self.settled = now + Duration::from_secs_f64(passing);
        }
    }

    fn end_probe(&mut self, (from, before): (f64, f64), ratio: f64) {
        let was_crowd = ratio < before * QUICKER;
        self.learn(
            true,
            |mean, _| if mean < 1.0 && was_crowd { 1.0 } else { 0.0 },
        );
        if !was_crowd {
            self.limit = from;
        }
        self.until_probe = if was_crowd { SOON } else { SELDOM };
    }

    /// Says how far what is usual moves to the mean of so many calls.
    fn share(&mut self, ratio: f64, window: &Window) -> impl Fn(f64, f64) -> f64 + use<> {
        let tolerance = self.settings.tolerance;
        let is_least = self.limit <= self.settings.clamp(0.0);
        // Fewer calls were as slow: it is not their number that makes them slow. Where the ratio still rises, or is as high as
        // it goes, that is not known yet.
        let is_known = |ratio| ratio < HIGHEST_RATIO * 0.95;
        let in_vain = self.lowered_at.take().is_some_and(|before| {
            let is_same = (before * 0.9..before * 1.25).contains(&ratio);
            is_known(before) && is_known(ratio) && is_same && ratio > tolerance
        });
        let is_fine = !window.crowded && ratio <= tolerance;
        let is_whole = window.has_slow_ones();
        move |mean, calls| {
            let is_surely_quicker = mean < 1.0 - 2.0 / calls.sqrt();
            if in_vain {
                1.0
            } else if !is_whole {
                0.0
            } else if is_least {
                calls / (calls + INERTIA / 4.0)
            } else if is_fine || is_surely_quicker {
                calls / (calls + INERTIA)
            } else {
                0.0
            }
        }
    }

    /// Moves what is usual by a share of what was found, of which there is the mean and a number. Only a whole window tells what
    /// is usual where that was not known.
    fn learn(&mut self, is_whole: bool, share: impl Fn(f64, f64) -> f64) {
        let all = self.usual.values_mut().flatten();
        let all = all.filter(|it| it.calls > 0 && (is_whole || it.time.is_some()));
        for usual in all {
            let calls = f64::from(usual.calls);
            let mean = usual.sum / calls;
            usual.time = Some(match usual.time {
                Some(time) => time * (1.0 + (mean - 1.0) * share(mean, calls)),
                None => mean,
            });
            usual.sum = 0.0;
            usual.calls = 0;
        }
    }

    /// Returns the ratio above which fewer calls may run. It is low where calls wait outside as well: then none is the sooner for
    /// waiting inside.
    fn bearable(&self, window: &Window) -> f64 {
        if window.crowded {
            BEARABLE_IN_CROWD.min(self.settings.tolerance)
        } else {
            self.settings.tolerance
        }
    }

    fn decide(&mut self, ratio: f64, window: &Window) {
        let doubt = doubt(window.calls);
        if ratio > self.bearable(window) * doubt {
            self.limit = (window.most_running as f64).min(self.limit) * (AIM / ratio).max(0.5);
            self.doubling = false;
            self.lowered_at = Some(ratio);
        } else if window.crowded && self.until_probe == 0 {
            self.probing_from = Some((self.limit, ratio));
            self.limit /= 2.0;
        } else if window.crowded {
            self.until_probe -= 1;
            if ratio <= AIM {
                self.limit += if self.doubling {
                    self.limit
                } else {
                    // A quarter where calls are as quick as ever, and less near the aim, or it goes up and down.
                    let room = (AIM / ratio - 1.0) / (AIM - 1.0);
                    (self.limit * 0.25 * room.min(1.0)).max(1.0)
                };
            }
        }
    }
}

/// How far off the mean of so few calls may be, as a factor, where times differ as much as chance
/// makes them.
fn doubt(calls: u32) -> f64 {
    1.0 + f64::from(calls).sqrt().recip()
}
