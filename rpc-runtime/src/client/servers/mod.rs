//! The servers of a channel: one, or many over which it spreads its calls.

mod balance;
mod discover;
mod dns;
#[cfg(feature = "dns-srv")]
mod dns_srv;
mod file;
mod hash;
#[cfg(feature = "health")]
mod health;
mod list;
mod node;
mod observed;
#[cfg(test)]
mod tests;
#[cfg(all(test, feature = "testing"))]
mod waiting_tests;
mod weighted;

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

pub use self::balance::Balance;
use self::balance::Candidate;
pub(super) use self::discover::BoxDiscover;
use self::discover::Rank;
pub use self::discover::{Discover, Instance};
pub use self::dns::Dns;
#[cfg(feature = "dns-srv")]
pub use self::dns_srv::DnsSrv;
pub use self::file::ServerFile;
#[cfg(feature = "health")]
pub use self::health::HealthCheck;
use self::list::List;
pub(super) use self::list::Source;
pub(super) use self::node::Ejection;
use self::node::Node;
use self::observed::OnItsWay;
use super::endpoint::{Endpoint, Readiness};
use super::resume::At;
use crate::call::{Granted, Request, Response, deadline_in};
use crate::service::{BoxFuture, ResponseFuture, Service};
use crate::status::{Phase, Status};

/// How many servers an error lists that says why none can be reached.
const LISTED: usize = 8;

/// How long one that does not answer keeps a caller from servers that do.
const PATIENCE: Duration = Duration::from_secs(1);

/// What says how calls are spread.
#[derive(Clone, Debug)]
pub(super) struct Spread {
    pub(super) balance: Balance,
    pub(super) ejection: Ejection,
    /// How many servers are used at most.
    pub(super) subset: usize,
    /// How the servers are asked whether they can be called, if they are.
    #[cfg(feature = "health")]
    pub(super) health: Option<HealthCheck>,
}

impl Default for Spread {
    fn default() -> Self {
        Self {
            balance: Balance::default(),
            ejection: Ejection {
                failures: 5,
                pause: Duration::from_secs(5),
            },
            subset: usize::MAX,
            #[cfg(feature = "health")]
            health: None,
        }
    }
}

impl Spread {
    /// Says whether something may come between a call and the connection of the only server.
    fn looks_at_one(&self) -> bool {
        #[cfg(feature = "health")]
        return self.health.is_some();
        #[cfg(not(feature = "health"))]
        false
    }

    fn node(&self, instance: Instance, endpoint: Arc<Endpoint>) -> Arc<Node> {
        let node = Node::new(instance, endpoint);
        #[cfg(feature = "health")]
        let node = node.checked(self.health.as_ref());
        Arc::new(node)
    }
}

/// The servers of a channel.
pub(super) enum Servers {
    /// Apart, because nothing may come between a call and its connection here.
    One(Arc<Endpoint>),
    Many(Arc<Many>),
}

impl Servers {
    /// `endpoints` is not empty.
    pub(super) fn listed(mut endpoints: Vec<Arc<Endpoint>>, spread: Spread) -> Self {
        if endpoints.len() == 1
            && !spread.looks_at_one()
            && let Some(only) = endpoints.pop()
        {
            return Self::One(only);
        }
        let node = |it: Arc<Endpoint>| spread.node(Instance::new(&**it.url()), it);
        let nodes = endpoints.into_iter().map(node).collect();
        Self::Many(Many::new(List::listed(nodes, spread.subset), spread))
    }

    pub(super) fn discovered(source: Source, spread: Spread) -> Self {
        Self::Many(Many::new(List::discovered(source, spread.clone()), spread))
    }

    /// Connects to every server that is known; succeeds if one can be reached, and does not wait long for
    /// the others then.
    /// `patience` is how long the list may take.
    pub(super) fn connect(&self, patience: Duration) -> BoxFuture<'_, Result<(), Status>> {
        // Boxed, so that it is compiled here and not again with each program that awaits it.
        Box::pin(async move {
            match self {
                Self::One(endpoint) => endpoint.connected(None).await.map(drop),
                Self::Many(many) => many.connect(patience).await,
            }
        })
    }
}

/// On a request that could not begin at once: the turn that it has already, as it would else have two.
#[derive(Clone, Copy)]
struct Turn(usize);

/// Several servers.
pub(super) struct Many {
    list: List,
    spread: Spread,
    turn: AtomicUsize,
}

impl Many {
    fn new(list: List, spread: Spread) -> Arc<Self> {
        Arc::new(Self {
            list,
            spread,
            turn: AtomicUsize::new(0),
        })
    }

    async fn connect(&self, patience: Duration) -> Result<(), Status> {
        let nodes = self.list.nodes(Some(deadline_in(patience))).await?;
        let mut connecting = JoinSet::new();
        for (place, node) in nodes.iter().cloned().enumerate() {
            // Dropped early, this goes on: an attempt has a task of its own.
            connecting.spawn(async move { (place, node.ready(None).await) });
        }
        let (mut failures, mut end) = (Vec::new(), None);
        while let Some((place, result)) = next_of(&mut connecting, end).await {
            match result {
                Ok(()) => end = end.or_else(|| Some(deadline_in(PATIENCE))),
                Err(status) => failures.push((place, status)),
            }
        }
        if end.is_some() {
            return Ok(());
        }
        failures.sort_unstable_by_key(|(place, _)| *place);
        Err(none_reached(
            failures.into_iter().map(|(_, status)| status).collect(),
        ))
    }

    /// Picks the server for a call: of the lowest priority that can be reached, of those that are
    /// readiest, as the balance says. One that is not healthy, or is not tried now, is none of them. A call
    /// that has no turn gets one, if it needs it.
    fn pick(
        &self,
        nodes: &[Arc<Node>],
        request: &Request,
        tried: &[usize],
        turn: &mut Option<Turn>,
    ) -> Option<usize> {
        let mut candidates = Vec::with_capacity(nodes.len());
        let mut best = None;
        for (place, node) in nodes.iter().enumerate() {
            if tried.contains(&place) {
                continue;
            }
            let (class, calls) = Class::of(node);
            if !class.may_take_calls() {
                continue;
            }
            let Rank { priority, weight } = node.rank();
            let choice = (!class.may_be_reached(), priority, class);
            if best.is_none_or(|best| choice < best) {
                best = Some(choice);
                candidates.clear();
            }
            if best == Some(choice) {
                candidates.push(Candidate {
                    node,
                    place,
                    calls,
                    weight,
                });
            }
        }
        let next = || Turn(self.turn.fetch_add(1, Ordering::Relaxed));
        let turn = || turn.get_or_insert_with(next).0;
        let picked = self.spread.balance.pick(&candidates, request, turn);
        picked.map(|it| it.place)
    }

    /// Begins a call at once, if a server is connected and has a place for it; else the request comes
    /// back.
    #[allow(
        clippy::result_large_err,
        reason = "nothing failed: the request comes back"
    )]
    fn start(self: &Arc<Self>, request: Request) -> Result<ResponseFuture, Request> {
        if let Some(At(endpoint)) = request.extensions().get::<At>() {
            return Arc::clone(endpoint).start(request);
        }
        let nodes = self.list.known();
        let mut turn = None;
        let picked = self.pick(&nodes, &request, &[], &mut turn);
        let picked = picked.and_then(|it| nodes.get(it));
        let comes_back = |mut request: Request| {
            if let Some(turn) = turn {
                request.extensions_mut().insert(turn);
            }
            request
        };
        let Some(node) = picked.filter(|it| it.is_healthy() == Some(true)) else {
            return Err(comes_back(request));
        };
        let (since, expires) = (Instant::now(), request.first_deadline());
        let response = node.endpoint.start(request).map_err(comes_back)?;
        let (many, node) = (Arc::clone(self), Arc::clone(node));
        Ok(Box::pin(async move {
            let call = OnItsWay::new(&many, &node, since, expires);
            call.end(response.await)
        }))
    }

    /// Makes a call at the first server that can be connected to.
    async fn call(&self, mut request: Request) -> Result<Response, Status> {
        if let Some(At(endpoint)) = request.extensions().get::<At>() {
            let endpoint = Arc::clone(endpoint);
            return at(&endpoint, endpoint.call(request).await);
        }
        let deadline = request.first_deadline();
        let mut nodes = self.list.nodes(deadline).await?;
        let (mut tried, mut failures) = (Vec::new(), Vec::new());
        let mut turn = request.extensions_mut().remove::<Turn>();
        loop {
            let picked = self.pick(&nodes, &request, &tried, &mut turn);
            let Some((place, node)) = picked.and_then(|it| Some((it, nodes.get(it)?))) else {
                let others = nodes.iter().enumerate();
                let others = others.filter(|(place, _)| !tried.contains(place));
                failures.extend(others.filter_map(|(_, node)| node.refusal()));
                if failures.is_empty() {
                    // It has just become time to try one again.
                    continue;
                }
                break;
            };
            match timeout(PATIENCE, node.ready(deadline)).await {
                // It is waited for on, unless another one is ready meanwhile, or has taken its place.
                Err(_) => {
                    let listed = self.list.nodes(deadline).await?;
                    if !Arc::ptr_eq(&listed, &nodes) {
                        nodes = listed;
                        tried.clear();
                        failures.clear();
                    }
                }
                Ok(Ok(())) => {
                    let call = OnItsWay::new(self, node, Instant::now(), deadline);
                    return call.end(node.endpoint.call(request).await);
                }
                Ok(Err(status)) => {
                    // Not by the code: a question for its health may have taken too long.
                    let is_late = deadline.is_some_and(|it| it <= Instant::now());
                    failures.push(status);
                    tried.push(place);
                    if is_late {
                        break;
                    }
                }
            }
        }
        Err(none_reached(failures))
    }
}

/// Waits for the next of the servers that are connected to, or for the end of the time for that.
async fn next_of<T: 'static>(connecting: &mut JoinSet<T>, end: Option<Instant>) -> Option<T> {
    let next = connecting.join_next();
    let joined = match end {
        None => next.await,
        Some(end) => timeout_at(end, next).await.ok().flatten(),
    };
    joined?.ok()
}

/// How good a choice a server is; the first is the best.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Ready,
    /// Connected, but its calls fail.
    Ejected,
    /// Connected, and nobody knows yet whether it can be called.
    Unchecked,
    Connecting,
    /// Connecting after that has failed.
    Trying,
    Failed,
    /// It cannot be called.
    Unhealthy,
}

impl Class {
    /// Returns it with the calls on their way.
    fn of(node: &Node) -> (Self, usize) {
        let is_healthy = node.is_healthy();
        match node.endpoint.readiness() {
            _ if is_healthy == Some(false) => (Self::Unhealthy, 0),
            Readiness::Ready { calls } if is_healthy.is_none() => (Self::Unchecked, calls),
            Readiness::Ready { calls } if node.is_ejected() => (Self::Ejected, calls),
            Readiness::Ready { calls } => (Self::Ready, calls),
            Readiness::Connecting { again: false } => (Self::Connecting, 0),
            Readiness::Connecting { again: true } => (Self::Trying, 0),
            Readiness::Failed => (Self::Failed, 0),
        }
    }

    /// Says whether a call can go there now, or after a while that is worth waiting for.
    fn may_take_calls(self) -> bool {
        self < Self::Failed
    }

    /// Says whether nothing speaks against it that calls go there: no server of a higher priority number gets
    /// one meanwhile.
    fn may_be_reached(self) -> bool {
        self <= Self::Connecting
    }
}

/// Notes where a stream came from that can be gone on with only there.
fn at(endpoint: &Arc<Endpoint>, mut result: Result<Response, Status>) -> Result<Response, Status> {
    if let Ok(response) = &mut result
        && response.extensions().get::<Granted>().is_some()
    {
        response.extensions_mut().insert(At(Arc::clone(endpoint)));
    }
    result
}

/// Says of every server why it cannot be reached.
fn none_reached(mut failures: Vec<Status>) -> Status {
    let Some(last) = failures.pop() else {
        return no_servers();
    };
    if failures.is_empty() {
        return last;
    }
    failures.push(last.clone());
    let mut text = format!("none of {} servers can be reached", failures.len());
    let mut separator = ": ";
    for failure in failures.iter().take(LISTED) {
        let _ = write!(text, "{separator}{failure}");
        separator = "; ";
    }
    if failures.len() > LISTED {
        let _ = write!(text, "{separator}and {} more", failures.len() - LISTED);
    }
    Status::new(last.code(), text)
        .with_source(last)
        .into_not_started()
        .in_phase(Phase::Connect)
}

fn no_servers() -> Status {
    Status::unavailable("there are no servers")
        .into_not_started()
        .in_phase(Phase::Connect)
}

impl Service for Servers {
    async fn call(&self, request: Request) -> Result<Response, Status> {
        match self {
            Self::One(endpoint) => endpoint.call(request).await,
            Self::Many(many) => many.call(request).await,
        }
    }

    fn call_detached(&self, request: Request) -> Result<ResponseFuture, Request> {
        match self {
            // Nearly always there is a connection, and the call's own future is all that is needed.
            Self::One(endpoint) => endpoint.start(request),
            Self::Many(many) => many.start(request),
        }
    }

    fn keeps_deadlines(&self) -> bool {
        true
    }
}
