use rpc_runtime::rpc_service;

#[rpc_service]
enum Greeting {
    Hello,
}

fn main() {
    let _ = Greeting::Hello;
}
