//! A math service, a user store and two plain functions: served, called and shown.
//!
//! Without an argument it shows everything at once. `math serve` and `math call` are the two sides
//! for two terminals, `math workers` spreads work over processes.

mod call;
mod demo;
mod report;
mod serve;
mod workers;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A math service, a user store and two plain functions: served, called and shown.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// What to do; without it, everything is shown at once.
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serves until it is interrupted, then finishes the calls that it has accepted.
    Serve {
        /// Where to listen, such as `tcp://127.0.0.1:8080`, `unix:///run/math.sock` or `stdio:`.
        #[arg(default_value = "tcp://127.0.0.1:8080")]
        urls: Vec<String>,
        /// Speaks TLS, with the certificates in this PEM file.
        #[arg(long, value_name = "PEM", requires = "tls_key")]
        tls_certificate: Option<PathBuf>,
        /// The key of the first certificate.
        #[arg(long, value_name = "PEM", requires = "tls_certificate")]
        tls_key: Option<PathBuf>,
        /// Lets pages of this origin call, such as `http://localhost:5173`; may be given several times.
        #[arg(long, value_name = "ORIGIN")]
        allow_origin: Vec<String>,
    },
    /// Calls a method or a function by name, and prints one line of JSON per value.
    Call(call::Arguments),
    /// Spreads work over processes that are started for it.
    Workers {
        /// How many processes.
        #[arg(default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
        count: u8,
    },
}

/// What can go wrong in any of the commands; each says in one line what it was.
type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        None => demo::run().await,
        Some(Command::Serve {
            urls,
            tls_certificate,
            tls_key,
            allow_origin,
        }) => serve::run(&urls, tls_certificate.zip(tls_key), &allow_origin).await,
        Some(Command::Call(arguments)) => call::run(arguments).await,
        Some(Command::Workers { count }) => workers::run(count).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("math: {failure}");
            ExitCode::FAILURE
        }
    }
}
