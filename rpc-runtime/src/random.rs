//! Random bytes that nobody can foresee; in a simulation those that its seed gives.

#[cfg(feature = "testing")]
use std::cell::Cell;

#[cfg(feature = "testing")]
thread_local! {
    static SIMULATED: Cell<bool> = const { Cell::new(false) };
}

/// Fills `bytes`.
///
/// # Errors
///
/// The system gives none.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), getrandom::Error> {
    #[cfg(feature = "testing")]
    if SIMULATED.get() {
        fastrand::fill(bytes);
        return Ok(());
    }
    getrandom::fill(bytes)
}

/// While this lives, the random bytes of this thread are those of `fastrand`.
#[cfg(feature = "testing")]
pub(crate) struct Simulated(bool);

#[cfg(feature = "testing")]
impl Simulated {
    pub(crate) fn new() -> Self {
        Self(SIMULATED.replace(true))
    }
}

#[cfg(feature = "testing")]
impl Drop for Simulated {
    fn drop(&mut self) {
        SIMULATED.set(self.0);
    }
}
