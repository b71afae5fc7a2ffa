//! Connections inside one process, found by name.
//!
//! Real bytes through a bounded pipe, so that a test or a single-process deployment meets the same
//! wire, limits and back-pressure as over a socket.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use super::{Address, Io};

/// Bytes on their way in one direction before the writer has to wait, like a socket's buffer.
const PIPE_BYTES: usize = 64 * 1024;
/// Connections that wait to be accepted before the next client has to wait, like a socket's backlog.
const BACKLOG: usize = 128;

type Names = BTreeMap<String, mpsc::Sender<Io>>;

static NAMES: Mutex<Names> = Mutex::new(Names::new());

/// A map whose every update is one call cannot be left half changed: poisoning says nothing.
fn names() -> MutexGuard<'static, Names> {
    NAMES.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) async fn connect(name: &str) -> io::Result<Io> {
    let queue = names().get(name).cloned().ok_or_else(|| refused(name))?;
    let (client, server) = tokio::io::duplex(PIPE_BYTES);
    let peer = Address::Memory(name.to_owned()).to_string();
    queue
        .send(Io::new(server).with_peer(peer.clone()))
        .await
        .map_err(|_| refused(name))?;
    Ok(Io::new(client).with_peer(peer))
}

fn refused(name: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::ConnectionRefused,
        format!("nobody listens on `mem:{name}` in this process"),
    )
}

pub(super) struct Listener {
    name: String,
    queue: mpsc::Receiver<Io>,
}

impl Listener {
    pub(super) fn bind(name: &str) -> io::Result<Self> {
        let mut names = names();
        if names.contains_key(name) {
            return Err(io::Error::new(
                io::ErrorKind::AddrInUse,
                format!("another listener in this process has the name `mem:{name}`"),
            ));
        }
        let (sender, queue) = mpsc::channel(BACKLOG);
        names.insert(name.to_owned(), sender);
        Ok(Self {
            name: name.to_owned(),
            queue,
        })
    }

    pub(super) async fn accept(&mut self) -> io::Result<Io> {
        // The registry holds a sender for as long as this listener lives, so the queue cannot end.
        self.queue.recv().await.ok_or_else(|| refused(&self.name))
    }

    pub(super) fn address(&self) -> Address {
        Address::Memory(self.name.clone())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        names().remove(&self.name);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::AsyncReadExt;
    use tokio::time::timeout;

    use super::super::tests::assert_duplex;
    use super::*;

    #[tokio::test]
    async fn a_name_connects_and_carries_bytes() {
        let mut listener = Listener::bind("carries bytes").unwrap();
        let client = connect("carries bytes").await.unwrap();
        let server = listener.accept().await.unwrap();
        assert_eq!(&**client.peer(), "mem:carries bytes");
        assert_eq!(&**server.peer(), "mem:carries bytes");
        assert_duplex(client, server).await;
    }

    #[tokio::test]
    async fn an_unknown_name_is_refused_by_name() {
        let error = connect("nobody").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(
            error.to_string(),
            "nobody listens on `mem:nobody` in this process"
        );
    }

    #[tokio::test]
    async fn a_name_is_taken_once_and_free_after_drop() {
        let listener = Listener::bind("taken").unwrap();
        let error = Listener::bind("taken").err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        // The failed attempt must not have freed the name.
        connect("taken").await.unwrap();
        drop(listener);
        assert!(connect("taken").await.is_err());
        Listener::bind("taken").unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn the_backlog_is_bounded_and_a_connect_that_gave_up_leaves_nothing() {
        let mut listener = Listener::bind("backlog").unwrap();
        let mut clients = Vec::new();
        for _ in 0..BACKLOG {
            clients.push(connect("backlog").await.unwrap());
        }
        let late = timeout(Duration::from_secs(1), connect("backlog")).await;
        assert!(late.is_err(), "the backlog has no bound");
        for _ in 0..BACKLOG {
            listener.accept().await.unwrap();
        }
        let nothing = timeout(Duration::from_secs(1), listener.accept()).await;
        assert!(nothing.is_err(), "a connect that was dropped arrived");
    }

    #[tokio::test]
    async fn connections_that_were_never_accepted_end_with_the_listener() {
        let listener = Listener::bind("never accepted").unwrap();
        let (mut reader, _writer, ..) = connect("never accepted").await.unwrap().into_parts();
        drop(listener);
        assert_eq!(reader.read(&mut [0; 1]).await.unwrap(), 0);
    }
}
