//! Texts that go out, and how the values in them are written.

use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use serde_json::value::RawValue;

use crate::call::Message;
use crate::codec::{Encoding, Pieces};
use crate::status::Status;
use crate::wire::budget::{Budget, LIGHT};
use crate::wire::incomplete::Held;

/// A text that goes out; dropped when it has.
pub(crate) struct Text {
    pub(crate) bytes: BytesMut,
    _held: Held,
}

impl Text {
    /// Counts a text against the budget, if it is large.
    pub(super) fn new(bytes: BytesMut, budget: &Arc<Budget>) -> Result<Self, Status> {
        let mut held = Held::new(Arc::clone(budget));
        if bytes.len() > LIGHT {
            held.set(bytes.len())?;
        }
        Ok(Self { bytes, _held: held })
    }

    /// A text that goes out whatever the budget says.
    pub(super) fn uncounted(bytes: BytesMut, budget: &Arc<Budget>) -> Self {
        Self {
            bytes,
            _held: Held::new(Arc::clone(budget)),
        }
    }
}

/// Appends a value.
pub(super) fn put_value(out: &mut BytesMut, mut message: Message) -> Result<(), Status> {
    let before = out.len();
    if message.as_bytes().is_some_and(|it| !it.is_empty()) {
        // Not encoded here, so nobody has looked at it; a text must not end in the midst of it.
        let bytes = message.bytes(Encoding::JSON)?;
        let value: &RawValue = serde_json::from_slice(&bytes).map_err(|error| {
            Status::internal("the service did not answer with JSON").with_source(error)
        })?;
        let on_one_line = value.get().bytes().map(|it| match it {
            b'\n' | b'\r' => b' ',
            other => other,
        });
        out.extend(on_one_line);
    } else {
        message.encode_into(Encoding::JSON, out, &mut Pieces::default())?;
    }
    if out.len() == before {
        out.put_slice(b"null");
    }
    Ok(())
}
