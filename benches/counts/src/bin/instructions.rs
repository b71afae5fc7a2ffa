//! Makes calls, for callgrind to count the instructions of: `instructions CALLS [URL [SERVER]]`. SERVER is `adaptive` for
//! one behind `AdaptiveLimit`, and `all` for one that accepts every wire, which needs the feature `wires`.

use anyhow::Result;
use counts::{argument, calls, connect_to, timeless_runtime};
use rpc_runtime::Server;
use rpc_runtime::layer::AdaptiveLimit;

fn main() -> Result<()> {
    timeless_runtime()?.block_on(async {
        let server = match argument(3, "native").as_str() {
            "adaptive" => Server::new().layer(AdaptiveLimit::new()),
            #[cfg(feature = "wires")]
            "all" => counts::of_all_wires(),
            _ => Server::new(),
        };
        let client = connect_to(server, &argument(2, "mem:counts")).await?;
        calls(&client, argument(1, "1000").parse()?).await
    })
}
