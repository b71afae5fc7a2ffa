//! What becomes of a call tells of its server.

use tokio::time::Instant;

use super::node::Node;
use super::{Many, at};
use crate::call::Response;
use crate::status::{Code, Status};

/// A call on its way to a server. Dropped before its end, it was given up.
pub(super) struct OnItsWay<'a> {
    many: &'a Many,
    node: &'a Node,
    since: Instant,
    /// When it fails if its answer has not begun.
    expires: Option<Instant>,
    has_ended: bool,
}

impl<'a> OnItsWay<'a> {
    pub(super) fn new(
        many: &'a Many,
        node: &'a Node,
        since: Instant,
        expires: Option<Instant>,
    ) -> Self {
        Self {
            many,
            node,
            since,
            expires,
            has_ended: false,
        }
    }

    /// Notes how it went.
    pub(super) fn end(mut self, result: Result<Response, Status>) -> Result<Response, Status> {
        self.has_ended = true;
        self.many.observe(self.node, self.since, result)
    }
}

impl Drop for OnItsWay<'_> {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        // A layer that looks at the time as well may be a moment faster than the connection.
        if self.expires.is_some_and(|it| it <= Instant::now()) {
            self.many.failed(self.node);
        } else {
            self.node.given_up(self.since.elapsed());
        }
    }
}

impl Many {
    /// Remembers how a call went.
    pub(super) fn observe(
        &self,
        node: &Node,
        since: Instant,
        result: Result<Response, Status>,
    ) -> Result<Response, Status> {
        match &result {
            // It did not get there: its connection ended in good order, say, or could not be made. That
            // is seen when the next one is picked.
            Err(status) if status.is_not_started() && !status.is_remote() => {}
            Err(status) if is_blamed_on_server(status) => self.failed(node),
            // This side's own failures say nothing of the other.
            Err(status) if !status.is_remote() => {}
            _ => node.succeeded(since.elapsed()),
        }
        at(&node.endpoint, result)
    }

    fn failed(&self, node: &Node) {
        if node.failed(self.spread.ejection) && self.may_eject() {
            node.eject(self.spread.ejection);
        }
    }

    /// At most half are left out: beyond that the failures are not those of single servers, and the
    /// rest could not bear the load of all.
    fn may_eject(&self) -> bool {
        let nodes = self.list.known();
        let ejected = nodes.iter().filter(|it| it.is_ejected()).count();
        (ejected + 1) * 2 <= nodes.len()
    }
}

/// Returns whether a failure says that the server is not well, and nothing about the call.
fn is_blamed_on_server(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::time::advance;

    use super::super::list::List;
    use super::super::tests::{candidates, nodes, picks};
    use super::super::{Balance, Ejection, Spread};
    use super::*;

    const PAUSE: Duration = Duration::from_secs(60);

    /// Two servers, one of which is left out after three failures.
    fn many() -> Arc<Many> {
        let ejection = Ejection {
            failures: 3,
            pause: PAUSE,
        };
        let nodes = nodes(2).into_iter().map(Arc::new).collect();
        let spread = Spread {
            ejection,
            ..Spread::default()
        };
        Many::new(List::listed(nodes, 2), spread)
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_are_dropped_when_they_are_late_have_failed_and_others_have_not() {
        let many = many();
        let node = &many.list.known()[0];
        let now = Instant::now();
        advance(Duration::from_secs(1)).await;
        for _ in 0..20 {
            drop(OnItsWay::new(&many, node, now, None));
            drop(OnItsWay::new(&many, node, now, Some(now + PAUSE)));
        }
        assert!(!node.is_ejected());
        for is_late in [false, false, true] {
            drop(OnItsWay::new(&many, node, now, Some(Instant::now())));
            assert_eq!(node.is_ejected(), is_late);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_given_up_tells_that_its_server_is_slow() {
        fastrand::seed(7);
        let nodes = nodes(2);
        let quick = Duration::from_millis(1);
        nodes.iter().for_each(|it| it.succeeded(quick));
        nodes[1].given_up(Duration::from_millis(50));
        let both = candidates(&nodes);
        let picks = picks(&Balance::PeakEwma, &both, 100);
        assert_eq!(picks, BTreeMap::from([(0, 100)]));
        // That somebody was impatient says nothing.
        nodes[1].given_up(Duration::ZERO);
        assert!(nodes[1].latency() > Some(0.04));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_did_not_get_there_says_nothing_of_its_server() {
        let many = many();
        let node = &many.list.known()[0];
        let observe = |status: Status| {
            let _ = many.observe(node, Instant::now(), Err(status));
        };
        let lost = || Status::unavailable("the server shut down").into_not_started();
        (0..20).for_each(|_| observe(lost()));
        assert!(!node.is_ejected());
        // One that the server refuses did.
        (0..2).for_each(|_| observe(lost().into_remote()));
        observe(Status::invalid_argument("a name that cannot be sent"));
        assert!(!node.is_ejected());
        observe(lost().into_remote());
        assert!(node.is_ejected());
        observe(lost());
        assert!(node.is_ejected(), "nor that it is well");
    }
}
