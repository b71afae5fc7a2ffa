//! What `wire/budget.rs` fails with.

pub(crate) struct Status;

impl Status {
    pub(crate) fn resource_exhausted(_text: impl Into<String>) -> Self {
        Self
    }
}
