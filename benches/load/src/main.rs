//! What the library does under load: a program for each question, and its answer as a table and a plot.
//!
//! `load PART` prints what it found in Markdown, and fails unless what is promised holds; `load PART FOLDER`
//! also draws into the folder. Servers are processes of their own, started with `load serve ..`.

mod attack;
mod connections;
mod hostile;
mod in_flight;
mod offer;
mod overload;
mod plot;
mod process;
mod restarts;
mod server;
mod service;
mod storm;

use std::path::PathBuf;

use anyhow::{Result, bail};

const PARTS: [&str; 6] = [
    "connections",
    "in-flight",
    "hostile",
    "overload",
    "restarts",
    "storm",
];

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let part = arguments.next().unwrap_or_default();
    match part.as_str() {
        "serve" => return server::serve(&arguments.collect::<Vec<_>>()).await,
        "attack" => return attack::run(&arguments.collect::<Vec<_>>()).await,
        _ => {}
    }
    let folder = arguments.next().map(PathBuf::from);
    let folder = folder.as_deref();
    match part.as_str() {
        "connections" => connections::run().await,
        "in-flight" => in_flight::run().await,
        "hostile" => hostile::run().await,
        "overload" => overload::run(folder).await,
        "restarts" => restarts::run(folder).await,
        "storm" => storm::run(folder).await,
        _ => bail!("usage: load {} [FOLDER]", PARTS.join(" | ")),
    }
}
