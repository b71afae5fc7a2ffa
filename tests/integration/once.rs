//! Methods that run once, also where their callers do not hear of it and come again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rpc_runtime::layer::auth::{BearerAuth, BearerToken};
use rpc_runtime::layer::{AdaptiveLimit, Retry};
use rpc_runtime::{Channel, Code, Identity, Server, Status, rpc_service};
use rpc_tests::line::Line;
use rpc_tests::serving::{TRANSPORTS, connect, serve};
use tokio::sync::Semaphore;
use tokio::time::timeout;

#[rpc_service(name = "test.v1.Till")]
trait Till {
    /// Pays, and says how many payments there were with this one.
    #[rpc(once)]
    async fn pay(&self, cents: u32, note: String) -> Result<u32, Status>;

    /// The same, for a caller who does not come again.
    async fn spend(&self, cents: u32) -> Result<u32, Status>;
}

#[derive(Clone)]
struct Shop {
    payments: Arc<AtomicU32>,
    open: Arc<Semaphore>,
}

impl Shop {
    fn new(open: usize) -> Self {
        Self {
            payments: Arc::default(),
            open: Arc::new(Semaphore::new(open)),
        }
    }

    fn payments(&self) -> u32 {
        self.payments.load(Ordering::SeqCst)
    }

    async fn until(&self, payments: u32) {
        let paid = async {
            while self.payments() < payments {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(LONG, paid).await.unwrap();
    }
}

impl Till for Shop {
    async fn pay(&self, cents: u32, _note: String) -> Result<u32, Status> {
        let number = self.payments.fetch_add(1, Ordering::SeqCst) + 1;
        let open = self.open.acquire().await;
        open.map_err(|_| Status::unavailable("closed"))?.forget();
        match cents {
            0 => Err(Status::invalid_argument("nothing to pay")),
            _ => Ok(number),
        }
    }

    async fn spend(&self, cents: u32) -> Result<u32, Status> {
        self.pay(cents, String::new()).await
    }
}

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_call_whose_answer_was_lost_gets_it_when_it_is_made_again() {
    for transport in ["tcp", "grpc", "connect+http"] {
        let shop = Shop::new(0);
        let serving = serve(transport, Server::new().add(TillServer::new(shop.clone()))).await;
        let line = Line::to(&serving.url).await;
        let channel = connect(&line.url).await.unwrap();
        let till = TillClient::new(channel.layer(Retry::new()));
        // It has begun when the line is cut, and goes on.
        let call = till.pay(5, "x".repeat(200_000)).start();
        shop.until(1).await;
        line.cut();
        shop.open.add_permits(1);
        assert_eq!(
            timeout(LONG, call).await.unwrap().unwrap(),
            1,
            "{transport}"
        );
        assert_eq!(shop.payments(), 1, "{transport}");

        // So does one that fails, with its own failure.
        let call = till.pay(0, String::new()).start();
        shop.until(2).await;
        line.cut();
        shop.open.add_permits(1);
        let status = timeout(LONG, call).await.unwrap().unwrap_err();
        assert_eq!(
            status.code(),
            Code::InvalidArgument,
            "{transport}: {status}"
        );

        // A method that is not marked is not made again.
        let call = till.spend(5).start();
        shop.until(3).await;
        line.cut();
        let status = timeout(LONG, call).await.unwrap().unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{transport}: {status}");
        assert_eq!(shop.payments(), 3, "{transport}");
    }
}

#[tokio::test]
async fn a_call_is_known_by_its_caller_its_name_its_method_and_what_it_says() {
    for transport in TRANSPORTS {
        let shop = Shop::new(100);
        let people = [("a", Identity::new("ann")), ("b", Identity::new("bob"))];
        let server = Server::new()
            .add(TillServer::new(shop.clone()))
            .layer(BearerAuth::tokens(people));
        let serving = serve(transport, server).await;
        let channel = Channel::connect(&serving.url).await.unwrap();
        let till = |token| {
            let token = BearerToken::new(token).unwrap();
            TillClient::new(channel.clone().layer(token))
        };
        let (ann, bob) = (till("a"), till("b"));
        let named = |till: &TillClient, cents, name: &str| {
            let call = till.pay(cents, String::new());
            call.metadata("rpc-call-id", name).start()
        };
        assert_eq!(named(&ann, 5, "1").await.unwrap(), 1);
        assert_eq!(named(&ann, 5, "1").await.unwrap(), 1);
        assert_eq!(named(&ann, 6, "1").await.unwrap(), 2, "says something else");
        assert_eq!(named(&ann, 5, "2").await.unwrap(), 3, "has another name");
        assert_eq!(named(&bob, 5, "1").await.unwrap(), 4, "is somebody else's");
        assert_eq!(named(&bob, 5, "1").await.unwrap(), 4);
        assert_eq!(ann.pay(5, String::new()).await.unwrap(), 5, "has no name");
        assert_eq!(ann.pay(5, String::new()).await.unwrap(), 6);
        let status = named(&ann, 5, &"n".repeat(65)).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
    }
}

#[tokio::test]
async fn calls_that_are_made_together_run_once() {
    let shop = Shop::new(0);
    let till = TillClient::new(TillServer::new(shop.clone()));
    let named = || {
        let call = till.pay(5, String::new());
        call.metadata("rpc-call-id", "of three at once, in process")
            .start()
    };
    let calls = [named(), named(), named()];
    shop.until(1).await;
    shop.open.add_permits(3);
    for call in calls {
        assert_eq!(timeout(LONG, call).await.unwrap().unwrap(), 1);
    }
    assert_eq!(shop.payments(), 1);
}

#[tokio::test]
async fn when_no_more_answers_fit_calls_are_refused_and_none_is_forgotten() {
    let shop = Shop::new(100);
    let server = Server::new()
        .add(TillServer::new(shop.clone()))
        .keep_answers(Duration::from_secs(60), 2_000);
    let serving = serve("mem", server).await;
    let till = TillClient::new(Channel::connect(&serving.url).await.unwrap());
    let mut refused = 0;
    for number in 0..10_u32 {
        let call = till.pay(5, String::new());
        let result = call.metadata("rpc-call-id", number.to_string()).await;
        refused += u32::from(result.is_err_and(|status| {
            assert!(
                status.message().contains("`Server::keep_answers`"),
                "{status}"
            );
            status.code() == Code::ResourceExhausted && status.is_not_started()
        }));
    }
    assert_eq!((shop.payments(), refused), (3, 7));
    let again = till.pay(5, String::new()).metadata("rpc-call-id", "0");
    assert_eq!(again.await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_kept_until_its_call_cannot_come_again() {
    let shop = Shop::new(100);
    let serving = serve("mem", Server::new().add(TillServer::new(shop.clone()))).await;
    let till = TillClient::new(Channel::connect(&serving.url).await.unwrap());
    let named = || {
        let call = till.pay(5, String::new()).timeout(Duration::from_secs(10));
        call.metadata("rpc-call-id", "1")
    };
    assert_eq!(named().await.unwrap(), 1);
    tokio::time::sleep(Duration::from_secs(14)).await;
    assert_eq!(named().await.unwrap(), 1);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(named().await.unwrap(), 2);
}

#[tokio::test]
async fn times_without_an_end_are_far_ahead() {
    let shop = Shop::new(100);
    let server = Server::new()
        .add(TillServer::new(shop.clone()))
        .keep_answers(Duration::MAX, 2_000)
        .max_connection_age(Duration::MAX, Duration::MAX)
        .layer(AdaptiveLimit::new().max_waiting(0).pushback(Duration::MAX));
    let serving = serve("mem", server).await;
    let till = TillClient::new(Channel::connect(&serving.url).await.unwrap());
    for _ in 0..2 {
        let call = till.pay(5, String::new()).metadata("rpc-call-id", "1");
        assert_eq!(call.await.unwrap(), 1);
    }
    assert_eq!(shop.payments(), 1);
}
