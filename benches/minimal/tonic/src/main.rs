//! A minimal service with tonic.
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use pb::Small;
use pb::minimal_client::MinimalClient;
use pb::minimal_server::{Minimal, MinimalServer};

#[allow(unreachable_pub, unused_qualifications, reason = "generated")]
mod pb {
    tonic::include_proto!("minimal.v1");
}

struct Service;

#[tonic::async_trait]
impl Minimal for Service {
    async fn echo(&self, request: Request<Small>) -> Result<Response<Small>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::builder().add_service(MinimalServer::new(Service));
    tokio::spawn(server.serve("127.0.0.1:7000".parse()?));
    let mut client = MinimalClient::connect("http://127.0.0.1:7000").await?;
    println!("{:?}", client.echo(Small::default()).await?);
    Ok(())
}
