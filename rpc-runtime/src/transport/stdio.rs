//! Standard input and output as a connection: a child process that serves its parent.

use std::io;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::sync::oneshot;

use super::{BoxReader, BoxWriter, Io, with_context};

/// How long a child may go on after its input has ended, to finish what it has accepted.
const GRACE: Duration = Duration::from_secs(2);

/// Starts a child and talks to it over its standard input and output.
///
/// Its standard error stays ours, so that what it logs is seen.
pub(super) fn connect(command: &[String]) -> io::Result<Io> {
    connect_with_grace(command, GRACE)
}

fn connect_with_grace(command: &[String], grace: Duration) -> io::Result<Io> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "no program to start",
        ));
    };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        // The last resort, for a runtime that is shut down before the grace period is over.
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| with_context(format!("cannot start `{program}`"), error))?;
    let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::Error::other(format!("`{program}` has no pipes")));
    };
    // Without its arguments, which may hold secrets, and with what tells it from its siblings.
    let peer = match child.id() {
        Some(id) => format!("stdio:{program} (process {id})"),
        None => format!("stdio:{program}"),
    };
    Ok(Io::from_halves(output, input)
        .with_peer(peer)
        .with_guard(ChildGuard::new(child, grace)))
}

/// Gives the child notice when the connection ends.
struct ChildGuard {
    /// Closed by the drop; nothing is ever sent.
    _connection: oneshot::Sender<()>,
}

impl ChildGuard {
    fn new(child: Child, grace: Duration) -> Self {
        let (connection, ended) = oneshot::channel();
        // Ends with the child, at the latest `grace` after this guard.
        tokio::spawn(wait_or_kill(child, ended, grace));
        Self {
            _connection: connection,
        }
    }
}

/// Reaps the child whenever it exits, and sees to it that it does once the connection has ended.
async fn wait_or_kill(mut child: Child, ended: oneshot::Receiver<()>, grace: Duration) {
    tokio::select! {
        _ = child.wait() => return,
        _ = ended => {}
    }
    if tokio::time::timeout(grace, child.wait()).await.is_err() {
        // Fails only if the child has exited in this moment.
        let _ = child.kill().await;
    }
}

/// Whether the process's own standard input and output belong to a listener or its connection.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The claim on the process's own standard input and output.
struct Claim;

impl Claim {
    fn new() -> io::Result<Self> {
        if TAKEN.swap(true, Ordering::AcqRel) {
            return Err(io::Error::new(
                io::ErrorKind::AddrInUse,
                "standard input and output are served already",
            ));
        }
        Ok(Self)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        TAKEN.store(false, Ordering::Release);
    }
}

/// Serves the process that started this one: exactly one connection.
pub(super) struct Listener {
    state: State,
}

enum State {
    Waiting(Claim),
    /// Receives an error when the connection has ended.
    Connected(oneshot::Receiver<()>),
    Ended,
}

impl Listener {
    pub(super) fn bind() -> io::Result<Self> {
        Ok(Self {
            state: State::Waiting(Claim::new()?),
        })
    }

    /// Returns the connection the first time; after that waits for its end and reports it.
    pub(super) async fn accept(&mut self) -> io::Result<Io> {
        self.accept_from(own_io).await
    }

    async fn accept_from(&mut self, open: fn() -> Io) -> io::Result<Io> {
        if let State::Connected(ended) = &mut self.state {
            let _ = ended.await;
            self.state = State::Ended;
        }
        let State::Waiting(claim) = std::mem::replace(&mut self.state, State::Ended) else {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "standard input and output carry one connection, and it has ended",
            ));
        };
        let (connection, ended) = oneshot::channel::<()>();
        self.state = State::Connected(ended);
        Ok(open().with_peer("stdio:").with_guard((claim, connection)))
    }
}

/// The process's own input and output.
///
/// tokio's `stdin()` reads in a thread that cannot be stopped, so that a runtime with a silent
/// parent would never shut down. A pipe, which is what a parent gives, can be polled instead. Each
/// direction decides for itself: polling a descriptor makes it non-blocking, which the thread of
/// the other way would not survive.
fn own_io() -> Io {
    Io::from_halves(own_input(), own_output())
}

fn own_input() -> BoxReader {
    #[cfg(unix)]
    if let Ok(pipe) = own_pipe(io::stdin(), tokio::net::unix::pipe::Receiver::from_owned_fd) {
        return Box::pin(pipe);
    }
    Box::pin(tokio::io::stdin())
}

fn own_output() -> BoxWriter {
    #[cfg(unix)]
    if let Ok(pipe) = own_pipe(io::stdout(), tokio::net::unix::pipe::Sender::from_owned_fd) {
        return Box::pin(pipe);
    }
    Box::pin(tokio::io::stdout())
}

/// Fails, and changes nothing, if the descriptor is not a pipe.
#[cfg(unix)]
fn own_pipe<P>(
    descriptor: impl std::os::fd::AsFd,
    pipe: impl FnOnce(std::os::fd::OwnedFd) -> io::Result<P>,
) -> io::Result<P> {
    pipe(descriptor.as_fd().try_clone_to_owned()?)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::super::{Address, connect};
    use super::*;

    fn shell(script: &str) -> Vec<String> {
        ["sh", "-c", script].map(str::to_owned).to_vec()
    }

    /// Whether the process exists; a killed one that nobody has waited for still does.
    async fn exists(process: &str) -> bool {
        // Every shell has `kill`; as a program of its own it is often not installed.
        let status = Command::new("sh")
            .args(["-c", "kill -0 \"$0\"", process])
            .stderr(Stdio::null())
            .status();
        status.await.unwrap().success()
    }

    async fn assert_ends(process: &str, bound: Duration) -> Duration {
        let start = Instant::now();
        while exists(process).await {
            assert!(start.elapsed() < bound, "process {process} is still there");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        start.elapsed()
    }

    #[tokio::test]
    async fn a_child_echoes_and_ends_when_its_input_ends() {
        let address: Address = "stdio:cat -u".parse().unwrap();
        let io = connect(&address).await.unwrap();
        let (mut reader, mut writer, peer, guard) = io.into_parts();
        let process = peer.strip_prefix("stdio:cat (process ").unwrap();
        let process = process.strip_suffix(')').unwrap().to_owned();
        writer.write_all(b"ping").await.unwrap();
        writer.flush().await.unwrap();
        let mut received = [0; 4];
        reader.read_exact(&mut received).await.unwrap();
        assert_eq!(&received, b"ping");
        assert!(exists(&process).await);
        drop((reader, writer, guard));
        assert_ends(&process, GRACE).await;
    }

    #[tokio::test]
    async fn a_child_has_time_to_finish() {
        let directory = std::env::temp_dir();
        let file = directory.join(format!("rpc-stdio-{}", std::process::id()));
        let script = format!(
            "cat >/dev/null; sleep 0.1; echo done > '{}'",
            file.display()
        );
        drop(connect_with_grace(&shell(&script), Duration::from_secs(60)).unwrap());
        let start = Instant::now();
        while std::fs::read_to_string(&file).unwrap_or_default() != "done\n" {
            assert!(start.elapsed() < Duration::from_secs(30), "never finished");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        std::fs::remove_file(file).unwrap();
    }

    #[tokio::test]
    async fn a_child_that_ignores_the_end_is_killed() {
        let command = shell("echo $$; exec sleep 600");
        let io = connect_with_grace(&command, Duration::from_millis(50)).unwrap();
        let (mut reader, writer, _, guard) = io.into_parts();
        let mut process = String::new();
        while !process.ends_with('\n') {
            process.push(char::from(reader.read_u8().await.unwrap()));
        }
        drop((reader, writer, guard));
        let took = assert_ends(process.trim(), Duration::from_secs(30)).await;
        assert!(took >= Duration::from_millis(40), "killed after {took:?}");
    }

    #[tokio::test]
    async fn a_child_that_exits_ends_the_stream() {
        let io = connect_with_grace(&shell("exit 3"), GRACE).unwrap();
        let (mut reader, _writer, _, _guard) = io.into_parts();
        assert_eq!(reader.read(&mut [0; 1]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_missing_program_is_named() {
        let address: Address = "stdio:no-such-program-here x".parse().unwrap();
        let error = connect(&address).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let text = error.to_string();
        assert!(
            text.starts_with("cannot start `no-such-program-here`: "),
            "{text}"
        );
    }

    #[tokio::test]
    async fn a_listener_has_one_connection_and_ends_with_it() {
        // The test's own streams belong to the test runner, which may not expect them non-blocking.
        let open = || Io::new(tokio::io::empty());
        let mut listener = Listener::bind().unwrap();
        let taken = Listener::bind().err().unwrap();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
        let io = listener.accept_from(open).await.unwrap();
        assert_eq!(&**io.peer(), "stdio:");
        tokio::select! {
            biased;
            _ = listener.accept_from(open) => panic!("there cannot be a second connection"),
            () = tokio::task::yield_now() => {}
        }
        drop(io);
        for _ in 0..2 {
            let ended = listener.accept_from(open).await.unwrap_err();
            assert_eq!(ended.kind(), io::ErrorKind::UnexpectedEof);
            assert!(!super::super::is_transient(&ended));
        }
        Listener::bind().unwrap();
    }

    const ROLE: &str = "RPC_TEST_STDIO_ROLE";

    /// Starts this test again in a process of its own, which serves its standard streams.
    #[tokio::test]
    async fn a_process_serves_its_parent_and_ends_with_it() {
        if std::env::var_os(ROLE).is_some() {
            return echo_to_parent().await;
        }
        let name = "transport::stdio::tests::a_process_serves_its_parent_and_ends_with_it";
        let script = format!("{ROLE}=child exec \"$0\" --exact {name} --nocapture");
        let program = std::env::current_exe().unwrap().display().to_string();
        let mut command = shell(&script);
        command.push(program);
        let (mut reader, mut writer, peer, guard) =
            connect_with_grace(&command, GRACE).unwrap().into_parts();
        writer.write_all(b"ping").await.unwrap();
        writer.flush().await.unwrap();
        // The test runner's own heading comes first.
        let mut received = Vec::new();
        while !received.ends_with(b"ping") {
            received.push(reader.read_u8().await.unwrap());
        }
        drop(writer);
        let mut rest = String::new();
        reader.read_to_string(&mut rest).await.unwrap();
        assert!(rest.contains("test result: ok. 1 passed"), "{rest}");
        drop((reader, guard));
        let process = peer.strip_prefix("stdio:sh (process ").unwrap();
        assert_ends(process.trim_end_matches(')'), GRACE).await;
    }

    async fn echo_to_parent() {
        let mut listener = Listener::bind().unwrap();
        let (mut reader, mut writer, _, guard) = listener.accept().await.unwrap().into_parts();
        tokio::io::copy(&mut reader, &mut writer).await.unwrap();
        writer.flush().await.unwrap();
        drop((reader, writer, guard));
        let ended = listener.accept().await.unwrap_err();
        assert_eq!(ended.kind(), io::ErrorKind::UnexpectedEof);
    }
}
