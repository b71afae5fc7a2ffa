//! The request to end a connection in good order.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Begins to end a connection: open calls finish, new ones are refused. Clones end the same one.
///
/// It can be asked for before it is known which wire the connection speaks. A hook, and not a
/// future: a connection that is not being ended pays nothing for it.
#[derive(Clone, Default)]
pub(crate) struct Draining(Arc<Mutex<State>>);

#[derive(Default)]
enum State {
    #[default]
    Unheard,
    Heard(Box<dyn FnOnce() + Send>),
    Begun,
}

impl Draining {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for it.
    pub(crate) fn begin(&self) {
        let before = std::mem::replace(&mut *self.state(), State::Begun);
        // Outside of the lock, as the hook takes those of the connection.
        if let State::Heard(hook) = before {
            hook();
        }
    }

    /// Runs `hook` when it is asked for, at once if it was already; the hook before goes.
    pub(crate) fn on_begin(&self, hook: impl FnOnce() + Send + 'static) {
        let mut state = self.state();
        if matches!(*state, State::Begun) {
            drop(state);
            hook();
        } else {
            *state = State::Heard(Box::new(hook));
        }
    }
}

impl fmt::Debug for Draining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Draining")
    }
}
