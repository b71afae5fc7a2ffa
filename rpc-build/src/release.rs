//! The lock beside a schema: what a build compares with, and what a release writes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::breaking::{Accepted, Policy, accept, compare};
use crate::error::Error;
use crate::lock::{FILE_NAME, Lock};
use crate::schema::Schema;
use crate::source::{SourceFile, Sources};

/// What was released, and what may be broken of it.
#[derive(Clone, Debug)]
pub(crate) struct Release {
    pub(crate) path: PathBuf,
    pub(crate) policy: Policy,
    /// Whether somebody named the lock or a policy, and so believes that there is a lock.
    pub(crate) is_expected: bool,
}

impl Default for Release {
    fn default() -> Self {
        Self {
            path: FILE_NAME.into(),
            policy: Policy::new(),
            is_expected: false,
        }
    }
}

impl Release {
    /// Compares a schema with what was released, if anything was.
    pub(crate) fn check(&self, schema: &Schema) -> Result<(), Error> {
        let Some(lock) = self.read()? else {
            return Ok(());
        };
        let broken = compare(&lock, schema, &self.policy);
        match broken.is_empty() {
            true => Ok(()),
            false => Err(Error::from_diagnostics(&broken, &schema.sources)),
        }
    }

    /// What releasing the schema means; nothing is written yet.
    pub(crate) fn accept(&self, schema: &Schema) -> Result<Accepted, Error> {
        Ok(accept(self.read()?.as_ref(), schema, &self.policy))
    }

    /// Writes a schema down as released. What is there stays whole until all of the new text is on the disk.
    pub(crate) fn write(&self, lock: &Lock) -> Result<(), Error> {
        let text = lock.to_string();
        // A lock that says the same stays as it is, with its time.
        if fs::read_to_string(&self.path).is_ok_and(|old| old == text) {
            return Ok(());
        }
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.new", std::process::id()));
        let new = self.path.with_file_name(name);
        let written = fs::write(&new, text).and_then(|()| fs::rename(&new, &self.path));
        written.map_err(|error| {
            let _ = fs::remove_file(&new);
            Error::new(format!("cannot write `{}`: {error}", self.path.display()))
        })
    }

    fn read(&self) -> Result<Option<Lock>, Error> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                let message = format!("cannot read `{}`: {error}", self.path.display());
                return Err(Error::new(message));
            }
        };
        let lock = Lock::parse(&text);
        lock.map(Some)
            .map_err(|mistakes| Error::from_diagnostics(&mistakes, &shown(&self.path, text)))
    }
}

/// The text of a lock, so that mistakes in it are shown like those in a schema.
fn shown(path: &Path, text: String) -> Sources {
    let mut sources = Sources::default();
    let file = SourceFile::new(FILE_NAME, Some(path.to_owned()), Some(Arc::from(text)));
    sources.insert(file);
    sources
}
