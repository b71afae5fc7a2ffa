//! Reading and writing files with a running hash, away from the threads that serve connections.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::CHUNK;

/// A file and the hash of what was read or written so far.
///
/// Both the disk and the hash can take a while, so each step runs on a thread for blocking work.
/// Clones are the same file; a step that nobody waits for any more is still done.
#[derive(Clone, Debug)]
pub(super) struct Content {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    file: File,
    hash: Sha256,
    position: u64,
}

impl Content {
    pub(super) fn new(file: File) -> Self {
        Self {
            inner: Arc::new(Mutex::new(Inner {
                file,
                hash: Sha256::new(),
                position: 0,
            })),
        }
    }

    /// Returns the next bytes; none at the end.
    pub(super) async fn read(&self) -> io::Result<Vec<u8>> {
        self.step(|inner| {
            let mut chunk = Vec::with_capacity(CHUNK);
            let limit = CHUNK as u64;
            (&mut inner.file).take(limit).read_to_end(&mut chunk)?;
            inner.passed(&chunk);
            Ok(chunk)
        })
        .await
    }

    /// Reads as far as this position, for the hash alone.
    pub(super) async fn skip_to(&self, position: u64) -> io::Result<()> {
        self.step(move |inner| {
            let mut chunk = vec![0; CHUNK];
            while inner.position < position {
                let left = position - inner.position;
                let limit = usize::try_from(left).map_or(CHUNK, |it| it.min(CHUNK));
                let count = inner.file.read(&mut chunk[..limit])?;
                if count == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                inner.passed(&chunk[..count]);
            }
            Ok(())
        })
        .await
    }

    /// Writes the next bytes.
    pub(super) async fn write(&self, bytes: Vec<u8>) -> io::Result<()> {
        self.step(move |inner| {
            // A write that is left over from a broken transfer may move the end of the file, but
            // it writes the same bytes at the same place.
            inner.file.seek(SeekFrom::Start(inner.position))?;
            inner.file.write_all(&bytes)?;
            inner.passed(&bytes);
            Ok(())
        })
        .await
    }

    /// Returns the length of the file, as it is now.
    pub(super) async fn size(&self) -> io::Result<u64> {
        self.step(|inner| Ok(inner.file.metadata()?.len())).await
    }

    /// Returns how far the file was read or written, and the hash up to there.
    pub(super) async fn hash(&self) -> io::Result<(u64, [u8; 32])> {
        self.step(|inner| Ok((inner.position, inner.hash.clone().finalize().into())))
            .await
    }

    /// Cuts the file off at the position and waits until the disk has it.
    pub(super) async fn finish(&self) -> io::Result<()> {
        self.step(|inner| {
            inner.file.set_len(inner.position)?;
            inner.file.sync_all()
        })
        .await
    }

    async fn step<T: Send + 'static>(
        &self,
        step: impl FnOnce(&mut Inner) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let inner = Arc::clone(&self.inner);
        blocking(move || step(&mut inner.lock().unwrap_or_else(PoisonError::into_inner))).await
    }
}

impl Inner {
    fn passed(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.position += bytes.len() as u64;
    }
}

/// Runs work for the disk on a thread of its own.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(io::Error::other)?
}
