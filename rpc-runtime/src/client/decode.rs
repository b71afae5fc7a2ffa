//! How the items of a stream are decoded: [`Decode`].

use crate::call::{Message, Run, ValueMessage};
use crate::codec::Encodes;
use crate::status::Status;

/// How an item is decoded.
pub(super) struct Decode<T> {
    /// An item that came as a message.
    pub(super) message: fn(Message) -> Result<T, Status>,
    /// The next one of those that came together, if there is one.
    pub(super) next: fn(&mut Run) -> Option<Result<T, Status>>,
}

impl<T: Send + 'static> Decode<T> {
    pub(super) fn of<C: Encodes<T>>() -> Self {
        Self {
            message: ValueMessage::<C, T>::unwrap,
            next: Run::next::<C, T>,
        }
    }
}
