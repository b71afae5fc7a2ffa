//! The promises, held against what both sides have noted.

use std::time::Duration;

use rpc_runtime::Code;

use crate::caller::{Ended, Outcome};
use crate::scenario::{CallPlan, ClientPlan, Pattern, Scenario, Weather};
use crate::service::{Ending, Handled, Left, Records};

/// How much later than its time something may happen on a side that has it all in hand.
const LATE: Duration = Duration::from_millis(50);

/// How late a clear link can make a message.
const CLEAR_LINK: Duration = Duration::from_secs(1);

/// Notes how far ahead of each other both ends of each stream may be.
pub(crate) fn set_bounds(scenario: &Scenario, records: &Records) {
    // What is on its way beyond the window: one message that made the credit negative, one in the
    // handler's slot, one being made, and one that was taken but not yet noted.
    let bound = |window: u32, size: u32| window / (size + 16) + 4;
    for client in &scenario.clients {
        for call in &client.calls {
            records.change_called(call.id, |it| {
                it.download_bound = bound(client.settings.stream_window, call.size);
                it.upload_bound = bound(scenario.server.settings.stream_window, call.upload_size);
            });
        }
    }
}

/// Holds one call against what its handler did.
pub(crate) fn check_call(
    scenario: &Scenario,
    client: &ClientPlan,
    call: &CallPlan,
    end: &Ended,
    records: &Records,
) {
    let handled = records.handled(call.id);
    let id = call.id;
    let wrong = |text: String| records.trace.violation(format!("call {id}: {text}"));
    check_outcome(call, end, &handled, &wrong);
    if is_certain(scenario, client, call) {
        let expected = expected(call);
        if end.outcome != expected && !is_refused_early(client, call, end, &handled) {
            let outcome = &end.outcome;
            wrong(format!(
                "nothing went wrong, and it ended as {outcome:?} instead of {expected:?}"
            ));
        }
    }
    if end.outcome == Outcome::Dropped && client.weather == Weather::Clear {
        let grace = Duration::from_millis(scenario.server.cancel_grace);
        let latest = end.ended + grace + CLEAR_LINK;
        match handled.left {
            Some((at, _)) if at <= latest => {}
            _ if handled.runs == 0 => {}
            left => {
                let left = left.map(|(at, left)| (at - end.ended, left));
                wrong(format!(
                    "it was dropped, and its handler was left after {left:?}"
                ));
            }
        }
    }
}

/// A call may wait in vain for a place only while others have them all. `others` are the calls of
/// the same client.
pub(crate) fn check_place<'a>(
    scenario: &Scenario,
    call: &CallPlan,
    end: &Ended,
    others: impl Iterator<Item = &'a Ended>,
    records: &Records,
) {
    let Outcome::Failed(Code::DeadlineExceeded, text) = &end.outcome else {
        return;
    };
    if !text.contains("`max_calls` places") {
        return;
    }
    let open = others.filter(|it| it.began <= end.ended && it.ended >= end.ended);
    let (open, limit) = (open.count(), scenario.server.settings.max_calls);
    // The call itself is among them.
    if open <= limit as usize {
        let id = call.id;
        records.trace.violation(format!(
            "call {id}: it found no place with {} other calls open, there are {limit} places",
            open - 1
        ));
    }
}

/// What the caller saw must be what the handler did.
fn check_outcome(call: &CallPlan, end: &Ended, handled: &Handled, wrong: &dyn Fn(String)) {
    let left = handled.left.map(|(_, left)| left);
    let agrees = match &end.outcome {
        Outcome::Good => left == Some(Left::Good),
        Outcome::Planned => left == Some(Left::Error) && call.ending == Ending::Error,
        Outcome::UploadBroken => handled.upload_failed && left == Some(Left::Error),
        Outcome::Failed(Code::Internal, text) if text.contains("panicked") => {
            left == Some(Left::Panicked)
        }
        Outcome::Failed(Code::Internal | Code::Unknown, _) => false,
        Outcome::Failed(..) | Outcome::Dropped => true,
    };
    if !agrees {
        wrong(format!(
            "it ended as {:?} and its handler as {left:?}",
            end.outcome
        ));
    }
}

/// Whether nothing can have kept a call from ending as its handler does.
fn is_certain(scenario: &Scenario, client: &ClientPlan, call: &CallPlan) -> bool {
    let patient = |timeout: Option<u64>| timeout.is_none_or(|it| it >= 30_000);
    client.weather == Weather::Clear
        && scenario.server.drain.is_none()
        && call.drop_after.is_none()
        && patient(call.timeout)
        && patient(client.default_timeout)
        // Calls in a row, each of which may take seconds, can run out of their time.
        && client.settings.max_calls.min(scenario.server.settings.max_calls) > 2
}

/// Whether a call was refused that left before the server's settings could say how many it takes.
fn is_refused_early(client: &ClientPlan, call: &CallPlan, end: &Ended, handled: &Handled) -> bool {
    let first = client.calls.iter().map(|it| it.start).min();
    let early = call.start <= first.unwrap_or_default() + 50;
    let refused = matches!(
        &end.outcome,
        Outcome::Failed(Code::ResourceExhausted, text) if text.contains("`max_calls`")
    );
    early && refused && handled.runs == 0
}

fn expected(call: &CallPlan) -> Outcome {
    let uploads = matches!(call.pattern, Pattern::Upload | Pattern::Both);
    if uploads && call.upload_fails {
        let text = "the upload fails as planned".to_owned();
        return Outcome::Failed(Code::Aborted, text);
    }
    match call.ending {
        Ending::Good => Outcome::Good,
        Ending::Error => Outcome::Planned,
        Ending::Panic => Outcome::Failed(Code::Internal, "the handler panicked".to_owned()),
    }
}

/// Holds the handlers against their calls, when everything is over.
pub(crate) fn check_handlers(scenario: &Scenario, records: &Records) {
    let grace = Duration::from_millis(scenario.server.cancel_grace);
    let calls = scenario.clients.iter().flat_map(|it| &it.calls);
    for call in calls {
        let id = call.id;
        let handled = records.handled(id);
        let called = records.called(id);
        let wrong = |text: String| records.trace.violation(format!("handler {id}: {text}"));
        if handled.runs > 1 {
            wrong(format!("it ran {} times", handled.runs));
        }
        if handled.runs > 0 && handled.left.is_none() {
            wrong("it has not ended".to_owned());
        }
        if let (Some(deadline), Some((at, _))) = (handled.deadline, handled.left)
            && at > deadline + grace + LATE
        {
            let late = at - deadline;
            wrong(format!(
                "it ended {late:?} after its deadline, the grace is {grace:?}"
            ));
        }
        if handled.upload_ended
            && (!called.upload_ended || call.upload_fails || handled.received != call.upload_items)
        {
            wrong(format!(
                "it saw the good end of an upload with {} of {} items",
                handled.received, call.upload_items
            ));
        }
        if handled.received > called.uploaded {
            wrong("it received more than was sent".to_owned());
        }
        if handled.shield_began && !handled.shield_ended {
            wrong("its shielded work has not ended".to_owned());
        }
    }
}
