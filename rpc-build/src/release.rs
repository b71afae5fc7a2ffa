//! The lock beside a schema: what a build compares with, and what a release writes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::breaking::{Policy, accept, compare};
use crate::diagnostic::Diagnostic;
use crate::error::Error;
use crate::lock::{FILE_NAME, Lock};
use crate::schema::Schema;
use crate::source::{SourceFile, Sources};

/// What was released, and what may be broken of it.
#[derive(Clone, Debug)]
pub(crate) struct Release {
    pub(crate) path: PathBuf,
    pub(crate) policy: Policy,
}

impl Default for Release {
    fn default() -> Self {
        Self {
            path: FILE_NAME.into(),
            policy: Policy::new(),
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

    /// Writes the schema down as released, and returns what that breaks.
    pub(crate) fn accept(&self, schema: &Schema) -> Result<Vec<Diagnostic>, Error> {
        let accepted = accept(self.read()?.as_ref(), schema, &self.policy);
        let text = accepted.lock.to_string();
        // A lock that says the same stays as it is, with its time.
        if fs::read_to_string(&self.path).is_ok_and(|old| old == text) {
            return Ok(accepted.broken);
        }
        fs::write(&self.path, text).map_err(|error| {
            Error::new(format!("cannot write `{}`: {error}", self.path.display()))
        })?;
        Ok(accepted.broken)
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
