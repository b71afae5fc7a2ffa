//! How a link behaves, and what goes wrong on it.

use std::ops::RangeInclusive;
use std::time::Duration;

use fastrand::Rng;

/// One of the two ends of a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// The end that connected.
    Client,
    /// The end that was connected to.
    Server,
}

impl Side {
    pub(super) fn index(self) -> usize {
        match self {
            Self::Client => 0,
            Self::Server => 1,
        }
    }
}

/// How a link treats the bytes that one side sends.
///
/// Bytes keep their order. Those of different connections do not: each chunk has a delay of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Direction {
    /// Each chunk is on its way for a time that is drawn from here; no time by default.
    pub delay: RangeInclusive<Duration>,
    /// The most bytes of one chunk; no bound by default. Behind the first 4,000 bytes it is at least
    /// 1,000, so that a large message takes no eternity.
    pub chunk: usize,
    /// How many bytes are on their way at most, beyond which the writer waits; 64 KiB by default.
    /// Behind the first 4,000 bytes it is at least 16 KiB.
    pub capacity: usize,
    /// The pause of a slow reader behind each read; none by default.
    pub pause: Duration,
}

impl Default for Direction {
    fn default() -> Self {
        Self {
            delay: Duration::ZERO..=Duration::ZERO,
            chunk: usize::MAX,
            capacity: 64 << 10,
            pause: Duration::ZERO,
        }
    }
}

/// What goes wrong on a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// Both directions end behind what was sent, as if both sides had closed.
    Cut,
    /// Both directions fail at once; what is on its way is lost.
    Reset,
    /// What this side sends ends here, the other direction goes on.
    HalfClose(Side),
    /// What this side sends from here on is lost, and nobody is told.
    Silence(Side),
    /// What either side sends from here on is lost, and nobody is told.
    Blackout,
    /// What this side sends stands still for a while, and then goes on.
    Stall(Side, Duration),
    /// So many bytes that this side sends are lost, and the rest goes on: what no network does to a
    /// TCP stream, and a broken proxy may.
    Drop(Side, usize),
    /// The next chunk that this side sends arrives twice: the same.
    Duplicate(Side),
}

/// When something goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum When {
    /// Behind exactly so many bytes of this side; behind none, as soon as the link is made.
    Sent(Side, u64),
    /// So long after the link was made.
    After(Duration),
}

/// How one link behaves; by default like a pipe in memory.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Plan {
    /// What happens to the bytes of the client.
    pub from_client: Direction,
    /// What happens to the bytes of the server.
    pub from_server: Direction,
    /// What goes wrong, each once; at the same byte, in this order.
    pub faults: Vec<(When, Fault)>,
}

/// What the links of a network are like, where no plan says it for each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Weather {
    /// Delays of some milliseconds at most.
    Clear,
    /// Delays of up to 200 ms, chunks of any size, little room, slow readers. Nothing is lost.
    Slow,
    /// The same, and on four links of five something breaks: any [`Fault`] that a TCP connection may
    /// meet, behind any byte, or in the first seconds.
    Stormy,
    /// The same, with bytes that are lost or doubled, too.
    Broken,
}

impl Plan {
    /// Draws what one link is like; the same seed gives the same plan.
    pub fn drawn(weather: Weather, seed: u64) -> Self {
        let rng = &mut Rng::with_seed(seed);
        let (from_client, from_server) = (direction(rng, weather), direction(rng, weather));
        let breaks = matches!(weather, Weather::Stormy | Weather::Broken);
        let mut faults = Vec::new();
        if breaks && rng.u32(..5) > 0 {
            faults.push((when(rng), fault(rng, weather)));
        }
        Self {
            from_client,
            from_server,
            faults,
        }
    }

    pub(super) fn directions(&self) -> [Direction; 2] {
        [self.from_client.clone(), self.from_server.clone()]
    }
}

fn pick<T: Copy>(rng: &mut Rng, choices: &[T]) -> T {
    choices[rng.usize(..choices.len())]
}

fn direction(rng: &mut Rng, weather: Weather) -> Direction {
    let slow = weather != Weather::Clear;
    let delays: &[(u64, u64)] = if slow {
        &[(0, 0), (0, 30), (50, 200)]
    } else {
        &[(0, 0), (0, 5)]
    };
    let (least, most) = pick(rng, delays);
    let capacities: &[usize] = if slow {
        &[64, 1000, 65_536]
    } else {
        &[1 << 20]
    };
    let pauses: &[u64] = if slow { &[0, 0, 0, 5] } else { &[0] };
    Direction {
        delay: Duration::from_millis(least)..=Duration::from_millis(most),
        chunk: pick(rng, &[1, 7, 100, 1 << 20]),
        capacity: pick(rng, capacities),
        pause: Duration::from_millis(pick(rng, pauses)),
    }
}

fn when(rng: &mut Rng) -> When {
    let side = side(rng);
    match rng.u32(..4) {
        0 => When::After(Duration::from_millis(rng.u64(0..3000))),
        1 => When::Sent(side, rng.u64(1..200)),
        2 => When::Sent(side, rng.u64(1..3000)),
        _ => When::Sent(side, rng.u64(1..100_000)),
    }
}

fn side(rng: &mut Rng) -> Side {
    pick(rng, &[Side::Client, Side::Server])
}

fn fault(rng: &mut Rng, weather: Weather) -> Fault {
    let (side, stall) = (side(rng), Duration::from_millis(rng.u64(1..5000)));
    if weather == Weather::Broken {
        return pick(
            rng,
            &[
                Fault::Drop(side, rng.clone().usize(1..100)),
                Fault::Duplicate(side),
            ],
        );
    }
    let faults = [
        Fault::Cut,
        Fault::Reset,
        Fault::HalfClose(side),
        Fault::Silence(side),
        Fault::Blackout,
        Fault::Stall(side, stall),
    ];
    pick(rng, &faults)
}
