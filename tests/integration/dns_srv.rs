//! Servers that are found by SRV records, with dnsmasq for a name server.

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rpc_runtime::client::{Balance, Discover, DnsSrv};
use rpc_runtime::layer::Retry;
use rpc_runtime::{Channel, Code};
use rpc_tests::serving::{Serving, serve};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::{Instant, timeout};

use crate::servers::{LONG, name, named, names, until_answered_by};

/// A dnsmasq that knows what it is told and nothing else; it ends when this is dropped.
struct NameServer {
    address: SocketAddr,
    folder: TempDir,
    child: Child,
    /// What it says, which must not be closed before it ends.
    _says: Lines<BufReader<ChildStderr>>,
}

impl NameServer {
    /// Starts one with these lines of its configuration. Names below `test` that are not there do not
    /// exist; it refuses to look for any others.
    async fn start(zone: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        loop {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            drop(listener);
            // Another one may have taken the port meanwhile.
            if let Some((child, says)) = run(address, &folder, zone).await {
                return Self {
                    address,
                    folder,
                    child,
                    _says: says,
                };
            }
        }
    }

    /// Serves this from now on.
    async fn set(&mut self, zone: &str) {
        self.child.kill().await.unwrap();
        let started = run(self.address, &self.folder, zone).await;
        (self.child, self._says) = started.expect("its port is free again");
    }

    fn finds(&self, url: &str) -> DnsSrv {
        DnsSrv::new(url).name_server(self.address)
    }
}

async fn run(
    address: SocketAddr,
    folder: &TempDir,
    zone: &str,
) -> Option<(Child, Lines<BufReader<ChildStderr>>)> {
    let configuration = folder.path().join("dnsmasq.conf");
    let (ip, port) = (address.ip(), address.port());
    let text = format!(
        "no-resolv\nno-hosts\nbind-interfaces\nlisten-address={ip}\nport={port}\nlocal=/test/\n\
         local-ttl=1\n{zone}\n"
    );
    std::fs::write(&configuration, text).unwrap();
    // Where Debian has it, which need not be searched for programs.
    let program = Path::new("/usr/sbin/dnsmasq");
    let program = if program.exists() {
        program
    } else {
        Path::new("dnsmasq")
    };
    let mut child = Command::new(program)
        .arg("--no-daemon")
        .arg("--pid-file=")
        .arg(format!("--conf-file={}", configuration.display()))
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("dnsmasq is installed: bash tests/setup.sh");
    let mut says = BufReader::new(child.stderr.take().unwrap()).lines();
    // It says so when it listens.
    let first = says.next_line().await.unwrap().unwrap_or_default();
    if first.contains("started") {
        return Some((child, says));
    }
    assert!(
        first.contains("failed to create listening socket"),
        "{first}"
    );
    None
}

fn port(serving: &Serving) -> u16 {
    let (_, port) = serving.url.rsplit_once(':').unwrap();
    port.parse().unwrap()
}

fn record(host: &str, serving: &Serving, priority: u16, weight: u16) -> String {
    let port = port(serving);
    format!(
        "srv-host=_math._tcp.test,{host}.test,{port},{priority},{weight}\nhost-record={host}.test,127.0.0.1\n"
    )
}

#[tokio::test]
async fn servers_are_found_with_their_ports_and_looked_up_when_their_time_is_over() {
    let [first, second, third] = ["first", "second", "third"].map(named);
    let first = serve("tcp", first).await;
    let second = serve("tcp", second).await;
    let third = serve("tcp", third).await;
    let zone = record("one", &first, 10, 5) + &record("two", &second, 10, 5);
    let mut dns = NameServer::start(&zone).await;
    let channel = Channel::connect(dns.finds("tcp://_math._tcp.test"));
    let channel = channel.await.unwrap();
    until_answered_by(&channel, &["first", "second"]).await;

    // After a second, as the records say.
    dns.set(&record("three", &third, 0, 1)).await;
    until_answered_by(&channel, &["third"]).await;
    // What cannot be found leaves things as they are.
    dns.set("").await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    until_answered_by(&channel, &["third"]).await;
    // A service that is expressly not there is left.
    dns.set("srv-host=_math._tcp.test").await;
    let left = async {
        loop {
            match name(&channel).await {
                Ok(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                Err(status) => return status,
            }
        }
    };
    let status = timeout(LONG, left).await.expect("it is left");
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert!(status.message().contains("no servers"), "{status}");
    // And comes again.
    dns.set(&zone).await;
    let back = async {
        while name(&channel).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LONG, back).await.expect("it comes again");
    until_answered_by(&channel, &["first", "second"]).await;
}

#[tokio::test]
async fn the_next_priority_is_called_while_none_of_the_first_can_be_reached_and_weights_are_shares()
{
    let [first, second, backup] = ["first", "second", "backup"].map(named);
    let first = serve("tcp", first).await;
    let second = serve("tcp", second).await;
    let backup = serve("tcp", backup).await;
    let zone = record("one", &first, 10, 3)
        + &record("two", &second, 10, 1)
        + &record("other", &backup, 20, 60_000);
    let dns = NameServer::start(&zone).await;
    for balance in [Balance::RoundRobin, Balance::LeastRequests] {
        let connect = Channel::connect(dns.finds("tcp://_math._tcp.test"));
        let channel = connect.balance(balance).await.unwrap();
        until_answered_by(&channel, &["first", "second"]).await;
        let shares = names(&channel, 400).await;
        assert!((295..=305).contains(&shares["first"]), "{shares:?}");
    }
    let connect = Channel::connect(dns.finds("tcp://_math._tcp.test"));
    // A call may be on its way to the one that ends.
    let connect = connect.layer(Retry::new().assume_idempotent());
    let channel = connect.await.unwrap();
    until_answered_by(&channel, &["first", "second"]).await;
    drop(first);
    until_answered_by(&channel, &["second"]).await;
    drop(second);
    until_answered_by(&channel, &["backup"]).await;
}

#[tokio::test]
async fn long_answers_come_over_tcp_and_what_is_wrong_is_told() {
    let mut zone = String::new();
    for number in 0..100 {
        let host = format!("host-{number}.test");
        let _ = writeln!(zone, "srv-host=_many._tcp.test,{host},80,1,1");
        let _ = writeln!(zone, "host-record={host},127.0.0.1,::1");
    }
    zone += "srv-host=_lost._tcp.test,nowhere.test,80,1,1\n\
             srv-host=_math._tcp.test,one.test,80,1,1\n\
             host-record=one.test,127.0.0.1\n\
             srv-host=_math._tcp.other.example,one.test,80,1,1\n";
    let dns = NameServer::start(&zone).await;

    let found = dns.finds("tcp://_many._tcp.test").next().await.unwrap();
    assert!(found.iter().any(|it| it.url() == "tcp://host-99.test:80"));
    assert_eq!(found.len(), 200, "one of each family");

    for (url, expected) in [
        ("tcp://_none._tcp.test", "`_none._tcp.test`"),
        ("tcp://_lost._tcp.test", "`nowhere.test`"),
        ("tcp://_math._tcp.test:80", "has a port"),
        ("tls://_math._tcp.other.example", "in another domain"),
        ("mem:math", "no host"),
    ] {
        let error = dns.finds(url).next().await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    let secure = dns.finds("tls://_math._tcp.test").next().await;
    assert_eq!(secure.unwrap()[0].url(), "tls://one.test:80");
}

/// A name server that has a problem is no reason to leave servers.
#[tokio::test]
async fn a_host_that_cannot_be_asked_for_keeps_its_addresses() {
    let records = "srv-host=_math._tcp.test,one.test,80,1,1\n\
                   srv-host=_math._tcp.test,two.elsewhere,80,1,1\n\
                   host-record=one.test,127.0.0.1\n";
    let with_two = format!("{records}host-record=two.elsewhere,127.0.0.2\n");
    let mut dns = NameServer::start(&with_two).await;
    let mut finds = dns.finds("tcp://_math._tcp.test").interval(Duration::ZERO);
    assert_eq!(finds.next().await.unwrap().len(), 2);
    // It refuses to tell anything of `elsewhere` now, and has an address more for the other.
    dns.set(&format!("{records}host-record=one.test,127.0.0.3\n"))
        .await;
    let found = timeout(LONG, finds.next()).await.unwrap().unwrap();
    assert!(
        found.iter().any(|it| it.url() == "tcp://two.elsewhere:80"),
        "{found:?}"
    );
    assert_eq!(found.len(), 3, "{found:?}");
    // That there is no such host is an answer.
    dns.set(&format!("{records}local=/elsewhere/\n")).await;
    let found = timeout(LONG, finds.next()).await.unwrap().unwrap();
    assert!(
        found.iter().all(|it| it.url() == "tcp://one.test:80"),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_name_server_that_says_nothing_is_not_waited_for_for_long() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let finds = DnsSrv::new("tcp://_math._tcp.test").name_server(silent.local_addr().unwrap());
    let began = Instant::now();
    let limit = Duration::from_millis(300);
    let error = finds.timeout(limit).next().await.unwrap_err();
    assert!(error.to_string().contains("longer than 300ms"), "{error}");
    assert!(began.elapsed() >= limit && began.elapsed() < LONG);
    // Whoever sets no limits gets none, and no panic.
    let forever = DnsSrv::new("tcp://_math._tcp.test").name_server(silent.local_addr().unwrap());
    let mut forever = forever.timeout(Duration::MAX).interval(Duration::MAX);
    assert!(timeout(limit, forever.next()).await.is_err());
}
