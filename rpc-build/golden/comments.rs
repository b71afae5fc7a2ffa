// Written by rpc-build from comments.proto. Do not edit.

use ::rpc_runtime::codec::Protobuf;
use ::rpc_runtime::{Status, rpc_service};
use super::Note;

/// Reads \[Notes\] from <https://example.com/a>, see also
/// <https://example.com/b>.
///
/// ```text
/// let indented = "code";
/// ```
///
/// ```text
/// let fenced = 1;
/// ```
#[rpc_service(
    name = "comments.Comments",
    codec = Protobuf,
    rename_all = "PascalCase",
    descriptors = super::FILE_DESCRIPTOR_SET
)]
pub trait Comments {
    /// A comment behind, of Vec\<Note\>.
    async fn behind(&self, request: Note) -> Result<Note, Status>;
    /// A block
    /// of `code[0]`.
    async fn block(&self, request: Note) -> Result<Note, Status>;
}
