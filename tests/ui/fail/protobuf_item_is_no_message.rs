use futures_util::Stream;
use rpc_runtime::codec::Protobuf;
use rpc_runtime::protobuf::well_known::StringValue;
use rpc_runtime::rpc_service;

#[rpc_service(codec = Protobuf)]
trait Greeter {
    fn greet(&self, name: StringValue) -> impl Stream<Item = char>;
}

struct Polite;

impl Greeter for Polite {
    fn greet(&self, name: StringValue) -> impl Stream<Item = char> {
        futures_util::stream::iter(name.value.chars().collect::<Vec<_>>())
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.greet("Ann".into());
}
