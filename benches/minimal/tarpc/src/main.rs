//! A minimal service with tarpc.
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};
use tarpc::client::Config;
use tarpc::context::{self, Context};
use tarpc::serde_transport::tcp;
use tarpc::server::{BaseChannel, Channel as _};
use tarpc::tokio_serde::formats::Bincode;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Small {
    id: u64,
    name: String,
    tags: Vec<String>,
}

#[tarpc::service]
trait Minimal {
    async fn echo(message: Small) -> Small;
}

#[derive(Clone)]
struct Service;

impl Minimal for Service {
    async fn echo(self, _: Context, message: Small) -> Small {
        message
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut listener = tcp::listen("127.0.0.1:7000", Bincode::default).await?;
    tokio::spawn(async move {
        while let Some(Ok(transport)) = listener.next().await {
            let requests = BaseChannel::with_defaults(transport).execute(Service.serve());
            tokio::spawn(requests.for_each(async |response| {
                tokio::spawn(response);
            }));
        }
    });
    let transport = tcp::connect("127.0.0.1:7000", Bincode::default).await?;
    let client = MinimalClient::new(Config::default(), transport).spawn();
    println!(
        "{:?}",
        client.echo(context::current(), Small::default()).await?
    );
    Ok(())
}
