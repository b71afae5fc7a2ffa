//! A network: hosts, and the links to them.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use fastrand::Rng;
use tokio::task::AbortHandle;

use super::link::{self, Link, Observer};
use super::plan::{Fault, Plan, Weather};
use crate::client::{Instance, Target};
use crate::server::Connections;
use crate::transport::Io;

/// Hosts that are reached over links which are late, slow, cut up and broken, as a seed says.
///
/// Servers are put at hosts with [`serve`](Self::serve); channels go to [`target`](Self::target).
/// Every connection is a link of its own, and its [`Plan`] is drawn from the seed by the network's
/// [`Weather`] (clear, unless one is set), or made by a function. Hosts can be struck and crash
/// while a test runs. Nothing of it touches a socket. A clone is the same network.
///
/// # Examples
///
/// See the [module](super).
#[derive(Clone)]
pub struct Network {
    state: Arc<Mutex<State>>,
}

struct State {
    rng: Rng,
    plans: Plans,
    observer: Option<Observer>,
    hosts: BTreeMap<String, Host>,
}

enum Plans {
    Drawn(Weather),
    Made(Arc<MakePlan>),
}

/// Makes a plan from the name of a host and the number of a link.
type MakePlan = dyn Fn(&str, u64) -> Plan + Send + Sync;

#[derive(Default)]
struct Host {
    /// What serves there; `None` when nobody listens.
    server: Option<Connections>,
    made: u64,
    links: Vec<Served>,
}

struct Served {
    link: Weak<Mutex<Link>>,
    task: AbortHandle,
}

impl Network {
    /// Makes a network without hosts, in clear weather.
    pub fn new(seed: u64) -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                rng: Rng::with_seed(seed),
                plans: Plans::Drawn(Weather::Clear),
                observer: None,
                hosts: BTreeMap::new(),
            })),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets what links are like that are made from now on.
    #[must_use]
    pub fn weather(self, weather: Weather) -> Self {
        self.state().plans = Plans::Drawn(weather);
        self
    }

    /// Sets what makes the plan of each link, from the name of its host and how many links to that
    /// host were made before. It may look at a clone of the network.
    #[must_use]
    pub fn plan(self, plan: impl Fn(&str, u64) -> Plan + Send + Sync + 'static) -> Self {
        self.state().plans = Plans::Made(Arc::new(plan));
        self
    }

    /// Sets who is told, in a line of text, what happens: links that are made, and faults. They may look at a
    /// clone of the network.
    #[must_use]
    pub fn observe(self, observer: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.state().observer = Some(Arc::new(observer));
        self
    }

    /// Puts a server at a host, also at one where another was: that is a restart.
    pub fn serve(&self, host: impl Into<String>, server: Connections) {
        self.state().hosts.entry(host.into()).or_default().server = Some(server);
    }

    /// Ends a host as a power cut does: its connections are reset, what ran for them is dropped, with the
    /// streams that its server keeps for callers who come back, and nobody listens there until a server is
    /// [put](Self::serve) there again.
    pub fn crash(&self, host: &str) {
        let ended = self
            .state()
            .hosts
            .get_mut(host)
            .map(|host| (host.server.take(), std::mem::take(&mut host.links)));
        let Some((server, links)) = ended else {
            return;
        };
        if let Some(server) = server {
            server.crash();
        }
        for served in links {
            if let Some(link) = served.link.upgrade() {
                link::strike(&link, Fault::Reset);
            }
            served.task.abort();
        }
    }

    /// Lets something go wrong on every link to a host, now.
    pub fn strike(&self, host: &str, fault: Fault) {
        let links: Vec<_> = match self.state().hosts.get(host) {
            None => Vec::new(),
            Some(host) => host
                .links
                .iter()
                .filter_map(|it| it.link.upgrade())
                .collect(),
        };
        links.iter().for_each(|it| link::strike(it, fault));
    }

    /// Returns how many connections to a host were made.
    pub fn connections(&self, host: &str) -> u64 {
        self.state().hosts.get(host).map_or(0, |it| it.made)
    }

    /// Returns how many links there are that somebody still holds an end of.
    pub fn open_links(&self) -> usize {
        let state = self.state();
        let links = state.hosts.values().flat_map(|it| &it.links);
        links.filter(|it| it.link.strong_count() > 0).count()
    }

    /// Names hosts for a channel to connect to.
    pub fn target<S: Into<String>>(&self, hosts: impl IntoIterator<Item = S>) -> Target {
        let instances: Vec<_> = hosts.into_iter().map(|it| self.instance(it)).collect();
        Target::listed(&instances)
    }

    /// Names a host for a [`Discover`](crate::client::Discover) to find.
    pub fn instance(&self, host: impl Into<String>) -> Instance {
        let (network, host) = (self.clone(), host.into());
        let name = host.clone();
        Instance::over(name, move || std::future::ready(network.connect(&host)))
    }

    /// Opens a link to a host and lets the server there serve it.
    ///
    /// # Errors
    ///
    /// Of kind `ConnectionRefused` when nobody listens there.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, where no task can serve it.
    pub fn connect(&self, host: &str) -> io::Result<Io> {
        let (make, number, rng) = {
            let state = &mut *self.state();
            let (found, _) = listening(&mut state.hosts, host)?;
            let number = found.made;
            found.made += 1;
            let make: Arc<MakePlan> = match &state.plans {
                Plans::Drawn(weather) => {
                    let plan = Plan::drawn(*weather, state.rng.u64(..));
                    Arc::new(move |_, _| plan.clone())
                }
                Plans::Made(make) => Arc::clone(make),
            };
            (make, number, state.rng.fork())
        };
        // Not under the lock, as it may look at the network.
        let plan = make(host, number);
        let (link, here) = {
            let state = &mut *self.state();
            // It may have crashed meanwhile.
            let (found, server) = listening(&mut state.hosts, host)?;
            let name = format!("{host}.{number}");
            let (link, here, there) = link::make(&name, &plan, rng, state.observer.clone());
            let task = tokio::spawn(server.serve(there)).abort_handle();
            found.links.retain(|it| it.link.strong_count() > 0);
            found.links.push(Served {
                link: Arc::downgrade(&link),
                task,
            });
            (link, here)
        };
        link::tell(&link);
        Ok(here)
    }
}

/// Returns a host with the server that listens there.
fn listening<'a>(
    hosts: &'a mut BTreeMap<String, Host>,
    host: &str,
) -> io::Result<(&'a mut Host, Connections)> {
    let found = hosts.get_mut(host);
    let listens = found.and_then(|it| it.server.clone().map(|by| (it, by)));
    listens.ok_or_else(|| {
        let text = format!("nobody listens at `{host}`");
        io::Error::new(io::ErrorKind::ConnectionRefused, text)
    })
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("hosts", &self.state().hosts.keys())
            .finish_non_exhaustive()
    }
}
