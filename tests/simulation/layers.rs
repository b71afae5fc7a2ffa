//! The layers that are drawn, as those of the library.

use std::time::Duration;

use rpc_runtime::client::Connect;
use rpc_runtime::layer::{
    AdaptiveLimit, ConcurrencyLimit, Hedge, Log, Retry, RetryBudget, Timeout,
};
use rpc_runtime::{Channel, Server, from_fn};

use crate::checks;
use crate::scenario::{Around, Policy};

/// More calls than there are at once.
const MANY: usize = 10_000;

const HOUR: Duration = Duration::from_secs(3600);

/// Puts layers around a server.
pub(crate) fn around_server(
    mut server: Server,
    layers: &[Around],
    adaptive: &AdaptiveLimit,
) -> Server {
    for layer in layers {
        server = match layer {
            Around::Plain => {
                server.layer(from_fn(
                    |request, next| async move { next.call(request).await },
                ))
            }
            Around::Log => server.layer(Log::new()),
            Around::Timeout => server.layer(Timeout::new(HOUR)),
            Around::Limit => server.layer(ConcurrencyLimit::new(MANY)),
            Around::Adaptive => server.layer(adaptive.clone()),
            Around::Retry | Around::Hedge => server,
        };
    }
    server
}

/// Puts layers around a channel.
pub(crate) fn around_client(
    mut connect: Connect<Channel>,
    layers: &[Around],
    policy: &Policy,
) -> Connect<Channel> {
    let budget = RetryBudget::new(100, 100);
    for layer in layers {
        connect = match layer {
            Around::Plain => {
                connect.layer(from_fn(
                    |request, next| async move { next.call(request).await },
                ))
            }
            Around::Log => connect.layer(Log::new()),
            Around::Timeout => connect.layer(Timeout::new(HOUR)),
            Around::Limit => connect.layer(ConcurrencyLimit::new(MANY)),
            Around::Adaptive => connect,
            Around::Retry => connect.layer(retry(policy, budget.clone())),
            Around::Hedge => {
                let delay = policy.hedge_behind.unwrap_or_default();
                let hedge = Hedge::behind(Duration::from_millis(delay));
                connect.layer(hedge.budget(budget.clone()))
            }
        };
    }
    connect
}

fn retry(policy: &Policy, budget: RetryBudget) -> Retry {
    let retry = Retry::new().max_attempts(checks::ATTEMPTS).budget(budget);
    match policy.attempt_timeout {
        Some(limit) => retry.attempt_timeout(Duration::from_millis(limit)),
        None => retry,
    }
}
