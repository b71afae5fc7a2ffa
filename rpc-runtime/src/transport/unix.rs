//! Unix domain sockets.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

use super::{Address, Io, with_context};

pub(super) async fn connect(path: &Path) -> io::Result<Io> {
    let stream = UnixStream::connect(path).await?;
    Ok(into_io(stream, path))
}

/// Both ends are named by the socket's path: a client's own end has no name.
fn into_io(stream: UnixStream, path: &Path) -> Io {
    let (reader, writer) = stream.into_split();
    Io::from_halves(reader, writer).with_peer(Address::Unix(path.to_owned()).to_string())
}

pub(super) struct Listener {
    listener: UnixListener,
    /// As the user wrote it: relative paths are also a way around the length limit of socket names.
    path: PathBuf,
    file: SocketFile,
}

impl Listener {
    pub(super) async fn bind(path: &Path) -> io::Result<Self> {
        let listener = match UnixListener::bind(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                remove_stale(path).await?;
                UnixListener::bind(path)?
            }
            other => other?,
        };
        Ok(Self {
            listener,
            path: path.to_owned(),
            file: SocketFile::at(path)?,
        })
    }

    pub(super) async fn accept(&self) -> io::Result<Io> {
        let (stream, _) = self.listener.accept().await?;
        Ok(into_io(stream, &self.path))
    }

    pub(super) fn address(&self) -> Address {
        Address::Unix(self.path.clone())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // Another server may have taken the path over since; its file is not ours to remove. The
        // socket is still open here, so the number of its file cannot have been given away.
        if self.file.is_still_there() {
            let _ = fs::remove_file(&self.file.path);
        }
    }
}

/// Removes the socket file of a server that ended without doing so itself.
async fn remove_stale(path: &Path) -> io::Result<()> {
    let in_use = |reason: &str| {
        Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            format!("{} {reason}", path.display()),
        ))
    };
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        return in_use("exists and is not a socket, remove it or choose another path");
    }
    let file = SocketFile::at(path)?;
    match UnixStream::connect(path).await {
        Ok(_) => in_use("belongs to a server that is running"),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            // A server that started meanwhile has made a file of its own: leave it alone, and let
            // the second attempt to bind find it.
            if file.is_still_there() {
                fs::remove_file(path).map_err(|error| {
                    with_context(
                        "cannot remove the socket of a server that is gone".into(),
                        error,
                    )
                })?;
            }
            Ok(())
        }
        // Gone by itself: just what was wanted.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // No permission, a full backlog: somebody may well be there.
        Err(error) => in_use(&format!(
            "seems to belong to a server that is running: {error}"
        )),
    }
}

/// One particular file, told apart from a later one at the same path.
struct SocketFile {
    /// Absolute, because the working directory may change before the file is removed.
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl SocketFile {
    fn at(path: &Path) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(path)?;
        Ok(Self {
            path: std::path::absolute(path)?,
            device: metadata.dev(),
            inode: metadata.ino(),
        })
    }

    fn is_still_there(&self) -> bool {
        fs::symlink_metadata(&self.path)
            .is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == (self.device, self.inode))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::tests::assert_duplex;
    use super::*;

    /// A path in a directory of its own, removed at the end of the test.
    struct FreePath(PathBuf);

    impl FreePath {
        fn new() -> Self {
            static NEXT: AtomicUsize = AtomicUsize::new(0);
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("rpc-unix-{}-{number}", std::process::id());
            let directory = std::env::temp_dir().join(name);
            fs::create_dir(&directory).unwrap();
            Self(directory.join("socket"))
        }
    }

    impl Drop for FreePath {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(self.0.parent().unwrap());
        }
    }

    #[tokio::test]
    async fn a_path_connects_carries_bytes_and_is_removed() {
        let path = FreePath::new();
        let listener = Listener::bind(&path.0).await.unwrap();
        let url = format!("unix://{}", path.0.display());
        assert_eq!(listener.address().to_string(), url);
        let (client, server) = tokio::join!(connect(&path.0), listener.accept());
        let (client, server) = (client.unwrap(), server.unwrap());
        assert_eq!((&**client.peer(), &**server.peer()), (&*url, &*url));
        assert_duplex(client, server).await;
        drop(listener);
        assert!(!path.0.exists());
    }

    #[tokio::test]
    async fn a_stale_file_is_replaced() {
        let path = FreePath::new();
        // The standard library's listener leaves its file behind, as a killed server does.
        drop(std::os::unix::net::UnixListener::bind(&path.0).unwrap());
        assert!(path.0.exists());
        let listener = Listener::bind(&path.0).await.unwrap();
        let (client, server) = tokio::join!(connect(&path.0), listener.accept());
        assert_duplex(client.unwrap(), server.unwrap()).await;
    }

    #[tokio::test]
    async fn a_running_server_keeps_its_path() {
        let path = FreePath::new();
        let listener = Listener::bind(&path.0).await.unwrap();
        let error = Listener::bind(&path.0).await.err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(error.to_string().contains("is running"), "{error}");
        assert!(path.0.exists());
        drop(listener);
    }

    #[tokio::test]
    async fn a_file_that_is_no_socket_is_left_alone() {
        let path = FreePath::new();
        fs::write(&path.0, "precious").unwrap();
        let error = Listener::bind(&path.0).await.err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(error.to_string().contains("is not a socket"), "{error}");
        assert_eq!(fs::read_to_string(&path.0).unwrap(), "precious");
    }

    #[tokio::test]
    async fn the_file_of_a_successor_is_left_alone() {
        let path = FreePath::new();
        let listener = Listener::bind(&path.0).await.unwrap();
        fs::remove_file(&path.0).unwrap();
        let successor = Listener::bind(&path.0).await.unwrap();
        drop(listener);
        assert!(path.0.exists());
        drop(successor);
        assert!(!path.0.exists());
    }

    #[tokio::test]
    async fn a_missing_path_cannot_be_connected_to() {
        let path = FreePath::new();
        let error = connect(&path.0).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
