//! The servers of a simulation: started, drained, crashed and started again as planned.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rpc_runtime::layer::AdaptiveLimit;
use rpc_runtime::server::{Connections, ReplayLimits, ShutdownHandle};
use rpc_runtime::testing::Network;
use rpc_runtime::{Limits, Server};
use tokio::time::{Instant, sleep};

use crate::layers::around_server;
use crate::records::Records;
use crate::scenario::{Scenario, ServerPlan, Settings};
use crate::service::{Recorder, SimulatedServer};
use crate::trace::Trace;

/// One life of a server: after a crash another begins.
#[derive(Clone)]
pub(crate) struct Life {
    pub(crate) server: usize,
    pub(crate) handle: ShutdownHandle,
    /// Its limit, if it has one around it.
    pub(crate) adaptive: AdaptiveLimit,
    pub(crate) drained: Option<Instant>,
    pub(crate) crashed: Option<Instant>,
}

/// All servers, with what became of them.
#[derive(Clone)]
pub(crate) struct Servers {
    plans: Arc<[ServerPlan]>,
    lives: Arc<Mutex<Vec<Life>>>,
    networks: Arc<[Network]>,
    records: Records,
}

/// Returns the name of a server.
pub(crate) fn host(server: usize) -> String {
    format!("server-{server}")
}

impl Servers {
    /// Starts all servers, and what will happen to them.
    pub(crate) fn start(scenario: &Scenario, networks: &[Network], records: &Records) -> Self {
        let servers = Self {
            plans: scenario.servers.clone().into(),
            lives: Arc::default(),
            networks: networks.into(),
            records: records.clone(),
        };
        for (server, plan) in scenario.servers.iter().enumerate() {
            servers.begin(server);
            if let Some(at) = plan.drain {
                let servers = servers.clone();
                tokio::spawn(async move {
                    sleep(Duration::from_millis(at)).await;
                    servers.drain(server);
                });
            }
            if let Some((at, pause)) = plan.crash {
                let servers = servers.clone();
                tokio::spawn(async move {
                    sleep(Duration::from_millis(at)).await;
                    servers.crash(server);
                    sleep(Duration::from_millis(pause)).await;
                    servers.begin(server);
                });
            }
        }
        servers
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Life>> {
        self.lives.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns every life there was.
    pub(crate) fn lives(&self) -> Vec<Life> {
        self.lock().clone()
    }

    fn trace(&self) -> &Trace {
        &self.records.trace
    }

    fn begin(&self, server: usize) {
        self.trace().note(format_args!("{}: begins", host(server)));
        let life = self.lock().len();
        let adaptive = AdaptiveLimit::new();
        let connections = connections(&self.plans[server], life, &self.records, &adaptive);
        self.lock().push(Life {
            server,
            handle: connections.shutdown_handle(),
            adaptive,
            drained: None,
            crashed: None,
        });
        for network in &*self.networks {
            network.serve(host(server), connections.clone());
        }
    }

    fn drain(&self, server: usize) {
        self.trace().note(format_args!("{}: drains", host(server)));
        let mut lives = self.lock();
        if let Some(life) = lives.iter_mut().rfind(|it| it.server == server) {
            life.drained = Some(Instant::now());
            life.handle.shutdown();
        }
    }

    fn crash(&self, server: usize) {
        self.trace().note(format_args!("{}: crashes", host(server)));
        if let Some(life) = self.lock().iter_mut().rfind(|it| it.server == server) {
            life.crashed = Some(Instant::now());
        }
        for network in &*self.networks {
            network.crash(&host(server));
        }
    }
}

/// Returns the limits of one side.
pub(crate) fn limits(settings: &Settings) -> Limits {
    Limits::new()
        .stream_window(settings.stream_window)
        .max_calls(settings.max_calls)
        .max_outgoing(settings.max_outgoing)
        .max_message(1 << 20)
}

fn connections(
    plan: &ServerPlan,
    life: usize,
    records: &Records,
    adaptive: &AdaptiveLimit,
) -> Connections {
    let (interval, timeout) = plan.settings.keepalive;
    let recorder = Recorder {
        records: records.clone(),
        life,
        slowness: plan.slowness,
    };
    let server = Server::new().add(SimulatedServer::new(recorder));
    around_server(server, &plan.layers, adaptive)
        .limits(limits(&plan.settings))
        .keepalive(
            Duration::from_millis(interval),
            Duration::from_millis(timeout),
        )
        .cancel_grace(Duration::from_millis(plan.cancel_grace))
        .frame_timeout(Duration::from_millis(plan.frame_timeout))
        .shutdown_timeout(Duration::from_millis(plan.shutdown_timeout))
        .replay_limits(
            ReplayLimits::new()
                .wait(Duration::from_millis(plan.replay.wait))
                .items(plan.replay.items)
                .bytes(plan.replay.bytes)
                .streams(plan.replay.streams),
        )
        .connections()
}
