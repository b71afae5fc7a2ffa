//! Three servers under load, of which one is killed and one is drained: no call fails.
//!
//! `fleet` shows it; `fleet serve` is one of the servers.

mod load;
mod server;

use std::time::Duration;

use clap::{Parser, Subcommand};
use rpc_examples::fleet::PricesClient;
use rpc_runtime::layer::Retry;
use tokio::time::sleep;

use crate::load::Load;
use crate::server::ServerProcess;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How many callers there are, each with one call at a time.
const CALLERS: usize = 32;

/// How long each part of the demonstration takes.
const PART: Duration = Duration::from_secs(1);

/// Three servers, one killed and one drained under load.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serves at a free port until standard input ends, and then finishes what was begun.
    Serve,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    match Arguments::parse().command {
        Some(Command::Serve) => server::serve().await,
        None => demonstrate().await,
    }
}

async fn demonstrate() -> Result<(), Failure> {
    let mut servers = Vec::new();
    for _ in 0..3 {
        servers.push(ServerProcess::start().await?);
    }
    let urls: Vec<_> = servers.iter().map(|it| it.url.as_str()).collect();
    // What it takes: a list of servers, and a layer that repeats what may be repeated.
    let prices = PricesClient::connect(&urls).layer(Retry::new()).await?;
    println!("{CALLERS} callers, servers {}:", urls.join(", "));

    let load = Load::begin(&prices, CALLERS);
    sleep(PART).await;
    load.next_part("all three");
    servers.remove(0).kill().await?;
    sleep(PART).await;
    load.next_part("one killed");
    servers.remove(0).drain().await?;
    sleep(PART).await;
    load.next_part("and one drained");
    let failed = load.end().await;
    for server in servers {
        server.drain().await?;
    }
    match failed {
        0 => Ok(()),
        failed => Err(format!("{failed} calls failed").into()),
    }
}
