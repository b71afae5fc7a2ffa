//! The math service: every form of method, in one trait.

use std::time::Duration;

use futures_util::{Stream, stream};
use rpc_runtime::{Context, RpcError, Status, Streaming, rpc_service};
use serde::{Deserialize, Serialize};

use super::factorial::factorial;

/// The largest number whose factorial is worth the time: it has 77,338 digits.
const MAX_FACTORIAL: u32 = 20_000;

/// More decimals than that an `f64` does not have.
const MAX_DECIMALS: u8 = 15;

/// How often a stream of ticks goes on.
const TICK: Duration = Duration::from_millis(2);

/// What the calculator cannot do.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize, RpcError)]
pub enum MathError {
    /// The divisor is zero.
    #[error("cannot divide {dividend} by zero")]
    #[rpc(error_code = InvalidArgument)]
    DivisionByZero {
        /// The number that was to be divided.
        dividend: f64,
    },
    /// The result fits no 64-bit number.
    #[error("the result does not fit into 64 bits")]
    #[rpc(error_code = OutOfRange)]
    Overflow,
    /// The argument would take too long.
    #[error("{given} is too large, the limit is {limit}")]
    #[rpc(error_code = OutOfRange)]
    TooLarge {
        /// What was asked for.
        given: u32,
        /// The most that may be asked for.
        limit: u32,
    },
    /// There is no average of nothing.
    #[error("there are no numbers")]
    #[rpc(error_code = InvalidArgument)]
    NoNumbers,
    /// The line is not two numbers with an operator between them.
    #[error("cannot read `{line}`, write two numbers with +, -, * or / between them")]
    #[rpc(error_code = InvalidArgument)]
    NotUnderstood {
        /// The line.
        line: String,
    },
    /// The caller's stream broke off.
    #[error("the numbers broke off: {reason}")]
    #[rpc(error_code = Aborted)]
    BrokenOff {
        /// Why.
        reason: String,
    },
}

/// The results of the calculator.
pub type MathResult<T> = Result<T, MathError>;

/// A number of a stream, with its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Named {
    /// What the number is.
    pub name: String,
    /// The number.
    pub value: f64,
}

/// A question and its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// What was asked, such as `2 + 3`.
    pub question: String,
    /// The result.
    pub answer: f64,
}

/// Calculates.
#[rpc_service(name = "math.v1.Math")]
pub trait Math {
    /// Adds two numbers.
    #[rpc(read_only)]
    async fn add(&self, a: i64, b: i64) -> MathResult<i64>;

    /// Subtracts the second number from the first.
    #[rpc(read_only)]
    async fn subtract(&self, a: i64, b: i64) -> MathResult<i64>;

    /// Multiplies two numbers.
    #[rpc(read_only)]
    async fn multiply(&self, a: i64, b: i64) -> MathResult<i64>;

    /// Divides the first number by the second.
    #[rpc(read_only)]
    async fn divide(&self, a: f64, b: f64) -> MathResult<f64>;

    /// Returns the factorial in decimal digits. It is work for the processor alone, so it runs on
    /// a thread of its own and holds nobody else up.
    #[rpc(read_only, blocking)]
    fn factorial(&self, n: u32) -> MathResult<String>;

    /// Streams the primes up to a limit, as fast as the caller takes them.
    #[rpc(read_only)]
    fn primes(&self, up_to: u64) -> impl Stream<Item = u64>;

    /// Streams so many numbers a second, for so many seconds, as something live does.
    fn ticks(&self, per_second: u32, seconds: u32) -> impl Stream<Item = u64>;

    /// Adds the numbers that the caller streams.
    async fn sum(&self, numbers: Streaming<i64>) -> MathResult<i64>;

    /// Returns the average of what the caller streams, rounded to so many decimals: an argument
    /// beside a stream.
    async fn average(&self, decimals: u8, numbers: Streaming<f64>) -> MathResult<Named>;

    /// Answers each line while the caller is still writing: streams both ways.
    fn chat(&self, lines: Streaming<String>) -> impl Stream<Item = MathResult<Line>>;

    /// Waits, for those who want to see a deadline expire.
    #[rpc(idempotent)]
    async fn wait(&self, milliseconds: u64) -> u64;

    /// Says what the server knows of the call, in the metadata before and behind the value too.
    async fn describe_call(&self, ctx: &Context) -> Result<String, Status>;

    /// Returns the number of the process that serves.
    #[rpc(read_only)]
    async fn process_id(&self) -> u32;
}

/// The implementation of [`Math`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Calculator;

impl Math for Calculator {
    async fn add(&self, a: i64, b: i64) -> MathResult<i64> {
        a.checked_add(b).ok_or(MathError::Overflow)
    }

    async fn subtract(&self, a: i64, b: i64) -> MathResult<i64> {
        a.checked_sub(b).ok_or(MathError::Overflow)
    }

    async fn multiply(&self, a: i64, b: i64) -> MathResult<i64> {
        a.checked_mul(b).ok_or(MathError::Overflow)
    }

    async fn divide(&self, a: f64, b: f64) -> MathResult<f64> {
        if b == 0.0 {
            return Err(MathError::DivisionByZero { dividend: a });
        }
        Ok(a / b)
    }

    fn factorial(&self, n: u32) -> MathResult<String> {
        if n > MAX_FACTORIAL {
            return Err(MathError::TooLarge {
                given: n,
                limit: MAX_FACTORIAL,
            });
        }
        Ok(factorial(n))
    }

    fn primes(&self, up_to: u64) -> impl Stream<Item = u64> {
        stream::iter((2..=up_to).filter(|&candidate| is_prime(candidate)))
    }

    fn ticks(&self, per_second: u32, seconds: u32) -> impl Stream<Item = u64> {
        let total = u64::from(per_second) * u64::from(seconds);
        async_stream::stream! {
            let mut timer = tokio::time::interval(TICK);
            let began = timer.tick().await;
            let mut next = 0;
            while next < total {
                // A timer that is late has more to give.
                let late = (timer.tick().await - began).as_micros();
                let due = late * u128::from(per_second) / 1_000_000;
                while next < total && u128::from(next) < due {
                    yield next;
                    next += 1;
                }
            }
        }
    }

    async fn sum(&self, mut numbers: Streaming<i64>) -> MathResult<i64> {
        let mut sum = 0_i64;
        while let Some(number) = numbers.next().await {
            let number = number.map_err(broken_off)?;
            sum = sum.checked_add(number).ok_or(MathError::Overflow)?;
        }
        Ok(sum)
    }

    async fn average(&self, decimals: u8, mut numbers: Streaming<f64>) -> MathResult<Named> {
        let (mut sum, mut count) = (0.0, 0.0);
        while let Some(number) = numbers.next().await {
            sum += number.map_err(broken_off)?;
            count += 1.0;
        }
        if count == 0.0 {
            return Err(MathError::NoNumbers);
        }
        let scale = 10_f64.powi(i32::from(decimals.min(MAX_DECIMALS)));
        Ok(Named {
            name: format!("average of {count}"),
            value: (sum / count * scale).round() / scale,
        })
    }

    fn chat(&self, mut lines: Streaming<String>) -> impl Stream<Item = MathResult<Line>> {
        async_stream::try_stream! {
            while let Some(line) = lines.next().await {
                let question = line.map_err(broken_off)?;
                let answer = evaluate(&question)?;
                yield Line { question, answer };
            }
        }
    }

    async fn wait(&self, milliseconds: u64) -> u64 {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        milliseconds
    }

    async fn describe_call(&self, ctx: &Context) -> Result<String, Status> {
        let language = ctx.metadata().get("accept-language");
        let language = language.and_then(|it| it.to_str().ok()).unwrap_or("none");
        ctx.add_reply_metadata("content-language", "en");
        ctx.add_trailer("steps", "1");
        let limited = if ctx.remaining().is_some() { "a" } else { "no" };
        Ok(format!("language {language}, {limited} deadline"))
    }

    async fn process_id(&self) -> u32 {
        std::process::id()
    }
}

fn broken_off(status: Status) -> MathError {
    MathError::BrokenOff {
        reason: status.message().to_owned(),
    }
}

/// Whether no smaller number divides this one.
fn is_prime(candidate: u64) -> bool {
    // Divided rather than squared: the square of a large divisor would not fit.
    let mut divisors = (2..).take_while(|divisor| *divisor <= candidate / divisor);
    candidate >= 2 && divisors.all(|divisor| !candidate.is_multiple_of(divisor))
}

/// Calculates a line such as `2 + 3`.
fn evaluate(line: &str) -> MathResult<f64> {
    let not_understood = || MathError::NotUnderstood {
        line: line.to_owned(),
    };
    let mut words = line.split_whitespace();
    let (Some(a), Some(operator), Some(b), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(not_understood());
    };
    let a: f64 = a.parse().map_err(|_| not_understood())?;
    let b: f64 = b.parse().map_err(|_| not_understood())?;
    match operator {
        "+" => Ok(a + b),
        "-" => Ok(a - b),
        "*" => Ok(a * b),
        "/" if b == 0.0 => Err(MathError::DivisionByZero { dividend: a }),
        "/" => Ok(a / b),
        _ => Err(not_understood()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_calculated_or_refused() {
        assert_eq!(evaluate("2 + 3"), Ok(5.0));
        assert_eq!(
            evaluate("1 / 0"),
            Err(MathError::DivisionByZero { dividend: 1.0 })
        );
        for line in ["", "2", "2 +", "2 ^ 3", "two + 3", "2 + 3 + 4"] {
            let line = line.to_owned();
            assert_eq!(evaluate(&line), Err(MathError::NotUnderstood { line }));
        }
    }

    #[test]
    fn the_primes_below_30() {
        let primes: Vec<u64> = (0..30).filter(|&it| is_prime(it)).collect();
        assert_eq!(primes, [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]);
    }
}
