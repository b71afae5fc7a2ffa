//! Servers on every transport, at free addresses.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rpc_runtime::client::Connect;
use rpc_runtime::server::ShutdownHandle;
use rpc_runtime::tls::{Certificate, ClientTls, Roots, ServerTls};
use rpc_runtime::{Channel, Error, Server, Wire};
use tokio::task::JoinHandle;

/// A server that runs until it is dropped or shut down.
#[derive(Debug)]
pub struct Serving {
    /// Where to connect to.
    pub url: String,
    /// Ends the server in good order.
    pub stop: ShutdownHandle,
    /// The server's task.
    pub task: JoinHandle<Result<(), Error>>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The transports on which every promise is tested.
pub const TRANSPORTS: [&str; 4] = ["tcp", "unix", "mem", "ws"];

/// Returns an address of this transport that nobody else has.
pub fn address(transport: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let process = std::process::id();
    match transport {
        "tcp" | "ws" | "grpc" | "grpc-web+http" | "connect+http" | "jsonrpc+tcp" | "jsonrpc+ws"
        | "lpjson" => "tcp://127.0.0.1:0".to_owned(),
        "tls" | "grpcs" => "tls://127.0.0.1:0".to_owned(),
        "unix" => {
            let path = std::env::temp_dir().join(format!("rpc-test-{process}-{number}.sock"));
            format!("unix://{}", path.display())
        }
        "mem" => format!("mem:test-{process}-{number}"),
        other => panic!("there is no transport `{other}`"),
    }
}

/// A certificate for this machine that vouches for itself, and its key, both in PEM.
static CERTIFICATE: LazyLock<(String, String)> = LazyLock::new(|| {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]);
    let made = made.expect("an address is a name");
    (made.cert.pem(), made.signing_key.serialize_pem())
});

/// Begins to connect to a server of these tests; over TLS with trust in its certificate.
pub fn connect(url: &str) -> Connect<Channel> {
    let connect = Channel::connect(url);
    let secure = ["tls", "grpcs", "jsonrpc+https", "jsonrpc+wss"];
    if url
        .split("://")
        .next()
        .is_some_and(|it| secure.contains(&it))
    {
        connect.tls(ClientTls::new().roots(Roots::from_pem(&CERTIFICATE.0)))
    } else {
        connect
    }
}

/// Serves on a transport. `grpc`, `grpc-web+http`, `connect+http`, `ws`, `jsonrpc+tcp`, `jsonrpc+ws` and
/// `lpjson` are TCP with a URL that makes clients speak gRPC, gRPC-Web, Connect, WebSocket, or JSON;
/// `grpcs` is gRPC over TLS.
pub async fn serve(transport: &str, server: Server) -> Serving {
    let server = match transport {
        "grpc" | "grpcs" | "grpc-web+http" | "connect+http" => server.accept([Wire::Http]),
        "ws" => server.accept([Wire::WebSocket]),
        "jsonrpc+tcp" => server.accept([Wire::JsonRpc]),
        "jsonrpc+ws" => server.accept([Wire::JsonRpc, Wire::WebSocket]),
        "lpjson" => server.accept([Wire::LengthPrefixedJson]),
        _ => server,
    };
    let server = if matches!(transport, "tls" | "grpcs") {
        let (chain, key) = &*CERTIFICATE;
        server.tls(ServerTls::new(Certificate::from_pem(chain, key)))
    } else {
        server
    };
    let bound = server
        .listen(address(transport))
        .bind()
        .await
        .expect("the address is free");
    Serving {
        url: match transport {
            "tcp" | "tls" | "unix" | "mem" => bound.url().to_owned(),
            _ => {
                let (_, address) = bound.url().split_once("://").expect("a URL");
                format!("{transport}://{address}")
            }
        },
        stop: bound.shutdown_handle(),
        task: tokio::spawn(bound.serve()),
    }
}
