//! Servers that a file lists.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::discover::{Discover, Instance};

/// How often the file is looked at where nobody says otherwise.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long a file must stay as it is before it is taken for whole.
const WRITING: Duration = Duration::from_millis(100);

/// Finds servers in a file, one URL on a line, and again whenever that changes.
///
/// What is behind a `#` is a comment. A new text counts once it has stayed the same for a tenth of a second, as
/// it may still be being written. To be sure that no half of it is read, write the new file beside the old one and
/// rename it.
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
    /// Another text that the file has had since the last look.
    new: Option<String>,
}

impl ServerFile {
    /// Reads the servers from the file at this path.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            interval: INTERVAL,
            text: None,
            new: None,
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
            match &self.new {
                Some(_) => sleep(WRITING).await,
                None if self.text.is_some() => sleep(self.interval).await,
                None => {}
            }
            let path = self.path.clone();
            let read = spawn_blocking(move || {
                std::fs::read_to_string(&path).map_err(|error| {
                    let text = format!("cannot read `{}`: {error}", path.display());
                    io::Error::new(error.kind(), text)
                })
            });
            let text = read.await.map_err(io::Error::other)??;
            let is_whole = self.text.is_none() || self.new.as_ref() == Some(&text);
            let is_new = self.text.as_ref() != Some(&text);
            self.new = None;
            if is_new && is_whole {
                let found = instances(&text);
                self.text = Some(text);
                return Ok(found);
            }
            self.new = is_new.then_some(text);
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

    #[tokio::test(start_paused = true)]
    async fn a_file_is_read_when_it_is_written() {
        let path = std::env::temp_dir().join(format!("servers-{}", std::process::id()));
        let servers = |url: &str| vec![Instance::new(url)];
        std::fs::write(&path, "tcp://a:80\n").unwrap();
        let (mut file, name) = (ServerFile::new(&path), path.clone());
        assert_eq!(file.next().await.unwrap(), servers("tcp://a:80"));
        std::fs::write(&path, "tcp://b:8").unwrap();
        let writing = tokio::spawn(async move {
            sleep(INTERVAL + WRITING / 2).await;
            std::fs::write(&path, "tcp://b:80\n").unwrap();
            sleep(INTERVAL).await;
            std::fs::write(&path, "").unwrap();
            sleep(WRITING / 2).await;
            std::fs::write(&path, "tcp://b:80\n").unwrap();
            sleep(INTERVAL * 2).await;
            std::fs::write(&path, "# none\n").unwrap();
        });
        assert_eq!(file.next().await.unwrap(), servers("tcp://b:80"));
        assert_eq!(file.next().await.unwrap(), []);
        writing.await.unwrap();
        std::fs::remove_file(name).unwrap();
    }

    #[test]
    fn a_line_is_a_url_and_may_have_a_comment() {
        let found = instances("tcp://a:1 # the old one\n\n# none\r\n  mem:b\r\n");
        assert_eq!(found, ["tcp://a:1", "mem:b"].map(Instance::new));
    }
}
