use rpc_runtime::RpcError;

#[derive(RpcError)]
union Number {
    small: u8,
    large: u64,
}

fn main() {
    let _ = Number { small: 1 };
}
