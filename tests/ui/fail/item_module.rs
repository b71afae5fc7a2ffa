use rpc_runtime::rpc_service;

#[rpc_service]
mod greeter {
    pub fn greet() {}
}

fn main() {
    greeter::greet();
}
