//! An echo without any framework: what every one pays.
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let (mut socket, _) = TcpListener::bind("127.0.0.1:7000").await?.accept().await?;
    let mut message = [0; 64];
    let len = socket.read(&mut message).await?;
    socket.write_all(&message[..len]).await
}
