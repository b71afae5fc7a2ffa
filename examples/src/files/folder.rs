//! The one folder that a server shows, and the names that stay inside it.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::{FileError, FileInfo};

/// What uploads are called before they are whole. Such names are not for callers.
pub(super) const UPLOADING: &str = ".uploading-";

/// A folder out of which no name leads.
///
/// Callers can make neither folders nor links, so what was checked stays so, unless somebody else
/// on this machine changes the folder at the same moment.
#[derive(Clone, Debug)]
pub struct Folder {
    /// Absolute and without links.
    root: PathBuf,
}

impl Folder {
    /// Opens a folder.
    ///
    /// # Errors
    ///
    /// There is none at this path.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let root = path.as_ref().canonicalize()?;
        if !root.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self { root })
    }

    /// Returns where an existing file is.
    pub(super) fn existing(&self, name: &str) -> Result<PathBuf, FileError> {
        let path = self.root.join(relative(name)?);
        let path = path
            .canonicalize()
            .map_err(|error| failed_at(name, &error))?;
        self.check_inside(name, &path)?;
        // A pipe or a device would be opened for ever.
        if !path.is_file() {
            return Err(refused(name, "it is no file"));
        }
        Ok(path)
    }

    /// Returns where a new file goes: its folder, and its whole path.
    pub(super) fn target(&self, name: &str) -> Result<(PathBuf, PathBuf), FileError> {
        let path = self.root.join(relative(name)?);
        let (Some(parent), Some(file_name)) = (path.parent(), path.file_name()) else {
            return Err(refused(name, "it is no file"));
        };
        let parent = parent
            .canonicalize()
            .map_err(|error| failed_at(name, &error))?;
        self.check_inside(name, &parent)?;
        let path = parent.join(file_name);
        // A link is replaced and never followed, but a folder cannot be replaced.
        if fs::symlink_metadata(&path).is_ok_and(|it| !it.is_file()) {
            return Err(refused(name, "there is something else than a file"));
        }
        Ok((parent, path))
    }

    fn check_inside(&self, name: &str, path: &Path) -> Result<(), FileError> {
        if path.starts_with(&self.root) {
            return Ok(());
        }
        Err(refused(name, "it leads out of the folder"))
    }

    /// Returns the files of one folder inside, and the folders in it. Links are left out.
    pub(super) fn read(&self, inside: &Path) -> io::Result<(Vec<FileInfo>, Vec<PathBuf>)> {
        let (mut files, mut folders) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(self.root.join(inside))? {
            let entry = entry?;
            let path = inside.join(entry.file_name());
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file()
                // What is no text cannot be asked for.
                && let Some(name) = path.to_str()
                && relative(name).is_ok()
            {
                let size = entry.metadata()?.len();
                let name = name.to_owned();
                files.push(FileInfo { name, size });
            }
        }
        files.sort();
        folders.sort();
        Ok((files, folders))
    }
}

/// Returns the name as a path that goes down and nowhere else.
fn relative(name: &str) -> Result<&Path, FileError> {
    let path = Path::new(name);
    let mut parts = 0;
    for component in path.components() {
        parts += 1;
        let Component::Normal(part) = component else {
            return Err(refused(name, "only names below the folder are allowed"));
        };
        if part.to_str().is_none_or(|it| it.starts_with(UPLOADING)) {
            return Err(refused(name, "such names are for unfinished uploads"));
        }
    }
    if parts == 0 || name.ends_with('/') || name.contains('\0') {
        return Err(refused(name, "it is no name of a file"));
    }
    Ok(path)
}

fn refused(name: &str, reason: &str) -> FileError {
    FileError::Refused {
        name: name.to_owned(),
        reason: reason.to_owned(),
    }
}

/// What a caller may know of a path that cannot be followed: nothing of what is outside.
fn failed_at(name: &str, error: &io::Error) -> FileError {
    match error.kind() {
        io::ErrorKind::NotFound => FileError::NotFound {
            name: name.to_owned(),
        },
        _ => refused(name, "it cannot be followed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, Folder) {
        let around = tempfile::tempdir().unwrap();
        let inside = around.path().join("shared");
        fs::create_dir_all(inside.join("sub")).unwrap();
        fs::write(around.path().join("secret"), "outside").unwrap();
        fs::write(inside.join("a.txt"), "inside").unwrap();
        fs::write(inside.join("sub/b.txt"), "deeper").unwrap();
        let folder = Folder::open(inside).unwrap();
        (around, folder)
    }

    fn is_refused<T>(result: Result<T, FileError>) -> bool {
        matches!(result, Err(FileError::Refused { .. }))
    }

    #[test]
    fn names_below_the_folder_are_found() {
        let (_around, folder) = folder();
        for name in ["a.txt", "sub/b.txt"] {
            assert!(folder.existing(name).unwrap().ends_with(name), "{name}");
            folder.target(name).unwrap();
        }
        folder.target("sub/new.txt").unwrap();
    }

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        let (around, folder) = folder();
        let absolute = around.path().join("secret");
        let absolute = absolute.to_str().unwrap();
        for name in [
            "../secret",
            "sub/../../secret",
            "sub/../a.txt",
            "./../secret",
            "..",
            ".",
            "",
            "/",
            "a\0b",
            "sub/",
            absolute,
            ".uploading-1",
        ] {
            assert!(is_refused(folder.existing(name)), "reading `{name}`");
            assert!(is_refused(folder.target(name)), "writing `{name}`");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_that_leave_the_folder_are_refused() {
        use std::os::unix::fs::symlink;
        let (around, folder) = folder();
        let inside = around.path().join("shared");
        symlink(around.path().join("secret"), inside.join("link")).unwrap();
        symlink(around.path(), inside.join("up")).unwrap();
        symlink(inside.join("a.txt"), inside.join("alias")).unwrap();
        assert!(is_refused(folder.existing("link")));
        assert!(is_refused(folder.existing("up/secret")));
        assert!(is_refused(folder.target("link")));
        assert!(is_refused(folder.target("up/new")));
        assert!(folder.existing("alias").is_ok());
        let (files, folders) = folder.read(Path::new("")).unwrap();
        let names: Vec<_> = files.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["a.txt"]);
        assert_eq!(folders, [PathBuf::from("sub")]);
    }

    #[test]
    fn folders_are_no_files() {
        let (_around, folder) = folder();
        assert!(is_refused(folder.existing("sub")));
        assert!(is_refused(folder.target("sub")));
        assert_eq!(
            folder.existing("nothing"),
            Err(FileError::NotFound {
                name: "nothing".into()
            })
        );
    }
}
