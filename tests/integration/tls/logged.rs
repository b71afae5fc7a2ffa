//! What is written to the log by a test that runs in one thread.

use std::cell::RefCell;
use std::fmt::Write;
use std::sync::Once;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// The lines that this thread has written since.
pub(super) struct Logged;

impl Logged {
    pub(super) fn begin() -> Self {
        static INSTALLED: Once = Once::new();
        // One for the process: what a thread without a subscriber of its own logs first, nobody would
        // hear from then on.
        INSTALLED.call_once(|| tracing::subscriber::set_global_default(ByThread).unwrap());
        LINES.take();
        Self
    }

    pub(super) fn lines(&self) -> Vec<String> {
        LINES.with_borrow(Vec::clone)
    }

    /// Waits for a line with this text in it.
    pub(super) async fn line_with(&self, text: &str) -> String {
        let found = timeout(super::PATIENCE, async {
            loop {
                if let Some(line) = self.lines().into_iter().find(|it| it.contains(text)) {
                    return line;
                }
                sleep(Duration::from_millis(2)).await;
            }
        });
        let found = found.await;
        found.unwrap_or_else(|_| panic!("no `{text}` in {:#?}", self.lines()))
    }
}

struct ByThread;

impl Subscriber for ByThread {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("rpc_runtime")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        LINES.with_borrow_mut(|lines| lines.push(line.0));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}
