//! Frames, one task a side, replies in order, calls in flight a counter: what the machine can do.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use floors::{Inbox, Outbox, checksum, small};
use harness::{Items, Load, NotOffered, Peer, PingPong, Result, Tally, Work, burn, ensure};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, OwnedMutexGuard};

const ECHO: u8 = 0;
const BURN: u8 = 1;
const ITEMS: u8 = 2;

/// Both sides stop reading while more than this waits to be written.
const MOST_UNWRITTEN: usize = 4 << 20;
/// Items that gather before they are written.
const BATCH: usize = 64 << 10;

struct Connection {
    socket: TcpStream,
    inbox: Inbox,
    outbox: Outbox,
}

impl Connection {
    fn new(socket: TcpStream) -> Result<Self> {
        socket.set_nodelay(true)?;
        Ok(Self {
            socket,
            inbox: Inbox::default(),
            outbox: Outbox::default(),
        })
    }

    /// Writes or reads once, whichever is possible.
    async fn turn(&mut self, may_read: bool) -> Result<()> {
        let (mut reader, mut writer) = self.socket.split();
        tokio::select! {
            biased;
            written = self.outbox.write(&mut writer), if !self.outbox.is_empty() => written?,
            read = self.inbox.read(&mut reader), if may_read => ensure!(read?, "closed"),
        }
        Ok(())
    }

    async fn serve(mut self) -> Result<()> {
        loop {
            self.turn(self.outbox.len() < MOST_UNWRITTEN).await?;
            while let Some(frame) = self.inbox.frame() {
                match frame.first() {
                    Some(&ITEMS) => self.write_items(number(&frame)).await?,
                    Some(&BURN) => {
                        burn(Duration::from_nanos(number(&frame)));
                        self.outbox.push_owned(&[], frame);
                    }
                    _ => self.outbox.push_owned(&[], frame),
                }
            }
        }
    }

    async fn write_items(&mut self, count: u64) -> Result<()> {
        for id in 0..count {
            self.outbox.push(&[ITEMS], &small(id));
            while self.outbox.len() > BATCH {
                self.outbox.write(&mut self.socket).await?;
            }
        }
        Ok(())
    }

    async fn reply(&mut self) -> Result<Bytes> {
        loop {
            if let Some(frame) = self.inbox.frame() {
                return Ok(frame.slice(1..));
            }
            self.turn(true).await?;
        }
    }

    async fn call(&mut self, kind: u8, body: Bytes) -> Result<Bytes> {
        self.outbox.push_owned(&[kind], body);
        self.reply().await
    }

    /// Keeps as many calls in flight as the load has callers.
    async fn window(&mut self, kind: u8, body: Bytes, load: &Load) -> Result<Tally> {
        let (mut tally, mut in_flight) = (Tally::default(), VecDeque::with_capacity(load.callers));
        loop {
            let now = Instant::now();
            while now < load.until && in_flight.len() < load.callers {
                self.outbox.push_owned(&[kind], body.clone());
                in_flight.push_back(now);
            }
            if in_flight.is_empty() {
                return Ok(tally);
            }
            self.turn(true).await?;
            while let Some(reply) = self.inbox.frame() {
                ensure!(reply.len() == 1 + body.len(), "not the echo");
                let start = in_flight.pop_front().context("a reply to no call")?;
                tally.calls += 1;
                if load.timed {
                    tally.latencies.push(start.elapsed());
                }
            }
        }
    }
}

fn number(frame: &[u8]) -> u64 {
    frame[1..]
        .first_chunk()
        .map_or(0, |number| u64::from_le_bytes(*number))
}

/// The calls of a connection share its one task's place: they hold the lock in turn.
#[derive(Clone)]
struct Raw(Arc<Mutex<Connection>>);

impl Peer for Raw {
    const NAME: &'static str = "floor-raw";
    const UNSUPPORTED: &'static [harness::Unsupported] = &[harness::Unsupported {
        workload: "fairness",
        why: "replies in order: a small call waits for the large one before it",
    }];

    async fn serve() -> Result<SocketAddr> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                if let Ok(connection) = Connection::new(socket) {
                    tokio::spawn(connection.serve());
                }
            }
        });
        Ok(address)
    }

    async fn connect(server: SocketAddr) -> Result<Self> {
        let connection = Connection::new(TcpStream::connect(server).await?)?;
        Ok(Self(Arc::new(Mutex::new(connection))))
    }

    async fn echo(&self, id: u64) -> Result<u64> {
        let mut connection = self.0.lock().await;
        connection.outbox.push(&[ECHO], &small(id));
        Ok(checksum(&connection.reply().await?))
    }

    async fn echo_bytes(&self, body: Bytes) -> Result<usize> {
        Ok(self.0.lock().await.call(ECHO, body).await?.len())
    }

    async fn burn(&self, time: Duration) -> Result<()> {
        let body = Bytes::copy_from_slice(&(time.as_nanos() as u64).to_le_bytes());
        self.0.lock().await.call(BURN, body).await?;
        Ok(())
    }

    async fn items(&self, count: u64) -> Result<impl Items> {
        let mut connection = self.0.clone().lock_owned().await;
        connection.outbox.push(&[ITEMS], &count.to_le_bytes());
        Ok(Stream {
            connection,
            left: count,
        })
    }

    async fn ping_pong(&self) -> Result<impl PingPong> {
        Ok(Rounds(self.clone()))
    }

    async fn drive(&self, load: Load) -> Result<Tally> {
        let (kind, body) = match &load.work {
            Work::Small => (ECHO, Bytes::copy_from_slice(&small(0))),
            Work::Bytes(body) => (ECHO, body.clone()),
            Work::Burn(time) => (
                BURN,
                Bytes::copy_from_slice(&(time.as_nanos() as u64).to_le_bytes()),
            ),
            Work::Vec(_) => return Err(NotOffered("").into()),
        };
        self.0.lock().await.window(kind, body, &load).await
    }
}

struct Stream {
    connection: OwnedMutexGuard<Connection>,
    left: u64,
}

impl Items for Stream {
    async fn next(&mut self) -> Result<Option<u64>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        Ok(Some(checksum(&self.connection.reply().await?)))
    }
}

struct Rounds(Raw);

impl PingPong for Rounds {
    async fn round(&mut self, id: u64) -> Result<u64> {
        self.0.echo(id).await
    }
}

fn main() {
    harness::run::<Raw>();
}
