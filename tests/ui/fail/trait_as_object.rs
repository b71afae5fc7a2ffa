use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    async fn greet(&self, name: String) -> String;
}

struct Polite;

impl Greeter for Polite {
    async fn greet(&self, name: String) -> String {
        name
    }
}

fn main() {
    let greeter: Box<dyn Greeter> = Box::new(Polite);
    drop(greeter);
}
