//! The field with which a side says which form of a service it was built with.

use bytes::{BufMut, BytesMut};

use super::field::{FieldError, FieldProblem, FieldType, put_field};
use crate::call::Schema;

/// Writes the field: eight bytes of the fingerprint, then the revision as text.
pub(super) fn put_schema(out: &mut BytesMut, schema: &Schema) {
    let mut value = BytesMut::with_capacity(64);
    value.put_u64_le(schema.fingerprint());
    value.put_slice(schema.revision().unwrap_or_default().as_bytes());
    put_field(out, FieldType::SCHEMA, &value);
}

/// Reads the value of the field.
///
/// # Errors
///
/// It is too short, or its revision is none: digits with dots between them, up to 32 bytes.
pub(super) fn schema_value(value: &[u8]) -> Result<Schema, FieldError> {
    let schema = value.split_first_chunk().and_then(|(number, revision)| {
        let revision = std::str::from_utf8(revision).ok()?;
        Schema::from_peer(u64::from_le_bytes(*number), revision)
    });
    schema.ok_or_else(|| FieldError::of(FieldType::SCHEMA, FieldProblem::NoSchema))
}
