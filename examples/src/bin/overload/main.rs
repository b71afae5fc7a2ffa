//! A server that is asked for ten times what it can do: how much it still does, and how fast.
//!
//! `cargo run --release --bin overload` shows it; with `--check` it fails when goodput falls below 90 %
//! of the peak, when admitted calls take more than twice their normal time, or when it does not recover.

mod load;

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use rpc_runtime::layer::AdaptiveLimit;
use rpc_runtime::{Channel, Server};
use tokio::sync::Semaphore;

use crate::load::{Outcome, offer, peak};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How long one call works.
const WORK: Duration = Duration::from_millis(10);

/// How many calls work at once on what they share.
const PLACES: usize = 16;

/// An overloaded server, with and without an adaptive limit.
#[derive(Parser)]
struct Arguments {
    /// What the calls are short of.
    #[arg(long, value_enum, default_value = "places")]
    short_of: Short,
    /// Serve without `AdaptiveLimit`.
    #[arg(long)]
    without: bool,
    /// How long each part takes, in seconds.
    #[arg(long, default_value_t = 2)]
    seconds: u64,
    /// How many times the capacity is asked for.
    #[arg(long, default_value_t = 10.0)]
    times: f64,
    /// Fail unless the promise holds.
    #[arg(long)]
    check: bool,
}

/// What calls are short of.
#[derive(Clone, Copy, ValueEnum)]
enum Short {
    /// Processors: each call computes.
    Processors,
    /// Something shared, such as connections to a database: each call holds one of 16 and waits.
    Places,
}

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    // The server has threads of its own, so that the callers do not wait for their turn in it.
    let serving = tokio::runtime::Runtime::new()?;
    let url = serving.block_on(serve(&arguments))?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(demonstrate(&arguments, &url))
}

async fn serve(arguments: &Arguments) -> Result<String, Failure> {
    let places = Arc::new(Semaphore::new(PLACES));
    let short_of = arguments.short_of;
    let mut server = Server::new().function("work", move || {
        let places = Arc::clone(&places);
        async move {
            match short_of {
                Short::Processors => compute(),
                Short::Places => {
                    let _place = places.acquire().await;
                    tokio::time::sleep(WORK).await;
                }
            }
        }
    });
    if !arguments.without {
        server = server.layer(AdaptiveLimit::new());
    }
    let bound = server.listen("tcp://127.0.0.1:0").bind().await?;
    let url = bound.url().to_owned();
    tokio::spawn(bound.serve());
    Ok(url)
}

fn compute() {
    let start = Instant::now();
    while start.elapsed() < WORK {
        std::hint::spin_loop();
    }
}

async fn demonstrate(arguments: &Arguments, url: &str) -> Result<(), Failure> {
    let channel = Channel::connect(url).await?;
    let part = Duration::from_secs(arguments.seconds);
    let peak = peak(&channel, part).await;
    println!("peak: {peak:.0} calls a second");
    println!("{}", Outcome::HEAD);

    let normal = offer(&channel, peak * 0.7, part).await;
    println!("{}", normal.row("0.7 times the peak", peak));
    let title = format!("{} times the peak", arguments.times);
    let mut over = offer(&channel, peak * arguments.times, part).await;
    println!("{}", over.row(&format!("{title}, at first"), peak));
    over = offer(&channel, peak * arguments.times, part * 2).await;
    println!("{}", over.row(&title, peak));
    // What "within five seconds" means: what comes after the first of them is as before.
    let recovering = offer(&channel, peak * 0.7, part).await;
    println!("{}", recovering.row("0.7 times again, at first", peak));
    let after = offer(&channel, peak * 0.7, part).await;
    println!("{}", after.row("0.7 times again", peak));

    let holds = over.goodput() >= 0.9 * peak
        && over.p99() <= normal.p99() * 2
        && after.p99() <= normal.p99() * 3 / 2
        && after.goodput() >= normal.goodput() * 0.95;
    if arguments.check && !holds {
        return Err("the server did not do what it promises under load".into());
    }
    Ok(())
}
