//! One service with every form of method.

use std::time::Duration;

use futures_util::Stream;
use futures_util::stream;
use rpc_runtime::{Context, RpcError, Status, Streaming, rpc_service};
use serde::{Deserialize, Serialize};

/// The service's own error.
#[derive(Debug, Clone, PartialEq, thiserror::Error, Serialize, Deserialize, RpcError)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum MathError {
    #[error("cannot divide {dividend} by zero")]
    #[rpc(error_code = InvalidArgument)]
    DivisionByZero { dividend: f64 },
    #[error("the result does not fit")]
    #[rpc(error_code = OutOfRange)]
    Overflow,
}

/// An alias whose name ends in `Result`.
pub type MathResult<T> = Result<T, MathError>;

/// A line of a chat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "plain data")]
pub struct Line {
    pub author: String,
    pub text: String,
}

/// Every form of method.
#[rpc_service(name = "test.v1.Math")]
pub trait Math {
    /// Adds two numbers.
    async fn add(&self, a: i64, b: i64) -> i64;

    /// Divides, with an error of its own.
    #[rpc(read_only)]
    async fn divide(&self, a: f64, b: f64) -> MathResult<f64>;

    /// Streams the numbers up to a limit, which are borrowed from the implementation.
    fn count(&self, up_to: u64) -> impl Stream<Item = u64>;

    /// Streams, and fails after so many items.
    fn count_then_fail(&self, items: u64) -> impl Stream<Item = Result<u64, MathError>>;

    /// Adds what is streamed to it.
    async fn sum(&self, numbers: Streaming<i64>) -> Result<i64, Status>;

    /// Adds what is streamed to it, times a factor beside the stream.
    async fn scaled_sum(&self, factor: i64, numbers: Streaming<i64>) -> Result<i64, MathError>;

    /// Answers each line.
    fn chat(
        &self,
        room: String,
        lines: Streaming<Line>,
    ) -> impl Stream<Item = Result<Line, Status>>;

    /// Says who calls.
    async fn who(&self, ctx: &Context) -> Result<String, Status>;

    /// Runs on a thread of its own.
    #[rpc(blocking)]
    fn factorial(&self, n: u32) -> Result<String, MathError>;

    /// Does nothing, for no arguments and no result.
    async fn nothing(&self);

    /// Gives bytes back.
    #[rpc(bare)]
    async fn echo(&self, bytes: serde_bytes::ByteBuf) -> serde_bytes::ByteBuf;

    /// Waits.
    #[rpc(idempotent)]
    async fn sleep(&self, milliseconds: u64) -> u64;

    /// Panics.
    async fn panic(&self) -> u64;

    /// Has a body of its own.
    async fn twice(&self, n: i64) -> i64 {
        self.add(n, n).await
    }
}

/// An implementation.
#[derive(Debug, Default)]
pub struct Calculator {
    numbers: Vec<u64>,
}

impl Calculator {
    /// Makes one that can count to 100,000.
    pub fn new() -> Self {
        Self {
            numbers: (0..100_000).collect(),
        }
    }
}

impl Math for Calculator {
    async fn add(&self, a: i64, b: i64) -> i64 {
        a.wrapping_add(b)
    }

    async fn divide(&self, a: f64, b: f64) -> MathResult<f64> {
        if b == 0.0 {
            return Err(MathError::DivisionByZero { dividend: a });
        }
        Ok(a / b)
    }

    fn count(&self, up_to: u64) -> impl Stream<Item = u64> {
        let end = usize::try_from(up_to)
            .unwrap_or(usize::MAX)
            .min(self.numbers.len());
        stream::iter(self.numbers[..end].iter().copied())
    }

    fn count_then_fail(&self, items: u64) -> impl Stream<Item = Result<u64, MathError>> {
        stream::iter((0..items).map(Ok).chain([Err(MathError::Overflow)]))
    }

    async fn sum(&self, mut numbers: Streaming<i64>) -> Result<i64, Status> {
        let mut sum = 0;
        while let Some(number) = numbers.next().await {
            sum += number?;
        }
        Ok(sum)
    }

    async fn scaled_sum(&self, factor: i64, mut numbers: Streaming<i64>) -> MathResult<i64> {
        let mut sum = 0_i64;
        while let Some(Ok(number)) = numbers.next().await {
            sum = sum.checked_add(number).ok_or(MathError::Overflow)?;
        }
        sum.checked_mul(factor).ok_or(MathError::Overflow)
    }

    fn chat(
        &self,
        room: String,
        mut lines: Streaming<Line>,
    ) -> impl Stream<Item = Result<Line, Status>> {
        async_stream::try_stream! {
            while let Some(line) = lines.next().await {
                let line = line?;
                yield Line { author: room.clone(), text: format!("{}: {}", line.author, line.text) };
            }
        }
    }

    async fn who(&self, ctx: &Context) -> Result<String, Status> {
        let name = ctx.metadata().get("name").and_then(|it| it.to_str().ok());
        ctx.add_trailer("seen", "yes");
        ctx.add_reply_metadata("served-by", "calculator");
        name.map(str::to_owned)
            .ok_or_else(|| Status::unauthenticated("no name"))
    }

    fn factorial(&self, n: u32) -> MathResult<String> {
        let mut product = 1_u128;
        for factor in 1..=u128::from(n) {
            product = product.checked_mul(factor).ok_or(MathError::Overflow)?;
        }
        Ok(product.to_string())
    }

    async fn nothing(&self) {}

    async fn echo(&self, bytes: serde_bytes::ByteBuf) -> serde_bytes::ByteBuf {
        bytes
    }

    async fn sleep(&self, milliseconds: u64) -> u64 {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        milliseconds
    }

    async fn panic(&self) -> u64 {
        panic!("this handler panics on purpose")
    }
}
