//! Servers that a file lists.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::discover::{Discover, Instance};

/// How often the file is looked at where nobody says otherwise.
const INTERVAL: Duration = Duration::from_secs(1);

/// Finds servers in a file, one URL on a line, and again whenever that changes.
///
/// What is behind a `#` is a comment. Write the new file beside the old one and rename it, so that
/// no half of it is read.
///
/// # Examples
///
/// ```no_run
/// use rpc_runtime::Channel;
/// use rpc_runtime::client::ServerFile;
///
/// # async fn connect() -> Result<(), rpc_runtime::Status> {
/// let channel = Channel::connect(ServerFile::new("/etc/math/servers")).await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct ServerFile {
    path: PathBuf,
    interval: Duration,
    text: Option<String>,
}

impl ServerFile {
    /// Reads the servers from the file at this path.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            interval: INTERVAL,
            text: None,
        }
    }

    /// Sets how long to wait between two looks at the file, a second by default.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }
}

impl Discover for ServerFile {
    type Error = io::Error;

    async fn next(&mut self) -> io::Result<Vec<Instance>> {
        loop {
            if self.text.is_some() {
                sleep(self.interval).await;
            }
            let path = self.path.clone();
            let read = spawn_blocking(move || {
                std::fs::read_to_string(&path).map_err(|error| {
                    let text = format!("cannot read `{}`: {error}", path.display());
                    io::Error::new(error.kind(), text)
                })
            });
            let text = read.await.map_err(io::Error::other)??;
            if self.text.as_ref() != Some(&text) {
                let found = instances(&text);
                self.text = Some(text);
                return Ok(found);
            }
        }
    }
}

fn instances(text: &str) -> Vec<Instance> {
    let lines = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default());
    let urls = lines.map(str::trim).filter(|it| !it.is_empty());
    urls.map(Instance::new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_url_and_may_have_a_comment() {
        let found = instances("tcp://a:1 # the old one\n\n# none\r\n  mem:b\r\n");
        assert_eq!(found, ["tcp://a:1", "mem:b"].map(Instance::new));
    }
}
