//! A service with something of everything.

use std::collections::BTreeMap;

use bytes::Bytes;
use rpc_runtime::{Status, Stream, Streaming, rpc_service};
use serde::{Deserialize, Serialize};

/// A value of many shapes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Shape {
    Nothing,
    Number(i64),
    Text(String),
    Bytes(Bytes),
    Pair(u8, f64),
    Named {
        flag: bool,
        inner: Option<Box<Shape>>,
    },
    List(Vec<Shape>),
    Map(BTreeMap<String, Shape>),
}

/// All four patterns.
#[rpc_service(name = "fuzz.v1.Fuzzed")]
pub(crate) trait Fuzzed {
    /// Gives back what it gets.
    async fn echo(&self, shape: Shape, times: Option<u8>) -> Result<Shape, Status>;
    /// Counts.
    #[rpc(read_only)]
    fn count(&self, to: u8) -> impl Stream<Item = u8>;
    /// Adds up.
    async fn sum(&self, numbers: Streaming<i64>) -> i64;
    /// Gives back each.
    fn mirror(&self, shapes: Streaming<Shape>) -> impl Stream<Item = Result<Shape, Status>>;
}

pub(crate) struct Implementation;

impl Fuzzed for Implementation {
    async fn echo(&self, shape: Shape, times: Option<u8>) -> Result<Shape, Status> {
        match times {
            Some(0) => Err(Status::not_found("zero times")),
            _ => Ok(shape),
        }
    }

    fn count(&self, to: u8) -> impl Stream<Item = u8> {
        futures_util::stream::iter(0..to)
    }

    async fn sum(&self, mut numbers: Streaming<i64>) -> i64 {
        let mut sum = 0_i64;
        while let Some(Ok(number)) = numbers.next().await {
            sum = sum.wrapping_add(number);
        }
        sum
    }

    fn mirror(&self, shapes: Streaming<Shape>) -> impl Stream<Item = Result<Shape, Status>> {
        shapes
    }
}
