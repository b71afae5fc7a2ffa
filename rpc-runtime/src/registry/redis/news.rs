//! What Redis says of changes, for those who watch.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_core::Stream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::store::{PATIENCE, Store, unavailable};
use crate::status::Status;

/// The pause before Redis is listened to again.
const PAUSE: Duration = Duration::from_millis(500);

/// What was heard.
#[derive(Clone, Debug, Default)]
pub(super) struct News {
    changes: u64,
    /// Why nothing is heard now.
    pub(super) lost: Option<Status>,
}

/// Listens until it is stopped.
pub(super) async fn listen(store: Arc<Store>, news: Arc<watch::Sender<News>>) {
    loop {
        let Err(lost) = hear(&store, &news).await;
        tracing::warn!(status = %lost, "changes of the registry are not heard");
        news.send_modify(|it| it.lost = Some(lost));
        // Registries that lost it together do not come back together.
        sleep(PAUSE.mul_f64(0.5 + fastrand::f64())).await;
    }
}

async fn hear(store: &Store, news: &watch::Sender<News>) -> Result<Infallible, Status> {
    let late = |_| Status::unavailable("Redis does not answer");
    let subscribing = async {
        let mut redis = store.settings.client.get_async_pubsub().await?;
        redis.subscribe(store.channel()).await?;
        Ok(redis.into_on_message())
    };
    let subscribed = timeout(PATIENCE, subscribing).await.map_err(late)?;
    let mut messages = subscribed.map_err(unavailable)?;
    // What changed before that is looked up as well.
    loop {
        news.send_modify(|it| {
            it.changes = it.changes.wrapping_add(1);
            it.lost = None;
        });
        let message = poll_fn(|cx| Pin::new(&mut messages).poll_next(cx)).await;
        message.ok_or_else(|| Status::unavailable("Redis ended the connection"))?;
    }
}
