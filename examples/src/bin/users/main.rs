//! A user service from `.proto` files, in two versions at once: served, called and shown.
//!
//! Without an argument it shows everything at once. `users serve` is one side for two terminals, the other commands are the
//! other; `users interactive` calls methods by hand.

mod client;
mod demo;
mod interactive;
mod serve;

use std::error::Error;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A user service from `.proto` files, in two versions at once: served, called and shown.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// What to do; without it, everything is shown at once.
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serves both versions until it is interrupted, then finishes the calls that it has accepted.
    Serve {
        /// Where to listen.
        #[arg(default_value = "tcp://127.0.0.1:8080")]
        url: String,
    },
    /// Calls one method, through the client that was generated.
    #[command(flatten)]
    Client(client::Command),
    /// Calls methods by name, with a prompt.
    Interactive {
        /// The server.
        #[arg(default_value = "tcp://127.0.0.1:8080")]
        url: String,
    },
}

/// What can go wrong in any of the commands; each says in one line what it was.
type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        None => demo::run().await,
        Some(Command::Serve { url }) => serve::run(&url).await,
        Some(Command::Client(command)) => client::run(command).await,
        Some(Command::Interactive { url }) => interactive::run(&url).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("users: {failure}");
            ExitCode::FAILURE
        }
    }
}
