//! One simulation from its seed to its verdict.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fastrand::Rng;
use rpc_runtime::server::{Connections, ShutdownHandle};
use rpc_runtime::{Channel, Limits, RpcClient, Server};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout_at};

use crate::caller::{Caller, Ended};
use crate::checks;
use crate::network::link;
use crate::scenario::{ClientPlan, Scenario, Settings};
use crate::service::{Recorder, Records, SimulatedClient, SimulatedServer};
use crate::trace::Trace;

/// By when every call has ended: far beyond every timeout, pause and keepalive together.
const HORIZON: Duration = Duration::from_secs(600);

/// How long after the last call everything may take to be gone.
const CLEANING: Duration = Duration::from_secs(120);

/// What came of a simulation.
pub(crate) struct Verdict {
    pub(crate) scenario: Scenario,
    pub(crate) violations: Vec<String>,
    /// The number of events, and a hash over them.
    pub(crate) fingerprint: (u64, u64),
}

/// Runs the simulation of a seed.
pub(crate) fn simulate(seed: u64, print: bool) -> Verdict {
    // The runtime's own dice, such as the pause before a client connects again.
    fastrand::seed(seed);
    let mut rng = Rng::with_seed(seed);
    let scenario = Scenario::draw(&mut rng);
    if print {
        println!("{scenario:#?}");
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime can be made");
    let trace = runtime.block_on(run(&scenario, rng, print));
    Verdict {
        scenario,
        violations: trace.violations(),
        fingerprint: trace.fingerprint(),
    }
}

async fn run(scenario: &Scenario, mut rng: Rng, print: bool) -> Trace {
    let trace = Trace::new(print);
    let records = Records::new(trace.clone());
    checks::set_bounds(scenario, &records);
    let server = server(scenario, &records).connections();
    let stop = server.shutdown_handle();
    if let Some(milliseconds) = scenario.server.drain {
        let (stop, trace) = (stop.clone(), trace.clone());
        tokio::spawn(async move {
            sleep(Duration::from_millis(milliseconds)).await;
            trace.note(format_args!("server: drains"));
            stop.shutdown();
        });
    }
    let mut calls = Vec::new();
    for (number, plan) in scenario.clients.iter().enumerate() {
        let channel = channel(number, plan, &server, rng.fork(), &trace);
        let client = SimulatedClient::from_channel(channel);
        for call in &plan.calls {
            let caller = Caller {
                client: client.clone(),
                records: records.clone(),
                default_timeout: plan.default_timeout,
                plan: call.clone(),
            };
            calls.push((plan, call, tokio::spawn(caller.run())));
        }
    }
    let horizon = Instant::now() + HORIZON;
    let mut ended: Vec<Option<Ended>> = Vec::new();
    for (_, plan, task) in &mut calls {
        match timeout_at(horizon, task).await {
            Ok(Ok(end)) => ended.push(Some(end)),
            Ok(Err(error)) => {
                trace.violation(format!("call {}: its task failed: {error}", plan.id));
                ended.push(None);
            }
            Err(_) => {
                trace.violation(format!("call {}: it has not ended", plan.id));
                ended.push(None);
            }
        }
    }
    calls.iter().for_each(|(_, _, task)| task.abort());
    drop(server);
    clean_up(&trace, &stop).await;
    for ((client, call, _), end) in calls.iter().zip(&ended) {
        if let Some(end) = end {
            checks::check_call(scenario, client, call, end, &records);
            let all = calls.iter().zip(&ended);
            let own = all.filter(|((owner, ..), _)| std::ptr::eq(*owner, *client));
            let own = own.filter_map(|(_, end)| end.as_ref());
            checks::check_place(scenario, call, end, own, &records);
        }
    }
    checks::check_handlers(scenario, &records);
    trace
}

/// Everyone has left: after a while nothing may be left behind.
async fn clean_up(trace: &Trace, stop: &ShutdownHandle) {
    sleep(CLEANING).await;
    let (running, connections) = (stop.running_calls(), stop.connections());
    if running != 0 || connections != 0 {
        trace.violation(format!(
            "{running} calls and {connections} connections are left after the last client left"
        ));
    }
    let tasks = Handle::current().metrics().num_alive_tasks();
    if tasks != 0 {
        trace.violation(format!("{tasks} tasks are left after the last client left"));
    }
    trace.note(format_args!("the end"));
}

fn limits(settings: &Settings) -> Limits {
    Limits::new()
        .stream_window(settings.stream_window)
        .max_calls(settings.max_calls)
        .max_outgoing(settings.max_outgoing)
        .max_message(1 << 20)
}

fn keepalive(settings: &Settings) -> (Duration, Duration) {
    let (interval, timeout) = settings.keepalive;
    (
        Duration::from_millis(interval),
        Duration::from_millis(timeout),
    )
}

fn server(scenario: &Scenario, records: &Records) -> Server {
    let plan = &scenario.server;
    let (interval, timeout) = keepalive(&plan.settings);
    let recorder = Recorder {
        records: records.clone(),
    };
    Server::new()
        .add(SimulatedServer::new(recorder))
        .limits(limits(&plan.settings))
        .keepalive(interval, timeout)
        .cancel_grace(Duration::from_millis(plan.cancel_grace))
        .frame_timeout(Duration::from_millis(plan.frame_timeout))
        .shutdown_timeout(Duration::from_millis(plan.shutdown_timeout))
}

/// Makes the channel of a client, which gets its planned links one after the other.
fn channel(
    number: usize,
    plan: &ClientPlan,
    server: &Connections,
    rng: Rng,
    trace: &Trace,
) -> Channel {
    let links = plan.links.clone();
    let (server, trace) = (server.clone(), trace.clone());
    let made = AtomicUsize::new(0);
    let rng = Arc::new(std::sync::Mutex::new(rng));
    let (interval, timeout) = keepalive(&plan.settings);
    let connect = Channel::connect_with(format!("client-{number}"), move || {
        let attempt = made.fetch_add(1, Ordering::Relaxed);
        let plan = links[attempt.min(links.len() - 1)].clone();
        let name = format!("link {number}.{attempt}");
        trace.note(format_args!("{name}: is made"));
        let rng = rng.lock().expect("nothing panics under it").fork();
        let (here, there) = link(&name, plan, rng, trace.clone());
        let (serving, trace) = (server.serve(there), trace.clone());
        tokio::spawn(async move {
            serving.await;
            trace.note(format_args!("{name}: the server is done with it"));
        });
        async move { Ok(here) }
    });
    let channel = connect
        .limits(limits(&plan.settings))
        .keepalive(interval, timeout)
        .lazy()
        .expect("there is nothing to read wrongly");
    match plan.default_timeout {
        None => channel,
        Some(milliseconds) => channel.with_timeout(Duration::from_millis(milliseconds)),
    }
}
