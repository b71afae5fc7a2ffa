//! What the calls of one program write to: two schemas that share a lock or a folder would each take the other's away.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::error::Error;

/// What is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Lock,
    /// A folder, in which others may have folders.
    Folder,
    /// A folder from which files are removed that are no longer needed.
    ClearedFolder,
}

struct Use {
    kind: Kind,
    path: PathBuf,
    /// What is compiled to it.
    input: String,
}

static USES: Mutex<Vec<Use>> = Mutex::new(Vec::new());

/// Notes that `input` is compiled to a path, unless that is another's already.
pub(crate) fn claim(kind: Kind, path: &Path, input: &str) -> Result<(), Error> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut uses = USES.lock().unwrap_or_else(PoisonError::into_inner);
    let other = uses
        .iter()
        .find(|other| other.input != input && is_shared(other, kind, &path));
    if let Some(other) = other {
        let (what, method) = match kind {
            Kind::Lock => ("lock", "lock"),
            Kind::Folder | Kind::ClearedFolder => ("folder", "out_dir"),
        };
        return Err(Error::new(format!(
            "two schemas of this program have the {what} `{}`, and each would take away what the other wrote\n\
             (give each a {what} of its own with `{method}`, or compile all files in one call)",
            other.path.display(),
        )));
    }
    let is_known = |it: &Use| it.kind == kind && it.path == path && it.input == input;
    if !uses.iter().any(is_known) {
        uses.push(Use {
            kind,
            path,
            input: input.to_owned(),
        });
    }
    Ok(())
}

fn is_shared(other: &Use, kind: Kind, path: &Path) -> bool {
    match (other.kind, kind) {
        (Kind::Lock, Kind::Lock) => other.path == path,
        (Kind::Lock, _) | (_, Kind::Lock) => false,
        (left, right) => {
            other.path == path
                || (left == Kind::ClearedFolder && path.starts_with(&other.path))
                || (right == Kind::ClearedFolder && other.path.starts_with(path))
        }
    }
}
