//! TCP.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream, lookup_host};

use super::{Io, with_context};

/// Tries every address that `host` resolves to, in turn.
pub(super) async fn connect(host: &str, port: u16) -> io::Result<Io> {
    let addresses: Vec<SocketAddr> = lookup_host((host, port))
        .await
        .map_err(|error| with_context(format!("cannot resolve `{host}`"), error))?
        .collect();
    connect_any(host, &addresses).await
}

async fn connect_any(host: &str, addresses: &[SocketAddr]) -> io::Result<Io> {
    let mut failed = String::new();
    for (position, &address) in addresses.iter().enumerate() {
        match connect_one(address).await {
            Ok(io) => return Ok(io),
            Err(error) if position + 1 == addresses.len() => {
                return Err(with_context(format!("{failed}{address}"), error));
            }
            Err(error) => failed.push_str(&format!("{address}: {error}; ")),
        }
    }
    Err(io::Error::new(
        io::ErrorKind::NotFound,
        format!("`{host}` resolves to no address"),
    ))
}

async fn connect_one(address: SocketAddr) -> io::Result<Io> {
    let stream = TcpStream::connect(address).await?;
    not_itself(&stream, address)?;
    // Frames are already gathered into large writes; Nagle would only hold the last one back.
    stream.set_nodelay(true)?;
    Ok(into_io(stream, address))
}

/// Refuses a socket that is connected to itself.
///
/// That happens where nobody listens at a port of this host and the system gives that very port to the socket that
/// connects to it, as RFC 9293 section 3.5 (simultaneous open) allows. It would keep the server from its port.
fn not_itself(stream: &TcpStream, peer: SocketAddr) -> io::Result<()> {
    if stream.local_addr()? == peer {
        let nobody = "nobody listens there: the socket was connected to itself";
        return Err(io::Error::new(io::ErrorKind::ConnectionRefused, nobody));
    }
    Ok(())
}

fn into_io(stream: TcpStream, peer: SocketAddr) -> Io {
    // Owned halves need no lock, which `tokio::io::split` does.
    let (reader, writer) = stream.into_split();
    Io::from_halves(reader, writer).with_peer(format!("tcp://{peer}"))
}

pub(super) struct Listener {
    listener: TcpListener,
    local: SocketAddr,
}

impl Listener {
    pub(super) async fn bind(host: &str, port: u16) -> io::Result<Self> {
        // Sets SO_REUSEADDR where that is harmless (not on Windows) and a backlog of 1024, and
        // takes the first address of the host that can be bound.
        let listener = TcpListener::bind((host, port)).await?;
        let local = listener.local_addr()?;
        Ok(Self { listener, local })
    }

    pub(super) async fn accept(&self) -> io::Result<Io> {
        let (stream, peer) = self.listener.accept().await?;
        // Fails only if the peer is gone already; the first read will say so.
        let _ = stream.set_nodelay(true);
        Ok(into_io(stream, peer))
    }

    /// Returns the host and the port that were taken.
    pub(super) fn local(&self) -> (String, u16) {
        (self.local.ip().to_string(), self.local.port())
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::super::tests::assert_duplex;
    use super::super::{Address, Listener, connect};
    use super::*;

    async fn bind(url: &str) -> io::Result<Listener> {
        Listener::bind(&url.parse().unwrap()).await
    }

    #[tokio::test]
    async fn a_free_port_is_bound_named_and_carries_bytes() {
        let mut listener = bind("tcp://127.0.0.1:0").await.unwrap();
        let url = listener.url();
        let address: Address = url.parse().unwrap();
        assert!(!url.ends_with(":0"), "{url}");
        let (client, server) = tokio::join!(connect(&address), listener.accept());
        let (client, server) = (client.unwrap(), server.unwrap());
        assert_eq!(**client.peer(), url);
        assert!(server.peer().starts_with("tcp://127.0.0.1:"), "{server:?}");
        assert_duplex(client, server).await;
    }

    #[tokio::test]
    async fn ipv6_urls_carry_bytes() {
        let mut listener = match bind("tcp://[::1]:0").await {
            Ok(listener) => listener,
            Err(error) => return eprintln!("skipped: no IPv6 on this machine: {error}"),
        };
        assert!(listener.url().starts_with("tcp://[::1]:"));
        let address: Address = listener.url().parse().unwrap();
        let (client, server) = tokio::join!(connect(&address), listener.accept());
        assert_duplex(client.unwrap(), server.unwrap()).await;
    }

    #[tokio::test]
    async fn a_taken_port_is_refused_and_free_again_after_drop() {
        let listener = bind("tcp://127.0.0.1:0").await.unwrap();
        let url = listener.url();
        let error = bind(&url).await.err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        drop(listener);
        bind(&url).await.unwrap();
    }

    /// Two ports that nobody listens on: both are held while the second is chosen.
    async fn closed_ports() -> [SocketAddr; 2] {
        let first = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let second = TcpListener::bind("127.0.0.1:0").await.unwrap();
        [first.local_addr().unwrap(), second.local_addr().unwrap()]
    }

    #[tokio::test]
    async fn the_error_names_every_address_that_was_tried() {
        let [first, second] = closed_ports().await;
        let error = connect_any("host", &[first, second]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let text = error.to_string();
        assert!(text.contains(&first.to_string()), "{text}");
        assert!(text.contains(&second.to_string()), "{text}");
        assert!(error.source().is_some());
    }

    #[tokio::test]
    async fn the_next_address_is_tried_when_one_refuses() {
        let [closed, _] = closed_ports().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let open = listener.local_addr().unwrap();
        let io = connect_any("host", &[closed, open]).await.unwrap();
        assert_eq!(**io.peer(), format!("tcp://{open}"));
    }

    #[tokio::test]
    async fn a_socket_that_is_connected_to_itself_is_refused() {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let own = socket.local_addr().unwrap();
        let stream = socket.connect(own).await.unwrap();
        let error = not_itself(&stream, own).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[tokio::test]
    async fn an_unknown_host_is_named() {
        let address: Address = "tcp://no-such-host.invalid:80".parse().unwrap();
        let error = connect(&address).await.unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("cannot resolve `no-such-host.invalid`: "),
            "{text}"
        );
    }

    #[tokio::test]
    async fn dropping_an_accept_loses_no_connection() {
        let mut listener = bind("tcp://127.0.0.1:0").await.unwrap();
        let address: Address = listener.url().parse().unwrap();
        tokio::select! {
            biased;
            _ = listener.accept() => panic!("nobody has connected yet"),
            () = tokio::task::yield_now() => {}
        }
        let client = connect(&address).await.unwrap();
        let server = listener.accept().await.unwrap();
        assert_duplex(client, server).await;
    }
}
