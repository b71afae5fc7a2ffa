//! Peers that mean no good, each in a few bytes a time: what they cost is the server's doing, not their number.

use std::time::Duration;

use anyhow::{Context as _, Result};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval, sleep};

/// How many connections are kept open by what keeps connections open.
const OPEN: usize = 500;

/// How many pieces a second are sent by what sends pieces.
const RATE: u32 = 1_000;

/// A way to harm a server.
pub(crate) struct Attack {
    pub(crate) wire: &'static str,
    pub(crate) name: &'static str,
    kind: Kind,
}

enum Kind {
    /// Connections that send this and then nothing, opened again when the server closes them.
    Silent(fn() -> Vec<u8>),
    /// Connections that send this and are closed, some of them a second.
    Brief(u32, fn() -> Vec<u8>),
    /// A connection that sends the first part, then many of the second, and reads all answers, or none.
    Flood {
        first: fn() -> Vec<u8>,
        piece: fn(u64) -> Vec<u8>,
        reads: bool,
    },
}

pub(crate) const ATTACKS: [Attack; 12] = [
    Attack {
        wire: "native",
        name: "half a preface, then silence, on 500 connections",
        kind: Kind::Silent(|| native::PREFACE[..5].to_vec()),
    },
    Attack {
        wire: "native",
        name: "200 connections a second that are closed at once",
        kind: Kind::Brief(200, native::greeting),
    },
    Attack {
        wire: "native",
        name: "1,000 calls a second that are cancelled at once",
        kind: Kind::Flood {
            first: native::greeting,
            piece: |n| [native::request(n, "hold"), native::cancel(n)].concat(),
            reads: true,
        },
    },
    Attack {
        wire: "native",
        name: "1,000 calls a second whose answers nobody reads",
        kind: Kind::Flood {
            first: native::greeting,
            piece: |n| native::request(n, "echo"),
            reads: false,
        },
    },
    Attack {
        wire: "native",
        name: "200 connections a second with bytes that mean nothing",
        kind: Kind::Brief(200, || {
            let nothing = (0..512_u32).map(|n| (n * 167 + 13) as u8);
            native::PREFACE.into_iter().chain(nothing).collect()
        }),
    },
    Attack {
        wire: "http",
        name: "half a head, then silence, on 500 connections",
        kind: Kind::Silent(|| b"POST /load.v1.Load/echo HTTP/1.1\r\nHost: local".to_vec()),
    },
    Attack {
        wire: "http",
        name: "1,000 streams a second that are reset at once",
        kind: Kind::Flood {
            first: http2::greeting,
            piece: |n| [http2::request(n), http2::reset(n)].concat(),
            reads: true,
        },
    },
    Attack {
        wire: "http",
        name: "1,000 pings a second whose answers nobody reads",
        kind: Kind::Flood {
            first: http2::greeting,
            piece: |_| http2::frame(6, 0, 0, &[0; 8]),
            reads: false,
        },
    },
    Attack {
        wire: "http",
        name: "50 connections a second with a head that does not end",
        kind: Kind::Brief(50, http2::endless_head),
    },
    Attack {
        wire: "jsonrpc",
        name: "lines that do not end, on 500 connections",
        kind: Kind::Silent(|| format!("{{\"method\":\"{}", "x".repeat(4_000)).into_bytes()),
    },
    Attack {
        wire: "jsonrpc",
        name: "1,000 texts a second, 20,000 deep",
        kind: Kind::Flood {
            first: || b"{}\n".to_vec(),
            piece: |_| format!("{}\n", "[".repeat(20_000)).into_bytes(),
            reads: true,
        },
    },
    Attack {
        wire: "jsonrpc",
        name: "1,000 lines a second that are no JSON",
        kind: Kind::Flood {
            first: || b"{}\n".to_vec(),
            piece: |_| b"{\"jsonrpc\":\"2.0\",\"method\":echo}\n".to_vec(),
            reads: true,
        },
    },
];

/// Attacks until it is killed; whatever the server does about it is not a failure.
pub(crate) async fn run(arguments: &[String]) -> Result<()> {
    let [number, address] = arguments else {
        anyhow::bail!("usage: load attack NUMBER ADDRESS");
    };
    let attack = ATTACKS.get(number.parse::<usize>()?);
    let attack = attack.context("no attack has this number")?;
    match &attack.kind {
        Kind::Silent(bytes) => silent(address, &bytes()).await,
        Kind::Brief(rate, bytes) => brief(address, *rate, &bytes()).await,
        Kind::Flood {
            first,
            piece,
            reads,
        } => loop {
            let _ = flood(address, &first(), *piece, *reads).await;
            sleep(Duration::from_millis(100)).await;
        },
    }
}

async fn silent(address: &str, bytes: &[u8]) -> Result<()> {
    let mut open = FuturesUnordered::new();
    loop {
        while open.len() < OPEN {
            open.push(async {
                let mut stream = TcpStream::connect(address).await?;
                stream.write_all(bytes).await?;
                stream.read_to_end(&mut Vec::new()).await
            });
        }
        open.next().await;
        sleep(Duration::from_millis(1)).await;
    }
}

async fn brief(address: &str, rate: u32, bytes: &[u8]) -> Result<()> {
    let mut ticks = interval(Duration::from_secs(1) / rate);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Ok(mut stream) = TcpStream::connect(address).await {
            let _ = stream.write_all(bytes).await;
        }
    }
}

/// Ends when the server closes the connection, or when it takes nothing any more.
async fn flood(address: &str, first: &[u8], piece: fn(u64) -> Vec<u8>, reads: bool) -> Result<()> {
    let (mut read, mut write) = TcpStream::connect(address).await?.into_split();
    let reading = tokio::spawn(async move {
        let mut buffer = vec![0; 64 << 10];
        while reads && read.read(&mut buffer).await? > 0 {}
        std::future::pending::<std::io::Result<()>>().await
    });
    write.write_all(first).await?;
    let mut ticks = interval(Duration::from_secs(1) / RATE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut result = Ok(());
    for number in 0.. {
        ticks.tick().await;
        result = write.write_all(&piece(number)).await;
        if result.is_err() {
            break;
        }
    }
    reading.abort();
    Ok(result?)
}

/// Frames of docs/wire.md.
mod native {
    pub(super) const PREFACE: [u8; 8] = [0xD3, b'R', b'P', b'C', 0x0D, 0x0A, 0x1A, 1];

    /// The preface, and SETTINGS that leave everything as it is.
    pub(super) fn greeting() -> Vec<u8> {
        [&PREFACE[..], &frame(1, 0, 0, &[])].concat()
    }

    /// A call of a method with one number, in MessagePack.
    pub(super) fn request(number: u64, method: &str) -> Vec<u8> {
        let path = format!("load.v1.Load/{method}");
        let mut payload = vec![0, 1, path.len() as u8];
        payload.extend(path.bytes());
        payload.extend([0x04, 1, 1]);
        payload[0] = (payload.len() - 1) as u8;
        payload.extend(b"\x81\xa6number\x07");
        frame(2, 0x05, 2 * number + 1, &payload)
    }

    pub(super) fn cancel(number: u64) -> Vec<u8> {
        frame(7, 0, 2 * number + 1, &[])
    }

    fn frame(kind: u8, flags: u8, call: u64, payload: &[u8]) -> Vec<u8> {
        let length = payload.len() as u32;
        let mut frame = length.to_le_bytes().to_vec();
        frame.extend([kind, flags, 0, 0]);
        frame.extend(call.to_le_bytes());
        frame.extend(payload);
        frame
    }
}

/// Frames of RFC 9113, with fields that RFC 7541, section 6.2.2, writes as they are.
mod http2 {
    pub(super) fn greeting() -> Vec<u8> {
        [
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            &frame(4, 0, 0, &[])[..],
        ]
        .concat()
    }

    pub(super) fn request(number: u64) -> Vec<u8> {
        frame(1, 0x04, stream(number), &head())
    }

    pub(super) fn reset(number: u64) -> Vec<u8> {
        frame(3, 0, stream(number), &8_u32.to_be_bytes())
    }

    /// HEADERS without an end, and CONTINUATION frames that bring none.
    pub(super) fn endless_head() -> Vec<u8> {
        let mut bytes = [greeting(), frame(1, 0, 1, &head())].concat();
        let more: Vec<u8> = (0..100)
            .flat_map(|_| field("x-more", "1234567890"))
            .collect();
        for _ in 0..50 {
            bytes.extend(frame(9, 0, 1, &more));
        }
        bytes
    }

    pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        frame
    }

    fn stream(number: u64) -> u32 {
        (2 * number + 1) as u32
    }

    fn head() -> Vec<u8> {
        [
            field(":method", "POST"),
            field(":scheme", "http"),
            field(":path", "/load.v1.Load/hold"),
            field(":authority", "localhost"),
            field("content-type", "application/grpc+json"),
        ]
        .concat()
    }

    fn field(name: &str, value: &str) -> Vec<u8> {
        let mut bytes = vec![0, name.len() as u8];
        bytes.extend(name.bytes());
        bytes.push(value.len() as u8);
        bytes.extend(value.bytes());
        bytes
    }
}
