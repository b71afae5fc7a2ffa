//! A configuration that is read again when its files have changed.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::error::Error;

/// How long nobody looks at the files after somebody did.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What is made of files, and made again when one of them has changed.
pub(super) struct Reloading<C> {
    read: Box<dyn Fn() -> Result<C, Error> + Send + Sync>,
    files: Vec<PathBuf>,
    state: Mutex<State<C>>,
    /// Held by who reads them, for all who have nothing until then.
    reading: tokio::sync::Mutex<()>,
}

struct State<C> {
    current: Option<Arc<C>>,
    looked: Option<Instant>,
    /// Of the last attempt, whether it went well or not: one mistake is one line in the log.
    stamps: Vec<Option<Stamp>>,
}

/// What a look at the files found.
enum Looked<C> {
    Same(Arc<C>),
    New(Arc<C>),
    Broken(Arc<C>, Error),
}

/// What changes when a file does.
#[derive(Clone, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    /// Inode and time of change: a renamed file may be as old and as long as the one before, and
    /// permissions that are put right change neither.
    #[cfg(unix)]
    identity: (u64, i64, i64),
}

impl Stamp {
    /// Follows links, which is how mounted secrets are exchanged.
    fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        Some(Self {
            modified: metadata.modified().ok(),
            length: metadata.len(),
            #[cfg(unix)]
            identity: {
                use std::os::unix::fs::MetadataExt;
                (metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
            },
        })
    }
}

impl<C: Send + Sync + 'static> Reloading<C> {
    pub(super) fn new(
        files: Vec<PathBuf>,
        read: impl Fn() -> Result<C, Error> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            read: Box::new(read),
            files,
            state: Mutex::new(State {
                current: None,
                looked: None,
                stamps: Vec::new(),
            }),
            reading: tokio::sync::Mutex::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State<C>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the configuration as the files say it, or as they said it while they made sense.
    ///
    /// One caller a second looks at the files, on a thread where that may block; the others meanwhile
    /// have what is there, or wait for it.
    ///
    /// # Errors
    ///
    /// Files that cannot be used, where none could before.
    pub(super) async fn current(self: &Arc<Self>) -> Result<Arc<C>, Error> {
        if let Some(current) = self.recent() {
            return Ok(current);
        }
        let _reading = self.reading.lock().await;
        let this = Arc::clone(self);
        let looked = tokio::task::spawn_blocking(move || this.look()).await;
        let looked =
            looked.map_err(|error| Error::new("reading the certificates was stopped", error));
        match looked?? {
            Looked::Same(current) => Ok(current),
            Looked::New(current) => {
                tracing::info!(files = ?self.files, "changed TLS files were read again");
                Ok(current)
            }
            Looked::Broken(current, error) => {
                tracing::error!(%error, "changed TLS files cannot be used, the former stay in use");
                Ok(current)
            }
        }
    }

    fn recent(&self) -> Option<Arc<C>> {
        let mut state = self.state();
        let now = Instant::now();
        let recent = state
            .looked
            .is_some_and(|it| now.duration_since(it) < LOOK_EVERY);
        if recent || self.files.is_empty() {
            return state.current.clone();
        }
        state.looked = Some(now);
        None
    }

    fn look(&self) -> Result<Looked<C>, Error> {
        // Taken before the files are read: what changes while they are read is seen the next time.
        let stamps: Vec<_> = self.files.iter().map(|it| Stamp::of(it)).collect();
        let before = {
            let state = self.state();
            match &state.current {
                Some(current) if state.stamps == stamps => {
                    return Ok(Looked::Same(Arc::clone(current)));
                }
                before => before.clone(),
            }
        };
        let read = (self.read)().map(Arc::new);
        let mut state = self.state();
        state.stamps = stamps;
        if let Ok(read) = &read {
            state.current = Some(Arc::clone(read));
        }
        match (read, before) {
            (Ok(read), None) => Ok(Looked::Same(read)),
            (Ok(read), Some(_)) => Ok(Looked::New(read)),
            (Err(error), Some(before)) => Ok(Looked::Broken(before, error)),
            (Err(error), None) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn who_comes_while_it_is_read_waits_for_that() {
        let reads = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&reads);
        let reloading = Reloading::new(Vec::new(), move || {
            std::thread::sleep(Duration::from_millis(10));
            Ok(count.fetch_add(1, Ordering::SeqCst))
        });
        let (first, second) = tokio::join!(reloading.current(), reloading.current());
        assert!(Arc::ptr_eq(&first.unwrap(), &second.unwrap()));
        assert_eq!(reads.load(Ordering::SeqCst), 1);
    }
}
