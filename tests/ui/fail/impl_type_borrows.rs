use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    async fn greet(&self, name: String) -> String;
}

struct Polite<'a>(&'a str);

impl Greeter for Polite<'_> {
    async fn greet(&self, name: String) -> String {
        self.0.to_owned() + &name
    }
}

fn main() {
    let title = "Dr.".to_owned();
    let _ = GreeterClient::new(GreeterServer::new(Polite(&title)));
}
