//! A reader and a writer task a connection; an id, a oneshot and a map entry a call.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use harness::{Items, Peer, PingPong, Result};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;

use super::{Frame, kind, server};
use crate::{Inbox, Outbox, checksum, small};

/// A connection. With `SPAWN` the server runs each handler in a task of its own, as most
/// frameworks do, else in the task of the connection.
#[derive(Clone)]
pub struct Client<const SPAWN: bool> {
    frames: mpsc::UnboundedSender<Frame>,
    calls: Arc<Calls>,
}

#[derive(Default)]
struct Calls {
    last: AtomicU64,
    open: Mutex<HashMap<u64, Waiter>>,
}

enum Waiter {
    Reply(oneshot::Sender<Bytes>),
    Stream(mpsc::Sender<Bytes>),
}

impl Calls {
    fn open(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Waiter>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<const SPAWN: bool> Client<SPAWN> {
    fn send(&self, kind: u8, body: Bytes, waiter: Waiter) -> Result<u64> {
        let call = self.calls.last.fetch_add(1, Ordering::Relaxed);
        self.calls.open().insert(call, waiter);
        self.frames.send(Frame { kind, call, body })?;
        Ok(call)
    }

    async fn call(&self, kind: u8, body: Bytes) -> Result<Bytes> {
        let (reply, waiting) = oneshot::channel();
        self.send(kind, body, Waiter::Reply(reply))?;
        Ok(waiting.await?)
    }

    fn stream(&self, kind: u8, body: Bytes, room: usize) -> Result<(u64, mpsc::Receiver<Bytes>)> {
        let (items, stream) = mpsc::channel(room);
        Ok((self.send(kind, body, Waiter::Stream(items))?, stream))
    }
}

fn number(number: u64) -> Bytes {
    Bytes::copy_from_slice(&number.to_le_bytes())
}

/// Writes what calls have sent. While more calls are open than it has frames, it lets the other
/// ready tasks run first: tokio runs a woken task right after the one that woke it, and each call
/// would get a write of its own.
async fn write(
    mut socket: OwnedWriteHalf,
    mut frames: mpsc::UnboundedReceiver<Frame>,
    calls: Arc<Calls>,
) -> Result<()> {
    let (mut outbox, mut batch) = (Outbox::default(), Vec::new());
    while frames.recv_many(&mut batch, 256).await > 0 {
        let open = calls.open().len();
        if open > batch.len() {
            yield_now().await;
            while let Ok(frame) = frames.try_recv() {
                batch.push(frame);
            }
        }
        for frame in batch.drain(..) {
            frame.put(&mut outbox);
        }
        while !outbox.is_empty() {
            outbox.write(&mut socket).await?;
        }
    }
    Ok(())
}

async fn read(mut socket: OwnedReadHalf, calls: Arc<Calls>) -> Result<()> {
    let mut inbox = Inbox::default();
    while inbox.read(&mut socket).await? {
        while let Some(frame) = inbox.frame() {
            deliver(Frame::parse(frame), &calls).await;
        }
    }
    calls.open().clear();
    Ok(())
}

async fn deliver(frame: Frame, calls: &Calls) {
    if frame.kind < kind::ITEMS {
        let waiter = calls.open().remove(&frame.call);
        if let Some(Waiter::Reply(reply)) = waiter {
            let _ = reply.send(frame.body);
        }
        return;
    }
    let items = match calls.open().get(&frame.call) {
        Some(Waiter::Stream(items)) => items.clone(),
        _ => return,
    };
    let _ = items.send(frame.body).await;
}

impl<const SPAWN: bool> Peer for Client<SPAWN> {
    const NAME: &'static str = if SPAWN { "floor-spawn" } else { "floor-mux" };

    async fn serve() -> Result<SocketAddr> {
        server::listen(SPAWN).await
    }

    async fn connect(server: SocketAddr) -> Result<Self> {
        let socket = TcpStream::connect(server).await?;
        socket.set_nodelay(true)?;
        let (reader, writer) = socket.into_split();
        let (frames, outgoing) = mpsc::unbounded_channel();
        let calls = Arc::new(Calls::default());
        tokio::spawn(write(writer, outgoing, calls.clone()));
        tokio::spawn(read(reader, calls.clone()));
        Ok(Self { frames, calls })
    }

    async fn echo(&self, id: u64) -> Result<u64> {
        let body = Bytes::copy_from_slice(&small(id));
        Ok(checksum(&self.call(kind::SMALL, body).await?))
    }

    async fn echo_bytes(&self, body: Bytes) -> Result<usize> {
        Ok(self.call(kind::BYTES, body).await?.len())
    }

    async fn burn(&self, time: Duration) -> Result<()> {
        self.call(kind::BURN, number(time.as_nanos() as u64))
            .await?;
        Ok(())
    }

    async fn items(&self, count: u64) -> Result<impl Items> {
        let (_, stream) = self.stream(kind::ITEMS, number(count), 1_024)?;
        Ok(SmallItems {
            stream,
            left: count,
        })
    }

    async fn ping_pong(&self) -> Result<impl PingPong> {
        let (call, echoes) = self.stream(kind::OPEN, Bytes::new(), 16)?;
        Ok(Rounds {
            frames: self.frames.clone(),
            call,
            echoes,
        })
    }
}

struct SmallItems {
    stream: mpsc::Receiver<Bytes>,
    left: u64,
}

impl Items for SmallItems {
    async fn next(&mut self) -> Result<Option<u64>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let body = self.stream.recv().await.context("closed")?;
        Ok(Some(checksum(&body)))
    }
}

struct Rounds {
    frames: mpsc::UnboundedSender<Frame>,
    call: u64,
    echoes: mpsc::Receiver<Bytes>,
}

impl PingPong for Rounds {
    async fn round(&mut self, id: u64) -> Result<u64> {
        let body = Bytes::copy_from_slice(&small(id));
        self.frames.send(Frame {
            kind: kind::ITEM,
            call: self.call,
            body,
        })?;
        Ok(checksum(&self.echoes.recv().await.context("closed")?))
    }
}
