//! What happened in one simulation, in order: for reading it, and for comparing two runs.

use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::hash::Hasher;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

/// The events of one simulation, and what was found wrong.
#[derive(Clone)]
pub(crate) struct Trace(Arc<Mutex<Inner>>);

struct Inner {
    began: Instant,
    print: bool,
    hasher: DefaultHasher,
    events: u64,
    violations: Vec<String>,
}

impl Trace {
    /// Begins now; `print` shows each event as it comes.
    pub(crate) fn new(print: bool) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            began: Instant::now(),
            print,
            // Its keys are constants, other than those of a `HashMap`.
            hasher: DefaultHasher::new(),
            events: 0,
            violations: Vec::new(),
        })))
    }

    /// Notes an event.
    pub(crate) fn note(&self, event: fmt::Arguments<'_>) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = inner.began.elapsed();
        let line = format!("{:>9.3} {event}", at.as_secs_f64() * 1000.0);
        inner.hasher.write(line.as_bytes());
        inner.events += 1;
        if inner.print {
            println!("{line}");
        }
    }

    /// Notes that a promise was broken.
    pub(crate) fn violation(&self, text: String) {
        self.note(format_args!("VIOLATION {text}"));
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.violations.push(text);
    }

    /// Returns the number of events and a hash over all of them.
    pub(crate) fn fingerprint(&self) -> (u64, u64) {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (inner.events, inner.hasher.finish())
    }

    /// Returns what was found wrong.
    pub(crate) fn violations(&self) -> Vec<String> {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.violations.clone()
    }
}
