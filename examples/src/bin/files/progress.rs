//! A bar that shows how far a transfer is, where standard error is a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// What the bar looks like.
const TEMPLATE: &str = "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec}, {eta} left";

/// Shows one transfer.
pub(crate) struct Progress {
    bar: ProgressBar,
    callback: Box<dyn Fn(u64, u64) + Send + Sync>,
}

impl Progress {
    /// Begins a bar for this file. It is hidden where nobody would see it move.
    pub(crate) fn new(name: &str) -> Self {
        let bar = ProgressBar::new(0).with_message(name.to_owned());
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style);
        }
        let shown = bar.clone();
        let callback = Box::new(move |done, total| {
            shown.set_length(total);
            shown.set_position(done);
        });
        Self { bar, callback }
    }

    /// Returns what is to be told of each step.
    pub(crate) fn callback(&self) -> &(dyn Fn(u64, u64) + Send + Sync) {
        &*self.callback
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
