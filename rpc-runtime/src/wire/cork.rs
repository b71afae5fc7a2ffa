//! Holding writes back while a batch of calls begins, so that it leaves in one write.

use std::cell::RefCell;
use std::sync::Arc;

/// A connection whose writes can be held back.
pub(crate) trait Corkable: Send + Sync {
    /// Holds writes back until [`uncork`](Self::uncork).
    fn cork(&self);
    /// Lets writes go on.
    fn uncork(&self);
}

thread_local! {
    /// The connections that the batch on this thread has corked so far; `None` without a batch.
    static CORKED: RefCell<Option<Vec<Arc<dyn Corkable>>>> = const { RefCell::new(None) };
}

/// Runs `begin`, which must not wait for anything, and lets all that it sends leave together.
pub(crate) fn batch<T>(begin: impl FnOnce() -> T) -> T {
    struct Uncork;
    impl Drop for Uncork {
        fn drop(&mut self) {
            for connection in CORKED.take().into_iter().flatten() {
                connection.uncork();
            }
        }
    }
    if CORKED.with_borrow(Option::is_some) {
        return begin();
    }
    CORKED.set(Some(Vec::new()));
    let _uncork = Uncork;
    begin()
}

/// Corks `connection` for the batch on this thread, if there is one, before something is sent.
pub(crate) fn join_batch<C: Corkable + 'static>(connection: &Arc<C>) {
    CORKED.with_borrow_mut(|corked| {
        let Some(corked) = corked else {
            return;
        };
        let address = Arc::as_ptr(connection).cast::<()>();
        if corked
            .iter()
            .all(|it| Arc::as_ptr(it).cast::<()>() != address)
        {
            connection.cork();
            corked.push(Arc::clone(connection) as Arc<dyn Corkable>);
        }
    });
}
