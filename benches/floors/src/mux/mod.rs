//! The least that is still a multiplexed RPC, on which every framework can be measured.

mod client;
mod server;

use bytes::{Buf as _, Bytes};

use crate::Outbox;

pub use client::Client;

/// What a frame asks for. Replies have the kind of their request.
mod kind {
    pub(super) const SMALL: u8 = 1;
    pub(super) const BYTES: u8 = 2;
    pub(super) const BURN: u8 = 3;
    pub(super) const ITEMS: u8 = 4;
    pub(super) const OPEN: u8 = 5;
    pub(super) const ITEM: u8 = 6;
}

struct Frame {
    kind: u8,
    call: u64,
    body: Bytes,
}

impl Frame {
    fn parse(mut bytes: Bytes) -> Self {
        Self {
            kind: bytes.get_u8(),
            call: bytes.get_u64_le(),
            body: bytes,
        }
    }

    fn put(self, outbox: &mut Outbox) {
        let mut head = [self.kind; 9];
        head[1..].copy_from_slice(&self.call.to_le_bytes());
        outbox.push_owned(&head, self.body);
    }
}

/// What a request says of how many, or for how long.
fn number(mut body: Bytes) -> u64 {
    body.get_u64_le()
}
