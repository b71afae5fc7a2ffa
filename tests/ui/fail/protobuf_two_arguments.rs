use rpc_runtime::codec::Protobuf;
use rpc_runtime::protobuf::well_known::StringValue;
use rpc_runtime::rpc_service;

#[rpc_service(codec = Protobuf)]
trait Greeter {
    async fn greet(&self, title: StringValue, name: StringValue) -> StringValue;
}

struct Polite;

impl Greeter for Polite {
    async fn greet(&self, title: StringValue, name: StringValue) -> StringValue {
        (title.value + &name.value).into()
    }
}

fn main() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let _ = client.greet("Dr.".into(), "Ann".into());
}
