//! `files` without an argument: a server and its client in one process, on temporary folders.

use std::fs;
use std::path::Path;

use futures_util::{TryStreamExt, stream};
use rpc_examples::files::{
    CHUNK, FileError, FileStore, FilesClient, FilesServer, Folder, Options, Part, TransferError,
    download, partial_path, upload,
};
use rpc_runtime::Server;
use tokio::sync::Notify;

use crate::Failure;

/// The length of the file that is sent to and fro: not a multiple of anything.
const SIZE: usize = 8_000_003;

/// Serves a temporary folder, uses it, and ends the server in good order.
pub(crate) async fn run() -> Result<(), Failure> {
    let place = tempfile::tempdir()?;
    let shared = place.path().join("shared");
    let mine = place.path().join("mine");
    fs::create_dir_all(&shared)?;
    fs::create_dir_all(&mine)?;
    let server = Server::new()
        .add(FilesServer::new(FileStore::new(Folder::open(&shared)?)))
        .listen("tcp://127.0.0.1:0")
        .bind()
        .await?;
    let url = server.url().to_owned();
    println!("Serving a temporary folder at {url}");
    let stop = server.shutdown_handle();
    let serving = tokio::spawn(server.serve());
    let files = FilesClient::connect(&url).await?;

    show_upload(&files, &shared, &mine).await?;
    show_list(&files).await?;
    show_resume(&files, &mine).await?;
    show_broken_upload(&files, &shared).await?;
    show_refusals(&files, place.path()).await?;
    stop.shutdown();
    serving.await??;
    println!("\nEverything went as expected.");
    Ok(())
}

async fn show_upload(files: &FilesClient, shared: &Path, mine: &Path) -> Result<(), Failure> {
    println!("\nUpload");
    let source = mine.join("numbers.bin");
    fs::write(&source, pseudo_random(SIZE))?;
    let file = upload(files, &source, "numbers.bin", plain(&|_, _| {})).await?;
    println!(
        "  numbers.bin        {} bytes arrived, SHA-256 checked",
        file.size
    );
    let arrived = fs::read(shared.join("numbers.bin"))? == fs::read(&source)?;
    expect(arrived, "the server's file is the one that was sent")?;
    let again = upload(files, &source, "numbers.bin", plain(&|_, _| {})).await;
    show_refused("numbers.bin again", again, |error| {
        matches!(error, FileError::Exists { .. })
    })
}

async fn show_list(files: &FilesClient) -> Result<(), Failure> {
    println!("\nList");
    let listed: Vec<_> = files.list().try_collect().await?;
    for file in &listed {
        println!("  {:<18} {} bytes", file.name, file.size);
    }
    expect(listed.len() == 1, "there is one file")
}

/// Gives a download up half-way, and goes on with it.
async fn show_resume(files: &FilesClient, mine: &Path) -> Result<(), Failure> {
    println!("\nDownload");
    let destination = mine.join("copy.bin");
    let half_way = Notify::new();
    let watch = |done, total| {
        if done >= total / 2 {
            half_way.notify_one();
        }
    };
    tokio::select! {
        biased;
        () = half_way.notified() => {}
        ended = download(files, "numbers.bin", &destination, plain(&watch)) => {
            return Err(format!("the download was to break off, and gave {ended:?}").into());
        }
    }
    let partial = fs::metadata(partial_path(&destination))?.len();
    println!("  broken off         after {partial} bytes, which are kept in copy.bin.part");
    expect(!destination.exists(), "half a file has no name of its own")?;

    let first = std::sync::OnceLock::new();
    let watch = |done, _| {
        first.get_or_init(|| done);
    };
    let file = download(files, "numbers.bin", &destination, plain(&watch)).await?;
    let from = first.get().copied().unwrap_or_default();
    println!(
        "  resumed            at byte {from}; {} bytes, SHA-256 checked",
        file.size
    );
    expect(from >= partial, "the download went on where it broke off")?;
    let whole = fs::read(&destination)? == pseudo_random(SIZE);
    expect(whole, "the copy is the file")?;
    expect(
        !partial_path(&destination).exists(),
        "no partial file is left",
    )
}

/// Sends parts by hand: one upload that stops in the middle, one with a wrong hash.
async fn show_broken_upload(files: &FilesClient, shared: &Path) -> Result<(), Failure> {
    println!("\nBroken uploads");
    let data = Part::Data(vec![1; CHUNK]);
    let cut = files.upload("cut.bin".into(), false, stream::iter([data.clone()]));
    show_refused("without its end", cut.await.map_err(Into::into), |error| {
        matches!(error, FileError::OutOfOrder { .. })
    })?;
    let wrong = stream::iter([data, Part::End { sha256: [0; 32] }]);
    let wrong = files.upload("wrong.bin".into(), false, wrong).await;
    show_refused("with a wrong hash", wrong.map_err(Into::into), |error| {
        *error == FileError::HashMismatch
    })?;
    let left = fs::read_dir(shared)?.count();
    expect(left == 1, "broken uploads leave nothing behind")
}

async fn show_refusals(files: &FilesClient, place: &Path) -> Result<(), Failure> {
    println!("\nPaths outside the folder");
    fs::write(place.join("secret"), "not for everybody")?;
    let absolute = place.join("secret").display().to_string();
    for (what, name) in [
        ("a path upwards", "../secret"),
        ("an absolute path", &absolute),
    ] {
        let stolen = download(files, name, &place.join("stolen"), plain(&|_, _| {})).await;
        show_refused(what, stolen, |error| {
            matches!(error, FileError::Refused { .. })
        })?;
    }
    let planted = upload(
        files,
        &place.join("secret"),
        "../planted",
        plain(&|_, _| {}),
    )
    .await;
    show_refused("writing upwards", planted, |error| {
        matches!(error, FileError::Refused { .. })
    })?;
    expect(
        !place.join("planted").exists(),
        "nothing is written outside",
    )
}

fn show_refused<T>(
    what: &str,
    result: Result<T, TransferError>,
    is_expected: impl FnOnce(&FileError) -> bool,
) -> Result<(), Failure> {
    let Err(error) = result else {
        return Err(format!("{what}: this was to be refused").into());
    };
    println!("  {what:<18} refused: {error}");
    let TransferError::Call(error) = error else {
        return Err(error.into());
    };
    expect(error.app().is_some_and(is_expected), "the error says why")
}

fn plain<'a>(progress: &'a (dyn Fn(u64, u64) + Send + Sync)) -> Options<'a> {
    let replace = false;
    Options { replace, progress }
}

fn expect(is_so: bool, what: &str) -> Result<(), Failure> {
    if is_so {
        return Ok(());
    }
    Err(format!("this does not hold: {what}").into())
}

/// Returns bytes in which a piece that is lost or doubled is noticed.
fn pseudo_random(size: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        // Knuth's MMIX generator; its high bits are the good ones.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..size).map(|_| next()).collect()
}
