//! What one seed means: the settings, the network, the calls and what goes wrong.

use fastrand::Rng;

use crate::network::{Direction, Fault, Plan as LinkPlan, When};
use crate::service::Ending;

/// Settings of one side. Times are in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) keepalive: (u64, u64),
    pub(crate) stream_window: u32,
    pub(crate) max_calls: u32,
    pub(crate) max_outgoing: usize,
}

/// The server, beyond what both sides have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerPlan {
    pub(crate) settings: Settings,
    pub(crate) cancel_grace: u64,
    pub(crate) frame_timeout: u64,
    pub(crate) shutdown_timeout: u64,
    /// When it is shut down, if before the calls have ended.
    pub(crate) drain: Option<u64>,
}

/// How the links of a client behave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Weather {
    /// Short delays and nothing else: every call must end as its handler does.
    Clear,
    /// Slow, but whole.
    Slow,
    /// Slow, and something breaks.
    Stormy,
}

#[derive(Clone, Debug)]
pub(crate) struct ClientPlan {
    pub(crate) settings: Settings,
    /// The timeout of calls that have none, which bounds the acceptance of streams.
    pub(crate) default_timeout: Option<u64>,
    pub(crate) weather: Weather,
    /// The links that it gets, one after the other; the last one also for all further ones.
    pub(crate) links: Vec<LinkPlan>,
    pub(crate) calls: Vec<CallPlan>,
}

/// The form of a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pattern {
    Unary,
    Download,
    Upload,
    Both,
}

#[derive(Clone, Debug)]
pub(crate) struct CallPlan {
    pub(crate) id: u64,
    pub(crate) pattern: Pattern,
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
    pub(crate) shielded: Option<u64>,
}

#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) server: ServerPlan,
    pub(crate) clients: Vec<ClientPlan>,
}

impl Scenario {
    /// Draws everything.
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        let drain = one_in(rng, 4).then(|| rng.u64(0..3000));
        let server = ServerPlan {
            settings: settings(rng),
            cancel_grace: pick(rng, &[0, 20, 100, 500]),
            frame_timeout: pick(rng, &[2000, 60_000]),
            shutdown_timeout: pick(rng, &[300, 10_000]),
            drain,
        };
        let mut next = 0;
        let clients = (0..rng.usize(1..=3))
            .map(|_| client(rng, &mut next))
            .collect();
        Self { server, clients }
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

fn client(rng: &mut Rng, next: &mut u64) -> ClientPlan {
    let weather = pick(
        rng,
        &[
            Weather::Clear,
            Weather::Slow,
            Weather::Stormy,
            Weather::Stormy,
        ],
    );
    let links = (0..3).map(|_| link(rng, weather)).collect();
    let calls = (0..rng.usize(1..=12)).map(|_| {
        *next += 1;
        call(rng, *next)
    });
    ClientPlan {
        calls: calls.collect(),
        settings: settings(rng),
        default_timeout: one_in(rng, 4).then(|| pick(rng, &[500, 3000])),
        weather,
        links,
    }
}

fn link(rng: &mut Rng, weather: Weather) -> LinkPlan {
    let slow = weather != Weather::Clear;
    let mut direction = || Direction {
        delay: pick(
            rng,
            if slow {
                &[(0, 0), (0, 30), (50, 200)]
            } else {
                &[(0, 0), (0, 5)]
            },
        ),
        chunk: pick(rng, &[1, 7, 100, 1 << 20]),
        capacity: if slow {
            pick(rng, &[64, 1000, 65_536])
        } else {
            1 << 20
        },
        pause: if slow { pick(rng, &[0, 0, 0, 5]) } else { 0 },
    };
    let directions = [direction(), direction()];
    let stormy = weather == Weather::Stormy && !one_in(rng, 5);
    LinkPlan {
        directions,
        fault: stormy.then(|| (when(rng), fault(rng))),
    }
}

fn when(rng: &mut Rng) -> When {
    let direction = rng.usize(..2);
    match rng.u32(..4) {
        0 => When::Time(rng.u64(0..3000)),
        1 => When::Bytes(direction, rng.u64(1..200)),
        2 => When::Bytes(direction, rng.u64(1..3000)),
        _ => When::Bytes(direction, rng.u64(1..100_000)),
    }
}

fn fault(rng: &mut Rng) -> Fault {
    let stall = rng.u64(1..5000);
    pick(
        rng,
        &[
            Fault::Cut,
            Fault::Reset,
            Fault::HalfClose,
            Fault::Silence,
            Fault::Blackout,
            Fault::Stall(stall),
        ],
    )
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
    CallPlan {
        id,
        pattern: pick(
            rng,
            &[
                Pattern::Unary,
                Pattern::Download,
                Pattern::Upload,
                Pattern::Both,
            ],
        ),
        start: pick(rng, &[0, 0, 1, 100, 1000]) * rng.u64(0..=2),
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
        ending: pick(
            rng,
            &[
                Ending::Good,
                Ending::Good,
                Ending::Good,
                Ending::Error,
                Ending::Panic,
            ],
        ),
        shielded: one_in(rng, 6).then(|| rng.u64(1..2000)),
    }
}
