//! What one seed means: the servers, the clients and their networks, the calls, and what goes wrong.

use fastrand::Rng;
use rpc_runtime::testing::{Fault, Weather};

use crate::service::{Ending, Slow};

/// Settings of one side. Times are in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) keepalive: (u64, u64),
    pub(crate) stream_window: u32,
    pub(crate) max_calls: u32,
    pub(crate) max_outgoing: usize,
}

/// A layer around the calls of one side, in any order.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Around {
    Plain,
    Log,
    /// A timeout of an hour.
    Timeout,
    /// A limit that is never reached.
    Limit,
    /// Of servers only.
    Adaptive,
    /// Of clients only.
    Retry,
    /// Of clients only.
    Hedge,
}

/// What a server keeps of streams for callers who come back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Replay {
    /// Milliseconds.
    pub(crate) wait: u64,
    pub(crate) items: usize,
    pub(crate) bytes: usize,
    pub(crate) streams: usize,
}

impl Replay {
    /// What the library has by default.
    const AMPLE: Self = Self {
        wait: 30_000,
        items: 16_384,
        bytes: 1 << 20,
        streams: 4_096,
    };

    /// Whether everything is kept that can be on its way, unless items are large.
    pub(crate) fn is_ample(&self) -> bool {
        (self.items, self.bytes, self.streams)
            == (Self::AMPLE.items, Self::AMPLE.bytes, Self::AMPLE.streams)
    }
}

/// A server, beyond what both sides have.
#[derive(Clone, Debug)]
pub(crate) struct ServerPlan {
    pub(crate) settings: Settings,
    pub(crate) cancel_grace: u64,
    /// How much longer its unary handlers take than the call's plan says.
    pub(crate) slowness: u64,
    pub(crate) frame_timeout: u64,
    pub(crate) shutdown_timeout: u64,
    pub(crate) layers: Vec<Around>,
    pub(crate) replay: Replay,
    /// When it is shut down, if before the calls have ended.
    pub(crate) drain: Option<u64>,
    /// When it crashes, and after how long there is a new one in its place.
    pub(crate) crash: Option<(u64, u64)>,
}

impl ServerPlan {
    /// Whether it serves from the beginning to the end.
    pub(crate) fn is_steady(&self) -> bool {
        self.serves_from() == Some(0)
    }

    /// Returns from when on it serves to the end, if there is such a time.
    pub(crate) fn serves_from(&self) -> Option<u64> {
        let back = self.crash.map_or(0, |(at, pause)| at + pause);
        self.drain.is_none().then_some(back)
    }
}

/// What a client does about failures, and how it spreads its calls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    pub(crate) retries: bool,
    pub(crate) attempt_timeout: Option<u64>,
    pub(crate) hedge_behind: Option<u64>,
    pub(crate) balance: Spread,
    pub(crate) eject_after: u32,
}

/// How calls are spread over servers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Spread {
    LeastRequests,
    RoundRobin,
    Random,
    PeakEwma,
}

/// The servers that a client is told of at some time; `None` if they cannot be found then.
pub(crate) type Found = (u64, Option<Vec<usize>>);

#[derive(Clone, Debug)]
pub(crate) struct ClientPlan {
    pub(crate) settings: Settings,
    /// The timeout of calls that have none, which bounds the acceptance of streams.
    pub(crate) default_timeout: Option<u64>,
    pub(crate) weather: Weather,
    /// When all its links are lost that it has then, beside what the weather does.
    pub(crate) cuts: Vec<(u64, Fault)>,
    /// What its links are drawn from.
    pub(crate) links: u64,
    /// The servers that it knows, over time. If only one list ever comes, it has it from the start.
    pub(crate) found: Vec<Found>,
    pub(crate) policy: Policy,
    /// The innermost first.
    pub(crate) layers: Vec<Around>,
    pub(crate) calls: Vec<CallPlan>,
}

impl ClientPlan {
    /// Returns every server that it ever knows, and those that it always does.
    pub(crate) fn servers(&self) -> (Vec<usize>, Vec<usize>) {
        let lists = || self.found.iter().filter_map(|(_, list)| list.as_ref());
        let mut ever: Vec<_> = lists().flatten().copied().collect();
        ever.sort_unstable();
        ever.dedup();
        let mut always = ever.clone();
        always.retain(|server| lists().all(|it| it.contains(server)));
        (ever, always)
    }

    /// Returns whether the servers cannot be found when it asks for the first time, which is with its first call.
    pub(crate) fn asks_in_vain(&self) -> bool {
        let first = self.calls.iter().map(|it| it.start).min().unwrap_or(0);
        let told = self.found.iter().take_while(|(at, _)| *at <= first);
        told.last().is_some_and(|(_, list)| list.is_none())
    }
}

/// The form of a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pattern {
    Unary,
    Download,
    Upload,
    Both,
}

/// What a method says of being called twice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Safety {
    Once,
    Idempotent,
    ReadOnly,
}

#[derive(Clone, Debug)]
pub(crate) struct CallPlan {
    pub(crate) id: u64,
    pub(crate) pattern: Pattern,
    /// `Once` for every call that sends a stream.
    pub(crate) safety: Safety,
    pub(crate) start: u64,
    pub(crate) timeout: Option<u64>,
    /// When the caller gives up.
    pub(crate) drop_after: Option<u64>,
    /// Whether a task of its own drives it.
    pub(crate) started: bool,
    /// Bytes of the request besides what it says.
    pub(crate) filling: usize,
    /// The answer: items, their size, the handler's pause before each.
    pub(crate) items: u32,
    pub(crate) size: u32,
    pub(crate) pause: u64,
    /// The caller's pause behind each item of the answer.
    pub(crate) consume_pause: u64,
    /// The caller's stream.
    pub(crate) upload_items: u32,
    pub(crate) upload_size: u32,
    pub(crate) upload_pause: u64,
    /// The caller's stream fails instead of ending.
    pub(crate) upload_fails: bool,
    pub(crate) ending: Ending,
    pub(crate) slow: Slow,
    pub(crate) shielded: Option<u64>,
    /// Its method is marked so.
    pub(crate) resumable: bool,
    pub(crate) accepts_gaps: bool,
}

impl CallPlan {
    /// Returns whether it ends by a time: a stream that comes back has none if nobody says so.
    pub(crate) fn has_deadline(&self) -> bool {
        let streams = matches!(self.pattern, Pattern::Download | Pattern::Both);
        !streams || self.timeout.is_some()
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) servers: Vec<ServerPlan>,
    pub(crate) clients: Vec<ClientPlan>,
}

impl Scenario {
    /// Draws everything.
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        let mut servers: Vec<_> = (0..pick(rng, &[1, 1, 2, 3])).map(|_| server(rng)).collect();
        let mut next = 0;
        let mut clients: Vec<_> = (0..rng.usize(1..=3))
            .map(|_| client(rng, servers.len(), &mut next))
            .collect();
        draw_resumption(rng, &mut servers, &mut clients);
        Self { servers, clients }
    }
}

/// Draws what has to do with streams that are gone on with. Behind everything else, which so stays what it
/// is for a seed.
fn draw_resumption(rng: &mut Rng, servers: &mut [ServerPlan], clients: &mut [ClientPlan]) {
    for server in servers {
        if one_in(rng, 2) {
            server.replay = Replay {
                wait: pick(rng, &[300, 5_000, 30_000]),
                items: pick(rng, &[3, 16_384]),
                bytes: pick(rng, &[1_000, 1 << 20]),
                streams: pick(rng, &[1, 4_096]),
            };
        }
    }
    for client in clients {
        if client.weather == Weather::Clear && one_in(rng, 2) {
            let cut = |_| (rng.u64(0..4_000), pick(rng, &[Fault::Reset, Fault::Cut]));
            client.cuts = (0..4).map(cut).collect();
            client.cuts.truncate(rng.usize(1..=4));
            client.cuts.sort_by_key(|(at, _)| *at);
        }
        for call in &mut client.calls {
            call.resumable = call.pattern == Pattern::Download && one_in(rng, 2);
            call.accepts_gaps = one_in(rng, 2);
        }
    }
}

fn pick<T: Copy>(rng: &mut Rng, choices: &[T]) -> T {
    choices[rng.usize(..choices.len())]
}

fn one_in(rng: &mut Rng, count: u32) -> bool {
    rng.u32(..count) == 0
}

fn settings(rng: &mut Rng) -> Settings {
    Settings {
        keepalive: pick(rng, &[(300, 400), (2000, 2000), (20_000, 20_000)]),
        stream_window: pick(rng, &[1 << 10, 4 << 10, 256 << 10]),
        max_calls: pick(rng, &[1, 2, 5, 16_384]),
        max_outgoing: pick(rng, &[64 << 10, 4 << 20]),
    }
}

fn server(rng: &mut Rng) -> ServerPlan {
    ServerPlan {
        settings: settings(rng),
        cancel_grace: pick(rng, &[0, 20, 100, 500]),
        slowness: pick(rng, &[0, 0, 0, 4000]),
        frame_timeout: pick(rng, &[2000, 60_000]),
        shutdown_timeout: pick(rng, &[300, 10_000]),
        layers: {
            let adaptive = one_in(rng, 4).then_some(Around::Adaptive);
            layers(rng, adaptive)
        },
        replay: Replay::AMPLE,
        drain: one_in(rng, 4).then(|| rng.u64(0..3000)),
        crash: one_in(rng, 5).then(|| (rng.u64(0..2000), rng.u64(1..3000))),
    }
}

fn client(rng: &mut Rng, servers: usize, next: &mut u64) -> ClientPlan {
    let weathers = [
        Weather::Clear,
        Weather::Clear,
        Weather::Slow,
        Weather::Slow,
        Weather::Stormy,
        Weather::Stormy,
        Weather::Stormy,
        Weather::Broken,
    ];
    let weather = pick(rng, &weathers);
    let calls = (0..rng.usize(1..=12)).map(|_| {
        *next += 1;
        call(rng, *next)
    });
    let calls = calls.collect();
    let policy = policy(rng);
    let retry = policy.retries.then_some(Around::Retry);
    let hedge = policy.hedge_behind.map(|_| Around::Hedge);
    ClientPlan {
        calls,
        settings: settings(rng),
        default_timeout: one_in(rng, 4).then(|| pick(rng, &[500, 3000])),
        weather,
        cuts: Vec::new(),
        links: rng.u64(..),
        found: found(rng, servers),
        policy,
        layers: layers(rng, retry.into_iter().chain(hedge)),
    }
}

/// Draws some layers that change nothing, and puts `more` anywhere among them.
fn layers(rng: &mut Rng, more: impl IntoIterator<Item = Around>) -> Vec<Around> {
    let mut all = vec![Around::Plain, Around::Log, Around::Timeout, Around::Limit];
    rng.shuffle(&mut all);
    all.truncate(rng.usize(0..=all.len()));
    all.extend(more);
    rng.shuffle(&mut all);
    all
}

fn found(rng: &mut Rng, servers: usize) -> Vec<Found> {
    let mut lists = vec![(0, Some(list(rng, servers)))];
    if one_in(rng, 3) {
        for _ in 0..rng.usize(1..4) {
            let later = !one_in(rng, 5);
            lists.push((rng.u64(1..2500), later.then(|| list(rng, servers))));
        }
        lists.sort_by_key(|(at, _)| *at);
    }
    lists
}

/// Draws some of the servers, mostly all; at least one.
fn list(rng: &mut Rng, servers: usize) -> Vec<usize> {
    let mut all: Vec<_> = (0..servers).collect();
    rng.shuffle(&mut all);
    if one_in(rng, 3) {
        all.truncate(rng.usize(1..=servers));
    }
    all
}

fn policy(rng: &mut Rng) -> Policy {
    let spreads = [
        Spread::LeastRequests,
        Spread::RoundRobin,
        Spread::Random,
        Spread::PeakEwma,
    ];
    Policy {
        retries: !one_in(rng, 3),
        attempt_timeout: one_in(rng, 5).then(|| pick(rng, &[200, 2000])),
        hedge_behind: one_in(rng, 3).then(|| pick(rng, &[1, 20, 300])),
        balance: pick(rng, &spreads),
        eject_after: pick(rng, &[1, 3, 5]),
    }
}

fn safety(rng: &mut Rng, pattern: Pattern) -> Safety {
    match pattern {
        Pattern::Unary => pick(rng, &[Safety::Once, Safety::Idempotent, Safety::ReadOnly]),
        Pattern::Download => pick(rng, &[Safety::Once, Safety::Idempotent]),
        Pattern::Upload | Pattern::Both => Safety::Once,
    }
}

fn slow(rng: &mut Rng, pattern: Pattern) -> Slow {
    let some = [
        Slow::KeepLatest,
        Slow::DropOldest(rng.u32(1..6)),
        Slow::Close(rng.u32(1..20)),
    ];
    if pattern == Pattern::Download && one_in(rng, 3) {
        pick(rng, &some)
    } else {
        Slow::Wait
    }
}

fn call(rng: &mut Rng, id: u64) -> CallPlan {
    let large = one_in(rng, 8);
    let size = |rng: &mut Rng| {
        if large {
            pick(rng, &[17_000, 70_000, 200_000])
        } else {
            pick(rng, &[0, 10, 300, 3000])
        }
    };
    let items = |rng: &mut Rng| {
        let most = if large { 3 } else { pick(rng, &[1, 10, 60]) };
        rng.u32(0..=most)
    };
    let patterns = [
        Pattern::Unary,
        Pattern::Download,
        Pattern::Upload,
        Pattern::Both,
    ];
    let pattern = pick(rng, &patterns);
    let endings = [
        Ending::Good,
        Ending::Good,
        Ending::Good,
        Ending::Error,
        Ending::Panic,
    ];
    CallPlan {
        id,
        pattern,
        safety: safety(rng, pattern),
        // The last of them when every server that crashed is back.
        start: pick(rng, &[0, 0, 1, 100, 1000, 10_000]) * rng.u64(0..=2),
        timeout: one_in(rng, 3).then(|| pick(rng, &[1, 50, 300, 2000, 40_000])),
        drop_after: one_in(rng, 4).then(|| rng.u64(0..800)),
        started: one_in(rng, 3),
        filling: if one_in(rng, 8) {
            pick(rng, &[10_000, 100_000])
        } else {
            0
        },
        items: items(rng),
        size: size(rng),
        pause: pick(rng, &[0, 0, 0, 1, 20, 100]),
        consume_pause: pick(rng, &[0, 0, 0, 1, 30]),
        upload_items: items(rng),
        upload_size: size(rng),
        upload_pause: pick(rng, &[0, 0, 0, 1, 20]),
        upload_fails: one_in(rng, 10),
        ending: pick(rng, &endings),
        slow: slow(rng, pattern),
        shielded: one_in(rng, 6).then(|| rng.u64(1..2000)),
        resumable: false,
        accepts_gaps: false,
    }
}
