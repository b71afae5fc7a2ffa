//! A minimal service with connectrpc.

// The generated trait lets a handler reply with anything that can be encoded; this names the type.
#![allow(refining_impl_trait)]

use connectrpc::client::{ClientConfig, HttpClient};
use connectrpc::{
    ConnectRpcService, RequestContext, Response, Server, ServiceRequest, ServiceResult,
};

use proto::minimal::v1::{Minimal, MinimalClient, MinimalServer, Small};

#[allow(
    clippy::all,
    clippy::unimplemented,
    unreachable_pub,
    unused_qualifications,
    reason = "generated"
)]
mod proto {
    connectrpc::include_generated!();
}

struct Service;

impl Minimal for Service {
    async fn echo(
        &self,
        _: RequestContext,
        request: ServiceRequest<'_, Small>,
    ) -> ServiceResult<Small> {
        Response::ok(request.to_owned_message())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let server = Server::bind("127.0.0.1:7000").await?;
    tokio::spawn(server.serve_with_service(ConnectRpcService::new(MinimalServer::new(Service))));
    let config = ClientConfig::new("http://127.0.0.1:7000".parse()?);
    let client = MinimalClient::new(HttpClient::plaintext(), config);
    println!("{}", client.echo(Small::default()).await?.view().id);
    Ok(())
}
