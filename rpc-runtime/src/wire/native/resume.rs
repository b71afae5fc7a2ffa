//! The fields of streams that a caller goes on with over another connection.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::field::{
    FieldError, FieldProblem, FieldType, get_varint, put_field, put_varint, put_varint_field,
};
use super::inbox::MESSAGE_OVERHEAD;
use crate::call::{Granted, Kept, MESSAGE_COST, Method, Request, Resume, ResumeIn, TOKEN_LENGTHS};
use crate::status::Status;

// What the caller gives back is counted by who keeps the stream.
const _: () = assert!(MESSAGE_COST == MESSAGE_OVERHEAD.unsigned_abs());

/// What a block of fields says of such a stream.
#[derive(Clone, PartialEq, Default, Debug)]
pub(crate) struct ResumeFields {
    /// The token, behind a number: in a REQUEST how many items were received, in a RESPONSE how many
    /// milliseconds its caller is waited for.
    pub(crate) token: Option<(u64, Bytes)>,
    pub(crate) gap: Option<u64>,
    pub(crate) able: Option<()>,
}

impl ResumeFields {
    /// Notes on a request what its fields say.
    pub(super) fn note(self, request: &mut Request) -> Result<(), Status> {
        let resume = match (self.token, self.able) {
            (Some((received, token)), _) => {
                check_resumable(request.method())?;
                Resume::Behind { token, received }
            }
            (None, Some(())) => Resume::Able,
            (None, None) => return Ok(()),
        };
        request.extensions_mut().insert(ResumeIn(resume));
        Ok(())
    }

    /// Returns what the fields of a response say.
    pub(super) fn granted(self) -> Option<Granted> {
        let (wait, token) = self.token?;
        Some(Granted {
            token,
            wait: Duration::from_millis(wait),
            lost: self.gap.unwrap_or(0),
        })
    }

    #[cfg(test)]
    pub(super) fn write(&self, out: &mut BytesMut) {
        if let Some((number, token)) = &self.token {
            put_token(out, *number, token);
        }
        if let Some(gap) = self.gap {
            put_varint_field(out, FieldType::GAP, gap);
        }
        if self.able.is_some() {
            put_field(out, FieldType::RESUMABLE, &[]);
        }
    }
}

/// A method that keeps no stream would begin another one.
fn check_resumable(method: &Method) -> Result<(), Status> {
    if method.descriptor().is_some_and(|it| it.is_resumable()) {
        return Ok(());
    }
    let path = method.path();
    Err(Status::unimplemented(format!(
        "the stream of `{path}` cannot be gone on with"
    )))
}

/// Reads a number with a token behind it.
pub(super) fn token_value(value: &[u8]) -> Result<(u64, Bytes), FieldError> {
    let mut token = value;
    let number = get_varint(&mut token)?;
    if !TOKEN_LENGTHS.contains(&token.len()) {
        return Err(FieldError::of(FieldType::RESUME, FieldProblem::NoToken));
    }
    // It may be kept, and must not keep the memory that was read into.
    Ok((number, Bytes::copy_from_slice(token)))
}

fn put_token(out: &mut BytesMut, number: u64, token: &[u8]) {
    let mut value = BytesMut::new();
    put_varint(&mut value, number);
    value.extend_from_slice(token);
    put_field(out, FieldType::RESUME, &value);
}

/// Writes what a request says of its stream.
pub(super) fn put_resume(out: &mut BytesMut, resume: &Resume) {
    match resume {
        Resume::Able => put_field(out, FieldType::RESUMABLE, &[]),
        Resume::Behind { token, received } => put_token(out, *received, token),
    }
}

/// Writes what a response says of its stream.
pub(super) fn put_kept(out: &mut BytesMut, kept: &Kept) {
    let wait = u64::try_from(kept.wait.as_millis()).unwrap_or(u64::MAX);
    put_token(out, wait, &kept.token);
    if kept.lost > 0 {
        put_varint_field(out, FieldType::GAP, kept.lost);
    }
}
