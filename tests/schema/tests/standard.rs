//! Health checks and reflection, as real tools ask for them.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rpc_runtime::health::Health;
use rpc_runtime::{Server, Status, Wire, rpc_service};
use rpc_schema_tests::schema::kinds::legacy::{Legacies, LegaciesServer, Legacy};
use rpc_schema_tests::users::UsersServer;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::patterns::Names;

struct Same;

impl Legacies for Same {
    async fn get(&self, request: Legacy) -> Result<Legacy, Status> {
        Ok(request)
    }
}

/// A service without a schema.
#[rpc_service(name = "code.v1.First")]
trait First {
    async fn call(&self);
}

impl First for Same {
    async fn call(&self) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grpcio_and_grpcurl_find_out_what_is_served_and_how_it_is() {
    let health = Health::new();
    health.set_not_serving("kinds.legacy.Legacies");
    let bound = Server::new()
        .health(health)
        .reflection()
        .add(UsersServer::new(Names(vec!["Ada", "Bo"])))
        .add(LegaciesServer::new(Same))
        .add(FirstServer::new(Same))
        .accept([Wire::Http])
        .listen("tcp://127.0.0.1:0")
        .bind()
        .await
        .expect("a port is free");
    let address = bound.url().replace("tcp://", "");
    let stop = bound.shutdown_handle();
    let serving = tokio::spawn(bound.serve());

    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut python = Command::new(tests.join("../target/tools/python/bin/python"))
        .arg(tests.join("python/test_standard.py"))
        .arg(address)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("grpcio is there (bash tests/setup.sh installs it)");
    let mut lines = BufReader::new(python.stdout.take().expect("it is piped")).lines();
    let script = async {
        let mut checks = 0;
        while let Some(line) = lines.next_line().await.expect("it is text") {
            println!("{line}");
            match line.as_str() {
                "shut down now" => stop.shutdown(),
                _ => checks += 1,
            }
        }
        (checks, python.wait().await.expect("it has ended"))
    };
    let ended = tokio::time::timeout(Duration::from_secs(120), script).await;
    let (checks, status) = ended.expect("the script is bounded in time");
    assert!(status.success(), "a check failed, see above");
    assert_eq!(checks, 8, "every check prints a line");
    let served = tokio::time::timeout(Duration::from_secs(5), serving).await;
    served
        .expect("nobody who watches holds up the shutdown")
        .expect("the server does not panic")
        .expect("nothing failed");
}
