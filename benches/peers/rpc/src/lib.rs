//! The service of the benchmark, as a user of this framework writes it.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream};
use harness::Small;
use rpc_runtime::{Status, Streaming, rpc_service};

#[rpc_service]
pub trait Bench {
    async fn echo(&self, message: Small) -> Small;
    async fn echo_bytes(&self, body: Bytes) -> Bytes;
    async fn echo_vec(&self, body: Vec<u8>) -> Vec<u8>;
    async fn burn(&self, time: Duration);
    fn items(&self, count: u64) -> impl Stream<Item = Small>;
    fn blobs(&self, count: u64, len: u64) -> impl Stream<Item = Bytes>;
    fn ping_pong(&self, messages: Streaming<Small>) -> impl Stream<Item = Result<Small, Status>>;
}

#[derive(Clone)]
pub struct Service;

impl Bench for Service {
    async fn echo(&self, message: Small) -> Small {
        message
    }

    async fn echo_bytes(&self, body: Bytes) -> Bytes {
        body
    }

    async fn echo_vec(&self, body: Vec<u8>) -> Vec<u8> {
        body
    }

    async fn burn(&self, time: Duration) {
        harness::burn(time);
    }

    fn items(&self, count: u64) -> impl Stream<Item = Small> {
        stream::iter((0..count).map(Small::new))
    }

    fn blobs(&self, count: u64, len: u64) -> impl Stream<Item = Bytes> {
        let blob = Bytes::from(vec![0xA5; len as usize]);
        stream::iter((0..count).map(move |_| blob.clone()))
    }

    fn ping_pong(&self, messages: Streaming<Small>) -> impl Stream<Item = Result<Small, Status>> {
        messages
    }
}
