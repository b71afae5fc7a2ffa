//! The calling side: whole files, checked, and resumed where they broke off.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::Stream;
use rpc_runtime::{CallError, Status, Streaming};

use super::content::{Content, blocking};
use super::{FileError, FileInfo, FilesClient, Part};

/// An upload is one call with one answer, and those have 30 seconds unless somebody says more.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

/// Why a file was not transferred.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The server said no, or the connection broke.
    #[error(transparent)]
    Call(#[from] CallError<FileError>),
    /// A file on this side cannot be read or written.
    #[error("{}: {source}", path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// There is a file already where the download is to go.
    #[error("{} exists already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// What arrived is not what the server has; the partial file has been removed.
    #[error("the SHA-256 of what arrived is not that of the server's file; it was removed")]
    HashMismatch,
    /// The server ended the stream without the end of the file.
    #[error("the server sent parts in the wrong order")]
    OutOfOrder,
}

impl TransferError {
    /// Whether what is here cannot be the beginning of what the server has now.
    fn is_of_another_file(&self) -> bool {
        match self {
            Self::HashMismatch => true,
            Self::Call(error) => matches!(error.app(), Some(FileError::PastTheEnd { .. })),
            Self::Disk { .. } | Self::Exists { .. } | Self::OutOfOrder => false,
        }
    }
}

/// How a transfer is made.
pub struct Options<'a> {
    /// Whether a file that exists already is replaced.
    pub replace: bool,
    /// Is told how many bytes of how many have passed.
    pub progress: &'a (dyn Fn(u64, u64) + Send + Sync),
}

impl std::fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("replace", &self.replace)
            .finish_non_exhaustive()
    }
}

/// Returns where a download is kept until it is whole.
pub fn partial_path(destination: &Path) -> PathBuf {
    let mut name = OsString::from(destination);
    name.push(".part");
    PathBuf::from(name)
}

/// Downloads a file, going on where an earlier download of it broke off.
///
/// # Errors
///
/// See [`TransferError`]. After all but a wrong hash the next download goes on from here.
///
/// # Cancel safety
///
/// Dropping the future cancels the download; the next one goes on from there.
pub async fn download(
    files: &FilesClient,
    name: &str,
    destination: &Path,
    options: Options<'_>,
) -> Result<FileInfo, TransferError> {
    let partial = partial_path(destination);
    let (content, offset) = open_partial(destination, &partial, options.replace).await?;
    let fetched = fetch(files, name, (&content, offset), &partial, options.progress).await;
    if let Err(error) = &fetched {
        let (done, _) = content.hash().await.map_err(disk(&partial))?;
        if done == 0 || error.is_of_another_file() {
            in_file(&partial, |path| fs::remove_file(path)).await?;
        }
    }
    let size = fetched?;
    let destination = destination.to_owned();
    in_file(&partial, move |partial| fs::rename(partial, destination)).await?;
    let name = name.to_owned();
    Ok(FileInfo { name, size })
}

/// Opens what an earlier download has left, or begins anew.
async fn open_partial(
    destination: &Path,
    partial: &Path,
    replace: bool,
) -> Result<(Content, u64), TransferError> {
    if !replace && in_file(destination, |path| path.try_exists()).await? {
        let path = destination.to_owned();
        return Err(TransferError::Exists { path });
    }
    let file = in_file(partial, |path| {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        options.open(path)
    });
    let content = Content::new(file.await?);
    let size = content.size().await.map_err(disk(partial))?;
    Ok((content, size))
}

/// Writes the rest of the file, and returns its whole length.
async fn fetch(
    files: &FilesClient,
    name: &str,
    (content, offset): (&Content, u64),
    partial: &Path,
    progress: &(dyn Fn(u64, u64) + Send + Sync),
) -> Result<u64, TransferError> {
    content.skip_to(offset).await.map_err(disk(partial))?;
    let mut parts = files.download(name.to_owned(), offset);
    let (mut total, mut done) = (0, offset);
    let mut expected = None;
    while let Some(part) = parts.next().await {
        match part? {
            Part::Start { size } => total = size,
            Part::Data(bytes) => {
                done += bytes.len() as u64;
                content.write(bytes).await.map_err(disk(partial))?;
            }
            Part::End { sha256 } => expected = Some(sha256),
        }
        progress(done, total);
    }
    let expected = expected.ok_or(TransferError::OutOfOrder)?;
    let (size, sha256) = content.hash().await.map_err(disk(partial))?;
    if sha256 != expected {
        return Err(TransferError::HashMismatch);
    }
    content.finish().await.map_err(disk(partial))?;
    Ok(size)
}

/// Uploads a file under a name.
///
/// # Errors
///
/// See [`TransferError`]. The server keeps nothing of a failed upload.
///
/// # Cancel safety
///
/// Dropping the future cancels the upload.
pub async fn upload(
    files: &FilesClient,
    source: &Path,
    name: &str,
    options: Options<'_>,
) -> Result<FileInfo, TransferError> {
    let content = Content::new(in_file(source, |path| File::open(path)).await?);
    let size = content.size().await.map_err(disk(source))?;
    let (passed, mut seen) = tokio::sync::watch::channel(0);
    let parts = Streaming::try_from_stream(parts_of(content, size, passed));
    let call = files.upload(name.to_owned(), options.replace, parts);
    let mut call = call.timeout(UPLOAD_TIMEOUT).into_future();
    loop {
        tokio::select! {
            uploaded = &mut call => return Ok(uploaded?),
            Ok(()) = seen.changed() => {
                let done = *seen.borrow_and_update();
                (options.progress)(done, size);
            }
        }
    }
}

/// Reads a file as it is asked for; the server's window is what asks.
fn parts_of(
    content: Content,
    size: u64,
    passed: tokio::sync::watch::Sender<u64>,
) -> impl Stream<Item = Result<Part, Status>> + Send + 'static {
    let unreadable =
        |error: io::Error| Status::aborted("the file cannot be read any more").with_source(error);
    async_stream::try_stream! {
        yield Part::Start { size };
        loop {
            let chunk = content.read().await.map_err(unreadable)?;
            if chunk.is_empty() {
                break;
            }
            passed.send_modify(|done| *done += chunk.len() as u64);
            yield Part::Data(chunk);
        }
        let (_, sha256) = content.hash().await.map_err(unreadable)?;
        yield Part::End { sha256 };
    }
}

async fn in_file<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> Result<T, TransferError> {
    let owned = path.to_owned();
    blocking(move || work(&owned)).await.map_err(disk(path))
}

fn disk(path: &Path) -> impl FnOnce(io::Error) -> TransferError {
    let path = path.to_owned();
    move |source| TransferError::Disk { path, source }
}
