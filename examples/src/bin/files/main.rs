//! Files over the network: listed, downloaded and uploaded by streaming, checked and resumed.
//!
//! Without an argument it shows everything at once. `files serve` is one side, `files list`, `files
//! get` and `files put` are the other.

mod demo;
mod progress;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use progress::Progress;
use rpc_examples::files::{
    FileInfo, FileStore, FilesClient, FilesServer, Folder, Options, download, upload,
};
use rpc_runtime::Server;

/// Files over the network: listed, downloaded and uploaded by streaming, checked and resumed.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// What to do; without it, everything is shown at once.
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serves a folder until it is interrupted. Everybody who reaches it can read and add files.
    Serve {
        /// The folder.
        folder: PathBuf,
        /// Where to listen.
        #[arg(long, default_value = "tcp://127.0.0.1:8080")]
        url: String,
    },
    /// Lists what a server has.
    List {
        /// The server.
        url: String,
    },
    /// Downloads a file, going on where an earlier download broke off.
    Get(Get),
    /// Uploads a file.
    Put(Put),
}

#[derive(clap::Args)]
struct Get {
    /// The server.
    url: String,
    /// The file's name on the server.
    name: String,
    /// Where it goes; by default here, under the last part of its name.
    destination: Option<PathBuf>,
    /// Replaces a file that exists already.
    #[arg(long)]
    replace: bool,
}

#[derive(clap::Args)]
struct Put {
    /// The server.
    url: String,
    /// The file.
    path: PathBuf,
    /// The file's name on the server; by default the last part of its path.
    name: Option<String>,
    /// Replaces a file that exists already.
    #[arg(long)]
    replace: bool,
}

/// What can go wrong in any of the commands; each says in one line what it was.
type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("files: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Option<Command>) -> Result<(), Failure> {
    match command {
        None => demo::run().await,
        Some(Command::Serve { folder, url }) => serve(&folder, &url).await,
        Some(Command::List { url }) => list(&FilesClient::connect(url).await?).await,
        Some(Command::Get(arguments)) => get(arguments).await,
        Some(Command::Put(arguments)) => put(arguments).await,
    }
}

async fn get(arguments: Get) -> Result<(), Failure> {
    let name = arguments.name;
    let last_part = name.rsplit('/').next().unwrap_or(&name);
    let destination = arguments.destination;
    let destination = destination.unwrap_or_else(|| PathBuf::from(last_part));
    let files = FilesClient::connect(arguments.url).await?;
    let progress = Progress::new(&name);
    let options = options(arguments.replace, &progress);
    let file = download(&files, &name, &destination, options).await?;
    done(&file, &format!("downloaded to {}", destination.display()));
    Ok(())
}

async fn put(arguments: Put) -> Result<(), Failure> {
    let path = arguments.path;
    let last_part = path.file_name().and_then(|it| it.to_str());
    let name = arguments.name.or_else(|| last_part.map(str::to_owned));
    let name = name.ok_or("the path has no name that is text, so give one")?;
    let files = FilesClient::connect(arguments.url).await?;
    let progress = Progress::new(&name);
    let options = options(arguments.replace, &progress);
    let file = upload(&files, &path, &name, options).await?;
    done(&file, "uploaded");
    Ok(())
}

fn options<'a>(replace: bool, progress: &'a Progress) -> Options<'a> {
    Options {
        replace,
        progress: progress.callback(),
    }
}

fn done(file: &FileInfo, what: &str) {
    let FileInfo { name, size } = file;
    println!("{name}: {size} bytes {what}, SHA-256 as it should be");
}

async fn serve(folder: &Path, url: &str) -> Result<(), Failure> {
    let opened = Folder::open(folder);
    let shown = opened.map_err(|error| format!("{}: {error}", folder.display()))?;
    let bound = Server::new()
        .add(FilesServer::new(FileStore::new(shown)))
        .listen(url)
        .bind()
        .await?;
    eprintln!("serving {} at {}", folder.display(), bound.url());
    Ok(bound.serve_until_signal().await?)
}

async fn list(files: &FilesClient) -> Result<(), Failure> {
    let mut listed = files.list();
    while let Some(file) = listed.next().await {
        let FileInfo { name, size } = file?;
        println!("{size:>14}  {name}");
    }
    Ok(())
}
