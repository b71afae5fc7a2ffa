//! The promises, held against what both sides have noted.

use std::time::Duration;

use rpc_runtime::Code;
use rpc_runtime::testing::Weather;
use tokio::time::Instant;

use crate::caller::{Ended, Outcome};
use crate::records::{Handled, Left, Records};
use crate::scenario::{Around, CallPlan, ClientPlan, Pattern, Safety, Scenario, ServerPlan};
use crate::servers::Life;
use crate::service::{Ending, Slow};

/// How many items of a stream that is kept wait for a reader who is there.
const AHEAD: u32 = 16;

/// Items that are larger may come in the way of keeping all that is on its way.
const SMALL: u32 = 3_000;

/// How much later than its time something may happen on a side that has it all in hand.
const LATE: Duration = Duration::from_millis(50);

/// How late a clear link can make a message.
const CLEAR_LINK: Duration = Duration::from_secs(1);

/// How long a client pauses that could not find its servers up to three times in a row.
const ASKED_AGAIN: Duration = Duration::from_secs(1);

/// By when a client has connected again to a server that came back, in milliseconds: none is away for more
/// than 3 seconds, so the pause between two attempts is at most 3.2 seconds by then.
const COMING_BACK: u64 = 5000;

/// How often a client makes a call at most: more often than servers fail in one simulation.
pub(crate) const ATTEMPTS: u32 = 10;

/// Notes how far ahead of each other both ends of each stream may be, and whose network garbles.
pub(crate) fn prepare(scenario: &Scenario, records: &Records) {
    // What is on its way beyond the window: one message that made the credit negative, one in the
    // handler's slot, one being made, and one that was taken but not yet noted.
    let bound = |window: u32, size: u32| window / (size + 16) + 4;
    let windows = scenario.servers.iter().map(|it| it.settings.stream_window);
    let widest = windows.max().unwrap_or_default();
    for client in &scenario.clients {
        for call in &client.calls {
            records.change_called(call.id, |it| {
                it.download_bound = match call.slow {
                    Slow::Wait if call.resumable => {
                        bound(client.settings.stream_window, call.size)
                            + most_kept(scenario, call.size)
                    }
                    Slow::Wait => bound(client.settings.stream_window, call.size),
                    // It goes on whatever its caller does.
                    _ => u32::MAX / 2,
                };
                it.upload_bound = bound(widest, call.upload_size);
                it.garbled = client.weather == Weather::Broken;
            });
        }
    }
}

/// Returns how many items a server makes of a stream beyond its reader's window: those that it may keep
/// while its caller is gone, and one too large, or those that wait for a reader who is there.
fn most_kept(scenario: &Scenario, size: u32) -> u32 {
    let each = size as usize + 64;
    let kept = scenario.servers.iter().map(|it| it.replay);
    let most = kept.map(|it| it.items.min(it.bytes / each) + 1).max();
    u32::try_from(most.unwrap_or_default())
        .unwrap_or(u32::MAX / 4)
        .max(AHEAD)
}

/// A call that has ended, with all that is known of it.
pub(crate) struct Checked<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) client: &'a ClientPlan,
    pub(crate) call: &'a CallPlan,
    pub(crate) end: &'a Ended,
    pub(crate) records: &'a Records,
    pub(crate) lives: &'a [Life],
}

impl Checked<'_> {
    fn wrong(&self, text: String) {
        self.records.violation(self.call.id, text);
    }

    /// Holds the call against what its handlers did.
    pub(crate) fn check(&self) {
        let handled = self.records.handled(self.call.id);
        self.check_outcome(&handled);
        self.check_runs(&handled);
        self.check_expected();
        self.check_gap();
        self.check_refusal();
        self.check_left(&handled);
        self.check_deadline(&handled);
        self.check_found(&handled);
    }

    /// What the caller saw must be what a handler did.
    fn check_outcome(&self, handled: &Handled) {
        let agrees = match &self.end.outcome {
            Outcome::Good => handled.was_left(Left::Good),
            Outcome::Planned => handled.was_left(Left::Error) && self.call.ending == Ending::Error,
            Outcome::UploadBroken => handled.upload_failed && handled.was_left(Left::Error),
            Outcome::Failed(Code::Internal, text) if text.contains("panicked") => {
                handled.was_left(Left::Panicked)
            }
            Outcome::Failed(Code::Internal | Code::Unknown, _) => false,
            Outcome::Failed(..) | Outcome::Dropped => true,
        };
        if !agrees {
            let (outcome, runs) = (&self.end.outcome, &handled.runs);
            self.wrong(format!(
                "it ended as {outcome:?} and its handlers as {runs:?}"
            ));
        }
    }

    /// A method runs at most once, unless it may be repeated and somebody repeats it.
    fn check_runs(&self, handled: &Handled) {
        let policy = &self.client.policy;
        let attempts = match self.call.safety {
            Safety::Once => 1,
            _ if policy.retries => ATTEMPTS,
            _ => 1,
        };
        let hedges = self.call.safety == Safety::ReadOnly && policy.hedge_behind.is_some();
        let most = if hedges { attempts * 2 } else { attempts };
        if handled.runs.len() > most as usize {
            let runs = handled.runs.len();
            self.wrong(format!("it ran {runs} times, which may be {most} times"));
        }
    }

    fn check_expected(&self) {
        let why = if self.is_certain() {
            "nothing went wrong"
        } else if self.goes_on() {
            "it had begun and only its connections were lost"
        } else if self.is_saved() {
            "one of its servers was always there"
        } else {
            return;
        };
        let (expected, outcome) = (self.expected(), &self.end.outcome);
        if *outcome != expected {
            self.wrong(format!(
                "{why}, and it ended as {outcome:?} instead of {expected:?}"
            ));
        }
    }

    /// Whether nothing can have kept the call from ending as its handler does.
    fn is_certain(&self) -> bool {
        let (ever, _) = self.client.servers();
        let is_there = ever.iter().all(|it| self.is_there_again(*it));
        let finds = !self.client.asks_in_vain();
        is_there && finds && self.client.cuts.is_empty() && self.is_undisturbed()
    }

    /// Whether the call is a stream that had begun, whose caller goes on with it until it ends as its
    /// handler does: nothing but its connections were lost, and all that was on them is kept.
    fn goes_on(&self) -> bool {
        let (ever, _) = self.client.servers();
        let servers = || ever.iter().map(|it| &self.scenario.servers[*it]);
        let is_there = ever.iter().all(|it| self.is_there_again(*it));
        let settings = servers()
            .map(|it| &it.settings)
            .chain([&self.client.settings]);
        self.call.resumable
            && self.records.called(self.call.id).consumed > 0
            && is_there
            && self.keeps_all()
            && servers().all(|it| it.replay.wait >= 5_000)
            // Where places are few, others may have them all for as long as its server waits.
            && settings.map(|it| it.max_calls).min() >= Some(1_000)
            && self.is_undisturbed()
    }

    /// Whether no item can be lost: every server keeps all that can be on its way.
    fn keeps_all(&self) -> bool {
        let (ever, _) = self.client.servers();
        let mut servers = ever.iter().map(|it| &self.scenario.servers[*it]);
        servers.all(|it| it.replay.is_ample()) && self.call.size <= SMALL
    }

    /// Items are lost only where a server keeps few, and a caller who accepts that goes on.
    fn check_gap(&self) {
        let lost = self.records.called(self.call.id).lost;
        let fails = matches!(self.end.outcome, Outcome::Failed(Code::DataLoss, _));
        if (fails || lost > 0) && self.keeps_all() {
            self.wrong("items were lost where all are kept".to_owned());
        }
        if fails && (self.call.accepts_gaps || !self.call.resumable) {
            self.wrong("it failed because of a gap that it accepts".to_owned());
        }
    }

    /// Whether a server has been there so long when the call begins that its clients know.
    fn is_there_again(&self, server: usize) -> bool {
        let from = self.scenario.servers[server].serves_from();
        from.is_some_and(|it| it == 0 || it + COMING_BACK <= self.call.start)
    }

    /// Whether the call is made again until it ends as its handler does: a server is always there.
    fn is_saved(&self) -> bool {
        let (_, always) = self.client.servers();
        let steady = always
            .iter()
            .any(|it| self.scenario.servers[*it].is_steady());
        let repeats = self.client.policy.retries && self.call.pattern == Pattern::Unary;
        let is_calm = self.client.cuts.is_empty();
        steady && is_calm && repeats && self.call.safety != Safety::Once && self.is_undisturbed()
    }

    /// Whether neither the caller nor the network keeps the call from ending well.
    fn is_undisturbed(&self) -> bool {
        let (client, call) = (self.client, self.call);
        let patient = |timeout: Option<u64>| timeout.is_none_or(|it| it >= 30_000);
        let places = self.scenario.servers.iter().map(|it| it.settings.max_calls);
        let places = places.chain([client.settings.max_calls]).min();
        let sheds = |it: &ServerPlan| it.layers.contains(&Around::Adaptive);
        client.weather == Weather::Clear
            && !self.scenario.servers.iter().any(sheds)
            && call.drop_after.is_none()
            && !matches!(call.slow, Slow::Close(_))
            && patient(call.timeout)
            && patient(client.default_timeout)
            // One that takes longer is made again, and its failure is that of the last.
            && client.policy.attempt_timeout.is_none()
            // Calls in a row, each of which may take seconds, can run out of their time.
            && places.is_some_and(|it| it > 2)
    }

    /// No client asks for more calls at once than its server takes on a connection, so that no server
    /// refuses one for that.
    fn check_refusal(&self) {
        let Outcome::Failed(Code::ResourceExhausted, text) = &self.end.outcome else {
            return;
        };
        let is_garbled = self.client.weather == Weather::Broken;
        if text.contains("the connection has the limit `max_calls`") && !is_garbled {
            self.wrong(format!("its client asked for too much: {text}"));
        }
    }

    fn expected(&self) -> Outcome {
        let uploads = matches!(self.call.pattern, Pattern::Upload | Pattern::Both);
        if uploads && self.call.upload_fails {
            let text = "the upload fails as planned".to_owned();
            return Outcome::Failed(Code::Aborted, text);
        }
        match self.call.ending {
            Ending::Good => Outcome::Good,
            Ending::Error => Outcome::Planned,
            Ending::Panic => Outcome::Failed(Code::Internal, "the handler panicked".to_owned()),
        }
    }

    /// When a call has ended for its caller, its handlers end too, within the grace of their servers:
    /// nobody waits for them, but for callers who may come back.
    fn check_left(&self, handled: &Handled) {
        if self.client.weather != Weather::Clear {
            return;
        }
        for run in &handled.runs {
            let server = &self.scenario.servers[self.lives[run.life].server];
            let grace = Duration::from_millis(server.cancel_grace);
            // A caller whose connection was lost cannot say that it does not come back. Nor is it heard by a server that
            // writes to it when it has closed the connection behind that word.
            let is_unheard = !self.client.cuts.is_empty() || self.end.outcome == Outcome::Dropped;
            let is_awaited = self.call.resumable && is_unheard;
            let wait = Duration::from_millis(if is_awaited { server.replay.wait } else { 0 });
            let latest = self.end.ended + grace + CLEAR_LINK + wait;
            if run.left.is_none_or(|(at, _)| at > latest) {
                let left = run.left.map(|(at, left)| (at - self.end.ended, left));
                self.wrong(format!(
                    "it has ended, and its handler was left after {left:?}"
                ));
            }
        }
    }

    /// A handler knows its deadline, which is always sent; that of a stream only if there is one.
    fn check_deadline(&self, handled: &Handled) {
        if self.call.has_deadline() && handled.runs.iter().any(|it| it.deadline.is_none()) {
            self.wrong("its handler does not know of its deadline".to_owned());
        }
    }

    /// No call goes to a server that was not listed any more when the call began.
    fn check_found(&self, handled: &Handled) {
        let began = self.end.began.saturating_duration_since(self.end.epoch);
        let fails = self.client.found.iter().any(|(_, list)| list.is_none());
        let late = if fails { LATE + ASKED_AGAIN } else { LATE };
        let before = |(at, _): &&(u64, _)| Duration::from_millis(*at) + late < began;
        let known = self.client.found.iter().take_while(before);
        let Some(list) = known.filter_map(|(_, list)| list.as_ref()).last() else {
            return;
        };
        let later = self.client.found.iter().skip_while(before);
        let mut known = list.clone();
        known.extend(later.filter_map(|(_, list)| list.as_ref()).flatten());
        for run in &handled.runs {
            let server = self.lives[run.life].server;
            if !known.contains(&server) {
                self.wrong(format!("it went to server {server}, which was not listed"));
            }
        }
    }

    /// A call may wait in vain for a place only while others have them all. `others` are the calls of
    /// the same client.
    pub(crate) fn check_place<'a>(&self, others: impl Iterator<Item = &'a Ended>) {
        let Outcome::Failed(Code::DeadlineExceeded, text) = &self.end.outcome else {
            return;
        };
        if !text.contains("`max_calls` places") {
            return;
        }
        let (end, policy) = (self.end, &self.client.policy);
        let open = others.filter(|it| it.began <= end.ended && it.ended >= end.ended);
        // A hedged call has two places for a while, and so has one whose first server is gone.
        let each = if policy.hedge_behind.is_some() || policy.retries {
            2
        } else {
            1
        };
        let open = open.count() * each;
        let limits = self.scenario.servers.iter().map(|it| it.settings.max_calls);
        let limit = limits.min().unwrap_or_default();
        // The call itself is among them.
        if open <= limit as usize {
            self.wrong(format!(
                "it found no place with {} other calls open, there are {limit} places",
                open - 1
            ));
        }
    }
}

/// Holds the handlers against their calls and their servers, when everything is over.
pub(crate) fn check_handlers(scenario: &Scenario, records: &Records, lives: &[Life]) {
    let calls = scenario.clients.iter();
    let calls = calls.flat_map(|client| client.calls.iter().map(move |call| (client, call)));
    for (client, call) in calls {
        let id = call.id;
        let (handled, called) = (records.handled(id), records.called(id));
        let wrong = |text: &str| records.violation(id, format!("its handler: {text}"));
        // Of a large request a part may have been there before, and what came may have waited for its turn while the
        // answers before it waited for a slow reader.
        let may_wait = call.filling >= 10_000 || client.weather != Weather::Clear;
        check_times(scenario, &handled, may_wait, lives, &wrong);
        if handled.upload_ended
            && (!called.upload_ended || call.upload_fails || handled.received != call.upload_items)
        {
            wrong(&format!(
                "it saw the good end of an upload with {} of {} items",
                handled.received, call.upload_items
            ));
        }
        if handled.received > called.uploaded {
            wrong("it received more than was sent");
        }
        if handled.shields_began != handled.shields_ended {
            wrong("its shielded work has not ended");
        }
    }
}

/// No handler outlives its deadline, its server's crash, or the bound of its server's drain; none
/// begins at a server that drains, but for those that were there before and may have waited.
fn check_times(
    scenario: &Scenario,
    handled: &Handled,
    may_wait: bool,
    lives: &[Life],
    wrong: &dyn Fn(&str),
) {
    for run in &handled.runs {
        let life = &lives[run.life];
        let server = &scenario.servers[life.server];
        let grace = Duration::from_millis(server.cancel_grace);
        let Some((left, _)) = run.left else {
            wrong("it has not ended");
            continue;
        };
        let late = |bound: Instant, what: &str| {
            if left > bound + LATE {
                wrong(&format!("it ended {:?} after {what}", left - bound));
            }
        };
        if let Some(deadline) = run.deadline {
            late(deadline + grace, "its deadline and the grace");
        }
        if let Some(crashed) = life.crashed {
            late(crashed, "its server crashed");
        }
        if let Some(drained) = life.drained {
            let bound = Duration::from_millis(server.shutdown_timeout);
            late(drained + bound, "the bound of its server's drain");
            let may_wait = may_wait || server.layers.contains(&Around::Adaptive);
            if run.began > drained + LATE && !may_wait {
                wrong("it began at a server that drains");
            }
        }
    }
}
