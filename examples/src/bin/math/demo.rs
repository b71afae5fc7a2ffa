//! `math` without an argument: a server and its client in one process, over a real connection.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use futures_util::{StreamExt, TryStreamExt, stream};
use rpc_examples::math::{self, Line, MathClient, MathError, Named};
use rpc_examples::math::{USER_TOKEN, User, UserError, UsersClient};
use rpc_runtime::layer::auth::BearerToken;
use rpc_runtime::{Channel, Code, Server, batch};
use serde_json::json;

use crate::Failure;
use crate::report::Report;

/// Serves on a free port, calls everything, and ends the server in good order.
pub(crate) async fn run() -> Result<(), Failure> {
    let server = Server::new()
        .router(math::router())
        .listen("tcp://127.0.0.1:0")
        .bind()
        .await?;
    let url = server.url().to_owned();
    println!("Serving at {url}");
    let stop = server.shutdown_handle();
    let serving = tokio::spawn(server.serve());
    let channel = Channel::connect(&url).await?;

    let mut report = Report::default();
    show_everything(&channel, &mut report).await?;
    stop.shutdown();
    serving.await??;
    Ok(report.finish()?)
}

async fn show_everything(channel: &Channel, report: &mut Report) -> Result<(), Failure> {
    let math = MathClient::new(channel.clone());
    arithmetic(&math, report).await;
    streams(&math, report).await;
    users(channel, report).await?;
    functions(channel, report).await;
    many_at_once(&math, report).await;
    limits(channel, &math, report).await;
    metadata(&math, report).await;
    Ok(())
}

async fn arithmetic(math: &MathClient, report: &mut Report) {
    report.part("Math, through the typed client");
    report.gives("add(2, 3)", math.add(2, 3).await, 5);
    report.gives("subtract(10, 4)", math.subtract(10, 4).await, 6);
    report.gives("multiply(6, 7)", math.multiply(6, 7).await, 42);
    report.gives("divide(10, 4)", math.divide(10.0, 4.0).await, 2.5);
    let by_zero = MathError::DivisionByZero { dividend: 1.0 };
    report.fails("divide(1, 0)", math.divide(1.0, 0.0).await, |error| {
        error.app() == Some(&by_zero)
    });
    let too_large = math.add(i64::MAX, 1).await;
    report.fails("add(i64::MAX, 1)", too_large, |error| {
        error.app() == Some(&MathError::Overflow)
    });
    let factorial = math.factorial(20).await;
    report.gives("factorial(20)", factorial, "2432902008176640000".into());
    let digits = math.factorial(1_000).await.map(|it| it.len());
    report.gives("digits of factorial(1000)", digits, 2_568);
}

async fn streams(math: &MathClient, report: &mut Report) {
    report.part("Streams");
    let primes = math.primes(30).try_collect::<Vec<_>>().await;
    let expected = vec![2, 3, 5, 7, 11, 13, 17, 19, 23, 29];
    report.gives("primes(30), from the server", primes, expected);
    // A stream that nobody reads on is given up; the server stops counting.
    let first = math.primes(u64::MAX).take(5).try_collect::<Vec<_>>().await;
    report.gives("the first 5 of all primes", first, vec![2, 3, 5, 7, 11]);

    let sum = math.sum(stream::iter(1..=100)).await;
    report.gives("sum(1..=100), from the client", sum, 5_050);
    let average = math.average(2, stream::iter([1.0, 2.0, 2.0])).await;
    let expected = Named {
        name: "average of 3".into(),
        value: 1.67,
    };
    report.gives("average(2 decimals, 1 2 2)", average, expected);
    let nothing = math.average(2, stream::iter([])).await;
    report.fails("average(2 decimals, nothing)", nothing, |error| {
        error.app() == Some(&MathError::NoNumbers)
    });
    chat(math, report).await;
}

/// Writes the second line only when the first answer has come.
async fn chat(math: &MathClient, report: &mut Report) {
    let (questions, to_send) = tokio::sync::mpsc::channel(1);
    let to_send = stream::unfold(to_send, |mut it| async { Some((it.recv().await?, it)) });
    let mut answers = math.chat(to_send).start();
    for (question, answer) in [("2 + 3", 5.0), ("5 * 8", 40.0)] {
        let expected = Line {
            question: question.into(),
            answer,
        };
        // It can fail only if the call has ended, and then there is no answer either.
        let _ = questions.send(question.to_owned()).await;
        match answers.next().await {
            Some(line) => report.gives(&format!("chat: {question}"), line, expected),
            None => report.shows(&format!("chat: {question}"), "no answer", false),
        }
    }
    drop(questions);
    let ended = answers.next().await.is_none();
    report.shows("chat: we hang up", "and so does the server", ended);
}

async fn users(channel: &Channel, report: &mut Report) -> Result<(), Failure> {
    report.part("A user store, for callers with a token");
    let stranger = UsersClient::new(channel.clone());
    report.fails("list() without a token", stranger.list().await, |status| {
        status.code() == Code::Unauthenticated
    });
    let wrong = UsersClient::new(channel.clone().layer(BearerToken::new("guess")?));
    report.fails("list() with a wrong token", wrong.list().await, |status| {
        status.code() == Code::Unauthenticated
    });

    let users = UsersClient::new(channel.clone().layer(BearerToken::new(USER_TOKEN)?));
    let user = |id, name: &str| User {
        id,
        name: name.into(),
    };
    let (ann, bob) = (user(1, "Ann"), user(2, "Bob"));
    report.gives("create(Ann)", users.create("Ann".into()).await, ann.clone());
    report.gives("create(Bob)", users.create("Bob".into()).await, bob.clone());
    report.gives("get(1)", users.get(1).await, ann.clone());
    report.gives("delete(1)", users.delete(1).await, ann);
    report.gives("list()", users.list().await, vec![bob]);
    report.fails("get(1)", users.get(1).await, |error| {
        error.app() == Some(&UserError::NotFound { id: 1 })
    });
    Ok(())
}

async fn functions(channel: &Channel, report: &mut Report) {
    report.part("Plain functions and dynamic calls, by name");
    let hello = channel.call::<_, String>("hello", ("Alice",)).await;
    report.gives("hello(Alice)", hello, "Hello, Alice!".into());
    match channel.call::<_, String>("get_time", ()).await {
        Ok(time) => report.shows("get_time()", &time, time.ends_with('Z')),
        Err(status) => report.shows("get_time()", status, false),
    }
    let named = json!({"b": 3, "a": 10});
    let difference = channel.call::<_, i64>("math.v1.Math/subtract", named).await;
    report.gives("subtract({b: 3, a: 10})", difference, 7);
    let primes = channel.call_stream::<_, u64>("math.v1.Math/primes", (10,));
    let primes = primes.try_collect::<Vec<_>>().await;
    report.gives("primes(10) by name", primes, vec![2, 3, 5, 7]);
    let unknown = channel.call::<_, i64>("math.v1.Math/power", (2, 3)).await;
    report.fails("power(2, 3)", unknown, |status| {
        status.code() == Code::Unimplemented
    });
}

async fn many_at_once(math: &MathClient, report: &mut Report) {
    report.part("Many calls at once");
    let (sum, quotient, digits) =
        batch((math.add(20, 22), math.divide(1.0, 0.0), math.factorial(10))).await;
    report.gives("batch, first: add(20, 22)", sum, 42);
    report.fails("batch, second: divide(1, 0)", quotient, |error| {
        error.app().is_some()
    });
    report.gives("batch, third: factorial(10)", digits, "3628800".into());
    let squares = batch((1..=8).map(|n| math.multiply(n, n)).collect::<Vec<_>>()).await;
    let squares: Result<Vec<i64>, _> = squares.into_iter().collect();
    let expected = vec![1, 4, 9, 16, 25, 36, 49, 64];
    report.gives("batch of 8: n * n", squares, expected);

    let begun = Instant::now();
    let waited = join_all((0..10).map(|_| math.wait(1_000).into_future())).await;
    let took = begun.elapsed();
    let all_done = waited.iter().all(Result::is_ok);
    report.shows(
        "10 concurrent calls of a second each",
        format!("took {took:.0?} together"),
        all_done && took < Duration::from_secs(5),
    );
}

async fn limits(channel: &Channel, math: &MathClient, report: &mut Report) {
    report.part("Deadlines");
    let begun = Instant::now();
    let late = math.wait(10_000).timeout(Duration::from_millis(50)).await;
    report.fails("wait(10 s) with 50 ms to live", late, |status| {
        status.code() == Code::DeadlineExceeded
    });
    let took = begun.elapsed();
    let in_time = took < Duration::from_secs(5);
    report.shows("it gave up after", format!("{took:.0?}"), in_time);
    let hasty = channel.clone().with_timeout(Duration::from_millis(50));
    let late = MathClient::new(hasty).wait(10_000).await;
    report.fails("the same, set on the channel", late, |status| {
        status.code() == Code::DeadlineExceeded
    });
    report.gives("the connection is still good", math.add(1, 1).await, 2);
}

async fn metadata(math: &MathClient, report: &mut Report) {
    report.part("Metadata and trailers");
    let reply = math
        .describe_call()
        .metadata("accept-language", "en")
        .with_reply()
        .await;
    match reply {
        Ok(reply) => {
            let language = reply.metadata.get("content-language");
            let steps = reply.trailers.get("steps");
            report.shows("the server saw", &reply.value, reply.value.contains("en"));
            let seen = language.is_some_and(|it| it == "en");
            report.shows("before the value", format!("{language:?}"), seen);
            let seen = steps.is_some_and(|it| it == "1");
            report.shows("behind the value", format!("{steps:?}"), seen);
        }
        Err(status) => report.shows("describe_call()", status, false),
    }
}
