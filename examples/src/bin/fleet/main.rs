//! Three servers under load, of which one is killed and one is drained: no call fails.
//!
//! `fleet` shows it; `fleet serve` is one of the servers. They find each other in a registry, which keeps what
//! it knows in memory, or with `--redis URL` in Redis.

mod load;
mod registry;
mod server;

use std::time::Duration;

use clap::{Parser, Subcommand};
use rpc_examples::fleet::PricesClient;
use rpc_runtime::Channel;
use rpc_runtime::layer::Retry;
use rpc_runtime::registry::Registered;
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
    /// Where the registry keeps what it knows, such as redis://127.0.0.1:6379.
    #[arg(long)]
    redis: Option<String>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serves at a free port until standard input ends, and then finishes what was begun.
    Serve {
        /// The registry to register with.
        registry: String,
    },
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    match arguments.command {
        Some(Command::Serve { registry }) => server::serve(&registry).await,
        None => demonstrate(arguments.redis.as_deref()).await,
    }
}

async fn demonstrate(redis: Option<&str>) -> Result<(), Failure> {
    let registry = registry::serve(redis).await?;
    let mut servers = Vec::new();
    for _ in 0..3 {
        servers.push(ServerProcess::start(&registry).await?);
    }
    // What it takes: what finds servers, and a layer that repeats what may be repeated.
    let found = Registered::new(server::GROUP, &Channel::connect(&registry).await?);
    let prices = PricesClient::connect(found).layer(Retry::new()).await?;
    println!("{CALLERS} callers, which know the registry {registry}:");

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
