//! What stands between clients and a server, and can be cut.

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Passes bytes on between clients and a server, until it is dropped.
#[derive(Debug)]
pub struct Line {
    /// Where to connect to instead of to the server.
    pub url: String,
    cut: watch::Sender<()>,
    task: JoinHandle<()>,
}

impl Line {
    /// Begins to pass on to the server at this URL, whatever is spoken over its TCP.
    pub async fn to(url: &str) -> Self {
        let (scheme, server) = url.split_once("://").expect("a URL");
        let server = server.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let (cut, cuts) = watch::channel(());
        let task = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut server = TcpStream::connect(&server).await.expect("it listens");
                let mut cuts = cuts.clone();
                cuts.mark_unchanged();
                tokio::spawn(async move {
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                        _ = cuts.changed() => {}
                    }
                });
            }
        });
        Self {
            url: format!("{scheme}://{address}"),
            cut,
            task,
        }
    }

    /// Cuts all connections that are open. Those that come later are passed on.
    pub fn cut(&self) {
        self.cut.send_replace(());
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}
