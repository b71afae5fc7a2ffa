//! Makes calls, for callgrind to count the instructions of: `instructions CALLS [URL]`.

use anyhow::Result;
use counts::{argument, calls, connect, runtime};

fn main() -> Result<()> {
    runtime()?.block_on(async {
        let client = connect(&argument(2, "tcp://127.0.0.1:0")).await?;
        calls(&client, argument(1, "1000").parse()?).await
    })
}
