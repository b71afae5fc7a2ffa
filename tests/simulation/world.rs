//! One simulation from its seed to its verdict.

use std::collections::VecDeque;
use std::time::Duration;

use fastrand::Rng;
use rpc_runtime::client::{Balance, Discover, Instance, Target};
use rpc_runtime::testing::{Network, Plan, Weather, simulate as on_simulated_time};
use rpc_runtime::{Channel, RpcClient};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::caller::{Caller, Ended};
use crate::checks;
use crate::layers::around_client;
use crate::records::Records;
use crate::scenario::{CallPlan, ClientPlan, Found, Scenario, Spread};
use crate::servers::{Servers, host, limits};
use crate::service::SimulatedClient;
use crate::trace::Trace;

/// By when every call has ended: far beyond every timeout, pause and keepalive together.
const HORIZON: Duration = Duration::from_secs(600);

/// How long after the last call everything may take to be gone.
const CLEANING: Duration = Duration::from_secs(120);

/// How long that is where links may be so slow that what was sent is on its way for long.
const CLEANING_SLOW: Duration = Duration::from_secs(3_600);

/// What came of a simulation.
pub(crate) struct Verdict {
    pub(crate) scenario: Scenario,
    pub(crate) violations: Vec<String>,
    /// The number of events, and a hash over them.
    pub(crate) fingerprint: (u64, u64),
}

/// Runs the simulation of a seed.
pub(crate) fn simulate(seed: u64, print: bool) -> Verdict {
    let scenario = Scenario::draw(&mut Rng::with_seed(seed));
    if print {
        println!("{scenario:#?}");
    }
    let trace = on_simulated_time(seed, run(&scenario, print));
    Verdict {
        scenario,
        violations: trace.violations(),
        fingerprint: trace.fingerprint(),
    }
}

/// A call, with the task that makes it.
struct Made<'a> {
    client: &'a ClientPlan,
    call: &'a CallPlan,
    task: tokio::task::JoinHandle<Ended>,
}

async fn run(scenario: &Scenario, print: bool) -> Trace {
    let trace = Trace::new(print);
    let records = Records::new(trace.clone());
    checks::prepare(scenario, &records);
    let clients = scenario.clients.iter().enumerate();
    let networks: Vec<_> = clients
        .map(|(it, plan)| network(it, plan, &trace))
        .collect();
    let servers = Servers::start(scenario, &networks, &records);
    begin_cuts(scenario, &networks);
    let mut calls = begin_calls(scenario, &networks, &records);
    let ends = ends(&mut calls, &trace).await;
    calls.iter().for_each(|it| it.task.abort());
    let is_quick = |it: &ClientPlan| it.weather == Weather::Clear;
    let patience = if scenario.clients.iter().all(is_quick) {
        CLEANING
    } else {
        CLEANING_SLOW
    };
    sleep(patience).await;
    clean_up(&trace, &servers, &networks);
    let lives = servers.lives();
    let all = || calls.iter().zip(&ends);
    for (made, end) in all() {
        let Some(end) = end else { continue };
        let checked = checks::Checked {
            scenario,
            client: made.client,
            call: made.call,
            end,
            records: &records,
            lives: &lives,
        };
        checked.check();
        let own = all().filter(|(it, _)| std::ptr::eq(it.client, made.client));
        checked.check_place(own.filter_map(|(_, end)| end.as_ref()));
    }
    checks::check_handlers(scenario, &records, &lives);
    trace
}

/// Cuts the links of clients as planned.
fn begin_cuts(scenario: &Scenario, networks: &[Network]) {
    for (client, network) in scenario.clients.iter().zip(networks) {
        for (at, fault) in client.cuts.clone() {
            let (network, servers) = (network.clone(), scenario.servers.len());
            tokio::spawn(async move {
                sleep(Duration::from_millis(at)).await;
                (0..servers).for_each(|it| network.strike(&host(it), fault));
            });
        }
    }
}

fn begin_calls<'a>(
    scenario: &'a Scenario,
    networks: &[Network],
    records: &Records,
) -> Vec<Made<'a>> {
    let mut calls = Vec::new();
    for (client, network) in scenario.clients.iter().zip(networks) {
        let simulated = SimulatedClient::from_channel(channel(client, network));
        for call in &client.calls {
            let caller = Caller {
                client: simulated.clone(),
                records: records.clone(),
                default_timeout: client.default_timeout,
                plan: call.clone(),
            };
            let task = tokio::spawn(caller.run());
            calls.push(Made { client, call, task });
        }
    }
    calls
}

async fn ends(calls: &mut [Made<'_>], trace: &Trace) -> Vec<Option<Ended>> {
    let horizon = Instant::now() + HORIZON;
    let mut ends = Vec::new();
    for made in calls {
        let id = made.call.id;
        ends.push(match timeout_at(horizon, &mut made.task).await {
            Ok(Ok(end)) => Some(end),
            Ok(Err(error)) => {
                trace.violation(format!("call {id}: its task failed: {error}"));
                None
            }
            // What it waits for may be among the bytes that were lost, which only a deadline tells.
            Err(_) if made.client.weather == Weather::Broken && !made.call.has_deadline() => None,
            Err(_) => {
                trace.violation(format!("call {id}: it has not ended"));
                None
            }
        });
    }
    ends
}

/// Everyone has left: after a while nothing may be left behind.
fn clean_up(trace: &Trace, servers: &Servers, networks: &[Network]) {
    for life in servers.lives() {
        let (calls, connections) = (life.handle.running_calls(), life.handle.connections());
        let bytes = life.handle.buffered_bytes();
        let waiting = life.handle.waiting_streams();
        if waiting > 0 {
            let host = host(life.server);
            trace.violation(format!(
                "{waiting} streams wait at {host} for callers who are gone"
            ));
        }
        let limited = life.adaptive.running() + life.adaptive.waiting();
        if limited > 0 {
            let host = host(life.server);
            trace.violation(format!("{limited} calls are left in a limit of {host}"));
        }
        if (calls, connections, bytes) != (0, 0, 0) {
            trace.violation(format!(
                "{calls} calls, {connections} connections and {bytes} bytes are left at {} after \
                 the last client left",
                host(life.server)
            ));
        }
    }
    let links: usize = networks.iter().map(Network::open_links).sum();
    let tasks = Handle::current().metrics().num_alive_tasks();
    if (tasks, links) != (0, 0) {
        trace.violation(format!(
            "{tasks} tasks and {links} links are left after the last client left"
        ));
    }
    trace.note(format_args!("the end"));
}

/// Makes the network of a client, whose links depend on nothing but their place.
fn network(number: usize, plan: &ClientPlan, trace: &Trace) -> Network {
    let (weather, links) = (plan.weather, plan.links);
    let trace = trace.clone();
    Network::new(links)
        .plan(move |host, made| {
            let place = host.bytes().map(u64::from).sum::<u64>() + 1000 * made;
            Plan::drawn(weather, links ^ place)
        })
        .observe(move |event| trace.note(format_args!("client {number}: {event}")))
}

/// Makes the channel of a client.
fn channel(plan: &ClientPlan, network: &Network) -> Channel {
    let policy = &plan.policy;
    let (interval, timeout) = plan.settings.keepalive;
    let connect = Channel::connect(target(&plan.found, network))
        .limits(limits(&plan.settings))
        .keepalive(
            Duration::from_millis(interval),
            Duration::from_millis(timeout),
        )
        .balance(match policy.balance {
            Spread::LeastRequests => Balance::LeastRequests,
            Spread::RoundRobin => Balance::RoundRobin,
            Spread::Random => Balance::Random,
            Spread::PeakEwma => Balance::PeakEwma,
        })
        .eject_after(policy.eject_after, Duration::from_secs(1));
    let connect = around_client(connect, &plan.layers, policy);
    let channel = connect.lazy().expect("there is nothing to read wrongly");
    match plan.default_timeout {
        None => channel,
        Some(milliseconds) => channel.with_timeout(Duration::from_millis(milliseconds)),
    }
}

fn target(found: &[Found], network: &Network) -> Target {
    if let [(_, Some(only))] = found {
        return network.target(only.iter().map(|it| host(*it)));
    }
    Target::discovered(Finding {
        began: Instant::now(),
        lists: found.to_vec().into(),
        network: network.clone(),
    })
}

/// Finds the servers as planned.
struct Finding {
    began: Instant,
    lists: VecDeque<Found>,
    network: Network,
}

impl Discover for Finding {
    type Error = String;

    async fn next(&mut self) -> Result<Vec<Instance>, String> {
        // Who asks late is told how it is now.
        let now = self.began.elapsed().as_millis();
        while self
            .lists
            .get(1)
            .is_some_and(|(at, _)| u128::from(*at) <= now)
        {
            self.lists.pop_front();
        }
        let Some((at, list)) = self.lists.pop_front() else {
            return std::future::pending().await;
        };
        sleep_until(self.began + Duration::from_millis(at)).await;
        let list = list.ok_or("the servers cannot be found, as planned")?;
        let instance = |it: usize| self.network.instance(host(it));
        Ok(list.into_iter().map(instance).collect())
    }
}
