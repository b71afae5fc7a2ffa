//! A service that several servers offer, so that any of them may die.

use std::time::Duration;

use rpc_runtime::{Context, rpc_service};
use serde::{Deserialize, Serialize};

/// Knows what things cost.
#[rpc_service(name = "fleet.v1.Prices")]
pub trait Prices {
    /// Returns the price of an item. It changes nothing, so any server may be asked, and again.
    #[rpc(read_only)]
    async fn price(&self, item: u32, ctx: &Context) -> Quote;
}

/// A price, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// The price.
    pub cents: u32,
    /// The process that answered.
    pub server: u32,
    /// Which attempt of its call it answered.
    pub attempt: u32,
}

/// An implementation that takes two milliseconds, so that there are always calls on their way.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shop;

impl Prices for Shop {
    async fn price(&self, item: u32, ctx: &Context) -> Quote {
        tokio::time::sleep(Duration::from_millis(2)).await;
        Quote {
            cents: 100 + item % 900,
            server: std::process::id(),
            attempt: ctx.attempt(),
        }
    }
}
