//! Servers on every transport, at free addresses.

use std::sync::atomic::{AtomicU64, Ordering};

use rpc_runtime::server::ShutdownHandle;
use rpc_runtime::{Error, Server, Wire};
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
        "tcp" | "grpc" | "ws" => "tcp://127.0.0.1:0".to_owned(),
        "unix" => {
            let path = std::env::temp_dir().join(format!("rpc-test-{process}-{number}.sock"));
            format!("unix://{}", path.display())
        }
        "mem" => format!("mem:test-{process}-{number}"),
        other => panic!("there is no transport `{other}`"),
    }
}

/// Serves on a transport. `grpc` and `ws` are TCP with a URL that makes clients speak gRPC, or
/// WebSocket.
pub async fn serve(transport: &str, server: Server) -> Serving {
    let server = match transport {
        "grpc" => server.accept([Wire::Http]),
        "ws" => server.accept([Wire::WebSocket]),
        _ => server,
    };
    let bound = server
        .listen(address(transport))
        .bind()
        .await
        .expect("the address is free");
    Serving {
        url: match transport {
            "grpc" | "ws" => bound.url().replacen("tcp", transport, 1),
            _ => bound.url().to_owned(),
        },
        stop: bound.shutdown_handle(),
        task: tokio::spawn(bound.serve()),
    }
}
