//! Makes calls, for callgrind to count the instructions of: `instructions CALLS [URL]`.

use anyhow::Result;
use counts::{argument, calls, connect, timeless_runtime};

fn main() -> Result<()> {
    timeless_runtime()?.block_on(async {
        let client = connect(&argument(2, "mem:counts")).await?;
        calls(&client, argument(1, "1000").parse()?).await
    })
}
