//! The serving side.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use futures_util::Stream;
use rpc_runtime::Streaming;
use tempfile::{NamedTempFile, TempPath};

use super::content::{Content, blocking};
use super::folder::{Folder, UPLOADING};
use super::{FileError, FileInfo, Files, Part};

/// Serves the files of a folder.
#[derive(Clone, Debug)]
pub struct FileStore {
    folder: Folder,
}

impl FileStore {
    /// Serves a folder.
    pub fn new(folder: Folder) -> Self {
        Self { folder }
    }

    async fn open(&self, name: String) -> Result<Content, FileError> {
        let folder = self.folder.clone();
        let opened = blocking(move || match folder.existing(&name) {
            Ok(path) => File::open(path).map(Ok),
            Err(error) => Ok(Err(error)),
        });
        Ok(Content::new(opened.await.map_err(disk("open"))??))
    }

    /// Makes a file that no caller sees yet. It is gone when it is dropped.
    async fn begin_upload(&self, name: String, replace: bool) -> Result<Upload, FileError> {
        let folder = self.folder.clone();
        let begun = blocking(move || {
            let (parent, target) = match folder.target(&name) {
                Ok(paths) => paths,
                Err(error) => return Ok(Err(error)),
            };
            if !replace && target.exists() {
                return Ok(Err(FileError::Exists { name }));
            }
            let (file, path) = hidden_file(&parent)?.into_parts();
            Ok(Ok(Upload {
                content: Content::new(file),
                path,
                target,
                name,
                replace,
            }))
        });
        begun.await.map_err(disk("create"))?
    }
}

impl Files for FileStore {
    fn list(&self) -> impl Stream<Item = Result<FileInfo, FileError>> {
        let mut folders = vec![PathBuf::new()];
        async_stream::try_stream! {
            while let Some(inside) = folders.pop() {
                let folder = self.folder.clone();
                let read = blocking(move || folder.read(&inside)).await;
                let (files, inner) = read.map_err(disk("list"))?;
                for file in files {
                    yield file;
                }
                folders.extend(inner.into_iter().rev());
            }
        }
    }

    fn download(&self, name: String, offset: u64) -> impl Stream<Item = Result<Part, FileError>> {
        async_stream::try_stream! {
            let content = self.open(name).await?;
            let size = content.size().await.map_err(disk("read"))?;
            if offset > size {
                Err(FileError::PastTheEnd { size })?;
            }
            yield Part::Start { size };
            content.skip_to(offset).await.map_err(disk("read"))?;
            loop {
                let chunk = content.read().await.map_err(disk("read"))?;
                if chunk.is_empty() {
                    break;
                }
                yield Part::Data(chunk);
            }
            let (_, sha256) = content.hash().await.map_err(disk("read"))?;
            yield Part::End { sha256 };
        }
    }

    async fn upload(
        &self,
        name: String,
        replace: bool,
        mut parts: Streaming<Part>,
    ) -> Result<FileInfo, FileError> {
        let upload = self.begin_upload(name, replace).await?;
        let mut expected = None;
        while let Some(part) = parts.next().await {
            let part = part.map_err(|status| FileError::BrokenOff {
                reason: status.message().to_owned(),
            })?;
            match part {
                _ if expected.is_some() => return Err(out_of_order("something follows the end")),
                Part::Start { .. } => {}
                Part::Data(bytes) => {
                    let written = upload.content.write(bytes).await;
                    written.map_err(disk("write"))?;
                }
                Part::End { sha256 } => expected = Some(sha256),
            }
        }
        let expected = expected.ok_or_else(|| out_of_order("the end is missing"))?;
        upload.finish(expected).await
    }
}

/// A file that is not whole yet.
struct Upload {
    content: Content,
    /// Removes the file when it is dropped.
    path: TempPath,
    target: PathBuf,
    name: String,
    replace: bool,
}

impl Upload {
    /// Gives the file its name, if it is what was sent.
    async fn finish(self, expected: [u8; 32]) -> Result<FileInfo, FileError> {
        let (size, sha256) = self.content.hash().await.map_err(disk("read"))?;
        if sha256 != expected {
            return Err(FileError::HashMismatch);
        }
        self.content.finish().await.map_err(disk("write"))?;
        let name = self.name;
        let renamed = blocking(move || {
            let persisted = if self.replace {
                self.path.persist(&self.target)
            } else {
                // Another upload may have been faster.
                self.path.persist_noclobber(&self.target)
            };
            match persisted {
                Ok(()) => Ok(Ok(FileInfo { name, size })),
                Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                    Ok(Err(FileError::Exists { name }))
                }
                Err(error) => Err(error.error),
            }
        });
        renamed.await.map_err(disk("rename"))?
    }
}

/// Makes an empty file in the folder that it will stay in, because a rename works only there.
fn hidden_file(parent: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(UPLOADING);
    // As for any new file: the umask takes away what is too much.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(parent)
}

fn out_of_order(reason: &str) -> FileError {
    FileError::OutOfOrder {
        reason: reason.to_owned(),
    }
}

/// Keeps the paths of the server out of what its callers see.
fn disk(action: &'static str) -> impl Fn(io::Error) -> FileError {
    move |error| {
        eprintln!("cannot {action} a file: {error}");
        let action = action.to_owned();
        FileError::Disk { action }
    }
}
