//! One task a connection: it reads, runs the handlers, and writes what has gathered.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use harness::{Result, burn};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::yield_now;

use super::{Frame, kind, number};
use crate::{Inbox, Outbox, small};

/// It stops reading while more than this waits to be written.
const MOST_UNWRITTEN: usize = 4 << 20;

pub(super) async fn listen(spawn: bool) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(serve(socket, spawn));
        }
    });
    Ok(address)
}

struct Connection {
    spawn: bool,
    outbox: Outbox,
    /// Where tasks put what they have to send.
    replies: mpsc::Sender<Frame>,
    /// The bidirectional streams.
    open: HashMap<u64, mpsc::Sender<Bytes>>,
    /// Handlers that run in tasks.
    running: usize,
}

async fn serve(mut socket: TcpStream, spawn: bool) -> Result<()> {
    socket.set_nodelay(true)?;
    let (mut reader, mut writer) = socket.split();
    let (replies, mut ready) = mpsc::channel(1_024);
    let mut connection = Connection {
        spawn,
        outbox: Outbox::default(),
        replies,
        open: HashMap::new(),
        running: 0,
    };
    let (mut inbox, mut batch) = (Inbox::default(), Vec::new());
    loop {
        tokio::select! {
            biased;
            written = connection.outbox.write(&mut writer), if !connection.outbox.is_empty() => written?,
            read = inbox.read(&mut reader), if connection.outbox.len() < MOST_UNWRITTEN => {
                if !read? {
                    return Ok(());
                }
                while let Some(frame) = inbox.frame() {
                    connection.handle(Frame::parse(frame)).await?;
                }
            }
            _ = ready.recv_many(&mut batch, 256) => {
                if connection.running > batch.len() {
                    yield_now().await;
                    while let Ok(frame) = ready.try_recv() {
                        batch.push(frame);
                    }
                }
                for frame in batch.drain(..) {
                    connection.running -= usize::from(frame.kind < kind::BYTES || frame.kind == kind::BURN);
                    frame.put(&mut connection.outbox);
                }
            }
        }
    }
}

impl Connection {
    async fn handle(&mut self, frame: Frame) -> Result<()> {
        let replies = self.replies.clone();
        match frame.kind {
            // Bodies that are only passed on are nothing to compute in another task.
            kind::BYTES => frame.put(&mut self.outbox),
            kind::SMALL | kind::BURN if self.spawn => {
                self.running += 1;
                tokio::spawn(async move { replies.send(run(frame)).await });
            }
            kind::SMALL | kind::BURN => run(frame).put(&mut self.outbox),
            kind::ITEMS => {
                tokio::spawn(stream(frame, replies));
            }
            kind::OPEN => {
                let (items, incoming) = mpsc::channel(16);
                self.open.insert(frame.call, items);
                tokio::spawn(ping_pong(frame.call, incoming, replies));
            }
            _ => {
                if let Some(items) = self.open.get(&frame.call) {
                    items.send(frame.body).await?;
                }
            }
        }
        Ok(())
    }
}

/// The handlers of unary methods.
fn run(frame: Frame) -> Frame {
    if frame.kind == kind::BURN {
        burn(Duration::from_nanos(number(frame.body.clone())));
    }
    frame
}

async fn stream(request: Frame, replies: mpsc::Sender<Frame>) {
    let Frame { kind, call, body } = request;
    for id in 0..number(body) {
        let body = Bytes::copy_from_slice(&small(id));
        if replies.send(Frame { kind, call, body }).await.is_err() {
            return;
        }
    }
}

async fn ping_pong(call: u64, mut incoming: mpsc::Receiver<Bytes>, replies: mpsc::Sender<Frame>) {
    while let Some(body) = incoming.recv().await {
        if replies
            .send(Frame {
                kind: kind::ITEM,
                call,
                body,
            })
            .await
            .is_err()
        {
            return;
        }
    }
}
