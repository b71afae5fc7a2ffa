//! The answer to the one call of a text.

use bytes::Bytes;

use crate::status::Status;
use crate::wire::jsonrpc::dialect::Dialect;
use crate::wire::jsonrpc::envelope::Envelope;

/// Reads the result of a call; `None` for what is no answer to it.
pub(crate) fn answer_of(dialect: &Dialect, text: &Bytes, id: u64) -> Option<Result<Bytes, Status>> {
    let envelope = Envelope::read(text).ok()?;
    let answer = (dialect.read_answer)(&envelope)?;
    // A server that could not read the call has no id of it.
    let is_its = answer.id == Some(id) || (answer.id.is_none() && answer.result.is_err());
    let result = answer.result;
    is_its.then(|| result.map(|it| text.slice_ref(it.get().as_bytes())))
}
