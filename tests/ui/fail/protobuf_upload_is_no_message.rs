use rpc_runtime::codec::Protobuf;
use rpc_runtime::protobuf::well_known::StringValue;
use rpc_runtime::{Streaming, rpc_service};

#[rpc_service(codec = Protobuf)]
trait Greeter {
    async fn greet(&self, names: Streaming<String>) -> StringValue;
}

struct Polite;

impl Greeter for Polite {
    async fn greet(&self, names: Streaming<String>) -> StringValue {
        drop(names);
        StringValue::default()
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.greet(futures_util::stream::iter(["Ann".to_owned()]));
}
