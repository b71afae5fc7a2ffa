use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::server::{Bound, ShutdownHandle};
use crate::service::from_fn;
use crate::{CallError, Channel, Code, Error, Server, Status, rpc_service};

const LONG: Duration = Duration::from_secs(20);

/// Why nothing was paid.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct NotPaid(Vec<String>);

impl fmt::Display for NotPaid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not paid")
    }
}

impl std::error::Error for NotPaid {}

#[rpc_service(name = "test.v1.Till", crate = crate)]
trait Till {
    /// Pays, and gives the note back; nothing is an error of many words.
    #[rpc(once)]
    async fn pay(&self, cents: u32, note: String) -> Result<String, NotPaid>;
}

/// A shop that takes payments when it is open.
#[derive(Clone)]
struct Shop {
    begun: Arc<AtomicU32>,
    ended: Arc<AtomicU32>,
    open: Arc<Semaphore>,
}

impl Shop {
    fn new(open: usize) -> Self {
        Self {
            begun: Arc::default(),
            ended: Arc::default(),
            open: Arc::new(Semaphore::new(open)),
        }
    }

    fn begun(&self) -> u32 {
        self.begun.load(Ordering::SeqCst)
    }

    fn ended(&self) -> u32 {
        self.ended.load(Ordering::SeqCst)
    }
}

/// Counts a handler that has ended, however it ended.
struct Ended(Arc<AtomicU32>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Till for Shop {
    async fn pay(&self, cents: u32, note: String) -> Result<String, NotPaid> {
        let _ended = Ended(Arc::clone(&self.ended));
        self.begun.fetch_add(1, Ordering::SeqCst);
        self.open.acquire().await.unwrap().forget();
        match cents {
            0 => Err(NotPaid(vec![note])),
            _ => Ok(note),
        }
    }
}

struct Serving {
    till: TillClient,
    stop: ShutdownHandle,
    served: JoinHandle<Result<(), Error>>,
}

impl Serving {
    async fn new(name: &str, server: Server) -> Self {
        let url = format!("mem:{name}");
        let bound: Bound = server.listen(&url).bind().await.unwrap();
        let stop = bound.shutdown_handle();
        let served = tokio::spawn(bound.serve());
        let till = TillClient::new(Channel::connect(&url).await.unwrap());
        Self { till, stop, served }
    }

    fn alone(&self) -> usize {
        self.stop.0.answers().unwrap().alone()
    }

    /// Begins a call, and leaves it when its handler has begun.
    async fn leave_alone(&self, shop: &Shop, id: &str, note: &str) {
        let (begun, alone) = (shop.begun(), self.alone());
        let call = named(&self.till, 5, note, id);
        eventually(|| shop.begun() > begun).await;
        drop(call);
        eventually(|| self.alone() > alone).await;
    }
}

/// Begins a call with a name.
fn named(
    till: &TillClient,
    cents: u32,
    note: &str,
    id: &str,
) -> impl Future<Output = Result<String, CallError<NotPaid>>> + use<> {
    let call = till.pay(cents, note.to_owned());
    let call = call.timeout(Duration::from_secs(3_600));
    call.metadata("rpc-call-id", id).start()
}

async fn eventually(is_so: impl Fn() -> bool) {
    let so = async {
        while !is_so() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(LONG, so).await.unwrap();
}

fn status<T: fmt::Debug>(result: Result<T, CallError<NotPaid>>) -> Status {
    match result.unwrap_err() {
        CallError::Status(status) => status,
        CallError::App(error) => panic!("{error:?}"),
    }
}

/// Asserts that a call was refused, before any handler saw it, by the limit of that name.
fn assert_refused<T: fmt::Debug>(result: Result<T, CallError<NotPaid>>, limit: &str) {
    let status = status(result);
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert!(
        status.is_not_started() && status.message().contains(limit),
        "{status}"
    );
}

#[tokio::test]
async fn calls_without_callers_are_bounded_and_can_be_made_again() {
    let shop = Shop::new(0);
    let server = Server::new()
        .add(TillServer::new(shop.clone()))
        .max_calls_alone(2);
    let serving = Serving::new("once-bounded", server).await;
    for id in ["1", "2"] {
        serving.leave_alone(&shop, id, "note").await;
    }
    assert!(serving.stop.running_calls() >= 2);
    let third = || named(&serving.till, 5, "note", "3");
    assert_refused(third().await, "`Server::max_calls_alone`");
    // Who comes again is not refused, and makes room.
    let again = named(&serving.till, 5, "note", "2");
    eventually(|| serving.alone() == 1).await;
    let third = third();
    eventually(|| shop.begun() == 3).await;
    shop.open.add_permits(3);
    for call in [again, third] {
        assert_eq!(timeout(LONG, call).await.unwrap().unwrap(), "note");
    }
    eventually(|| serving.alone() == 0 && serving.stop.running_calls() == 0).await;
    assert_eq!((shop.begun(), shop.ended()), (3, 3));
}

#[tokio::test]
async fn what_calls_without_callers_were_called_with_counts() {
    let shop = Shop::new(0);
    let server = Server::new()
        .add(TillServer::new(shop.clone()))
        .keep_answers(Duration::from_secs(600), 9_000);
    let serving = Serving::new("once-bytes", server).await;
    let note = "x".repeat(8_000);
    serving.leave_alone(&shop, "1", &note).await;
    let next = || named(&serving.till, 0, "", "2");
    assert_refused(next().await, "`Server::keep_answers`");
    // With its caller there it is a call as any other.
    let again = named(&serving.till, 5, &note, "1");
    eventually(|| serving.alone() == 0).await;
    let next = next();
    eventually(|| shop.begun() == 2).await;
    shop.open.add_permits(2);
    assert_eq!(timeout(LONG, again).await.unwrap().unwrap(), note);
    assert!(timeout(LONG, next).await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_calls_without_callers() {
    for is_opened in [true, false] {
        let shop = Shop::new(0);
        let server = Server::new().add(TillServer::new(shop.clone()));
        let mut serving = Serving::new(&format!("once-drain-{is_opened}"), server).await;
        serving.leave_alone(&shop, "1", "note").await;
        serving.stop.shutdown();
        let waits = timeout(Duration::from_secs(5), &mut serving.served).await;
        assert!(waits.is_err());
        assert_eq!((serving.stop.running_calls(), shop.ended()), (1, 0));
        shop.open.add_permits(usize::from(is_opened));
        // Within what is left of its 10 seconds.
        let ended = timeout(Duration::from_secs(6), &mut serving.served).await;
        ended.unwrap().unwrap().unwrap();
        eventually(|| shop.ended() == 1).await;
        assert_eq!(shop.open.available_permits(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_caller_ends_when_its_answer_would_not_be_kept() {
    let shop = Shop::new(0);
    let server = Server::new()
        .add(TillServer::new(shop.clone()))
        .keep_answers(Duration::from_secs(60), 1 << 20);
    let serving = Serving::new("once-over", server).await;
    let stays = named(&serving.till, 5, "note", "1");
    serving.leave_alone(&shop, "2", "note").await;
    sleep(Duration::from_secs(58)).await;
    assert_eq!((serving.alone(), shop.ended()), (1, 0));
    sleep(Duration::from_secs(4)).await;
    assert_eq!((serving.alone(), shop.ended()), (0, 1));
    // One whose caller is there goes on.
    shop.open.add_permits(1);
    assert_eq!(timeout(LONG, stays).await.unwrap().unwrap(), "note");
}

#[tokio::test]
async fn an_answer_without_room_goes_to_who_waits_for_it() {
    let shop = Shop::new(9);
    let server = Server::new()
        .add(TillServer::new(shop.clone()))
        .keep_answers(Duration::from_secs(600), 1_000);
    let serving = Serving::new("once-room", server).await;
    let note = "x".repeat(900);
    let result = named(&serving.till, 5, &note, "1").await;
    assert_eq!(result.unwrap(), note);
    let status = status(named(&serving.till, 5, &note, "1").await);
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert!(!status.is_not_started() && shop.begun() == 1);
}

#[tokio::test]
async fn errors_of_the_method_are_kept_and_count() {
    let shop = Shop::new(9);
    let server = Server::new()
        .add(TillServer::new(shop.clone()))
        .keep_answers(Duration::from_secs(600), 3_000);
    let serving = Serving::new("once-errors", server).await;
    for (note, is_kept) in [("small".to_owned(), true), ("x".repeat(2_500), false)] {
        let id = note.len().to_string();
        let call = || named(&serving.till, 0, &note, &id);
        let error = NotPaid(vec![note.clone()]);
        for is_again in [false, true, true] {
            match call().await.unwrap_err() {
                CallError::App(got) => assert!(got == error && (is_kept || !is_again)),
                CallError::Status(status) => {
                    assert!(is_again && !is_kept, "{status}");
                    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
                }
            }
        }
    }
    assert_eq!(shop.begun(), 2);
}

#[tokio::test]
async fn in_process_each_caller_gets_the_error_and_each_implementation_is_its_own() {
    let shops = [Shop::new(0), Shop::new(0)];
    for shop in &shops {
        let till = TillClient::new(TillServer::new(shop.clone()));
        let calls = [(); 3].map(|()| named(&till, 0, "why", "of three, in process"));
        eventually(|| shop.begun() == 1).await;
        shop.open.add_permits(1);
        for call in calls {
            match timeout(LONG, call).await.unwrap().unwrap_err() {
                CallError::App(error) => assert_eq!(error, NotPaid(vec!["why".to_owned()])),
                CallError::Status(status) => panic!("{status}"),
            }
        }
    }
    assert_eq!(shops.map(|it| it.begun()), [1, 1]);
}

#[tokio::test]
async fn a_call_that_ran_was_started_whatever_a_layer_says() {
    let shop = Shop::new(9);
    let audited = from_fn(|request, next| async move {
        next.call(request).await?;
        Err(Status::unavailable("the audit is down").into_not_started())
    });
    let server = Server::new()
        .add(TillServer::new(shop.clone()))
        .layer(audited);
    let serving = Serving::new("once-layer", server).await;
    for _ in 0..2 {
        let status = status(named(&serving.till, 5, "note", "1").await);
        assert!(
            status.message().contains("audit") && !status.is_not_started(),
            "{status:?}"
        );
    }
    assert_eq!(shop.begun(), 1);
}
