//! Makes calls, for callgrind to count the instructions of: `instructions CALLS [URL [all]]`. With
//! `all` the server accepts every wire, which needs the feature `wires`.

use anyhow::Result;
use counts::{argument, calls, connect, timeless_runtime};

fn main() -> Result<()> {
    timeless_runtime()?.block_on(async {
        let url = argument(2, "mem:counts");
        let client = match argument(3, "native").as_str() {
            #[cfg(feature = "wires")]
            "all" => counts::connect_among_wires(&url).await?,
            _ => connect(&url).await?,
        };
        calls(&client, argument(1, "1000").parse()?).await
    })
}
