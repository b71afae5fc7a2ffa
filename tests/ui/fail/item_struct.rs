use rpc_runtime::rpc_service;

#[rpc_service]
struct Polite;

trait Greeter {
    fn name(&self) -> String;
}

impl Greeter for Polite {
    fn name(&self) -> String {
        "Ann".to_owned()
    }
}

fn main() {
    let _ = Polite.name();
}
