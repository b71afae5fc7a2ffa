//! A folder of files that others list, download and upload: the service and both its sides.

mod client;
mod content;
mod folder;
mod store;
#[cfg(test)]
mod tests;

pub use client::{Options, TransferError, download, partial_path, upload};
pub use folder::Folder;
use futures_util::Stream;
use rpc_runtime::{RpcError, Streaming, rpc_service};
use serde::{Deserialize, Serialize};
pub use store::FileStore;

/// How much of a file travels in one message. Larger messages are hardly faster, and each stream
/// keeps a few of them in memory.
pub const CHUNK: usize = 64 << 10;

/// A file of the folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileInfo {
    /// The path in the folder, with `/` between its parts.
    pub name: String,
    /// The length in bytes.
    pub size: u64,
}

/// A piece of a file on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Part {
    /// Comes first: how long the whole file is.
    Start {
        /// The length in bytes, whatever the offset.
        size: u64,
    },
    /// The next bytes.
    Data(#[serde(with = "serde_bytes")] Vec<u8>),
    /// Comes last: what the whole file should be, whatever the offset.
    End {
        /// The SHA-256 of the whole file.
        sha256: [u8; 32],
    },
}

/// Why a file cannot be listed, read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize, RpcError)]
pub enum FileError {
    /// The name leads out of the folder, or is none that a file here can have.
    #[error("`{name}` is refused: {reason}")]
    #[rpc(error_code = PermissionDenied)]
    Refused {
        /// The name as it was given.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no such file.
    #[error("there is no file `{name}`")]
    #[rpc(error_code = NotFound)]
    NotFound {
        /// The name as it was given.
        name: String,
    },
    /// There is such a file already, and nobody said that it may be replaced.
    #[error("there is a file `{name}` already")]
    #[rpc(error_code = AlreadyExists)]
    Exists {
        /// The name as it was given.
        name: String,
    },
    /// The download was to go on behind the end of the file.
    #[error("the file has only {size} bytes")]
    #[rpc(error_code = OutOfRange)]
    PastTheEnd {
        /// The length in bytes.
        size: u64,
    },
    /// What arrived is not what was sent.
    #[error("the SHA-256 of what arrived is not that of what was sent")]
    #[rpc(error_code = DataLoss)]
    HashMismatch,
    /// The parts came in another order than start, data, end.
    #[error("the stream of parts is not in order: {reason}")]
    #[rpc(error_code = InvalidArgument)]
    OutOfOrder {
        /// What is wrong with it.
        reason: String,
    },
    /// The upload broke off.
    #[error("the upload broke off: {reason}")]
    #[rpc(error_code = Aborted)]
    BrokenOff {
        /// Why.
        reason: String,
    },
    /// The server's disk failed; the reason is in the server's log.
    #[error("the server cannot {action} the file now")]
    #[rpc(error_code = Internal)]
    Disk {
        /// What the server was doing.
        action: String,
    },
}

/// Files of one folder.
#[rpc_service(name = "files.v1.Files")]
pub trait Files {
    /// Streams what there is, folder by folder.
    #[rpc(read_only)]
    fn list(&self) -> impl Stream<Item = Result<FileInfo, FileError>>;

    /// Streams a file from an offset on.
    #[rpc(read_only)]
    fn download(&self, name: String, offset: u64) -> impl Stream<Item = Result<Part, FileError>>;

    /// Takes a file, which appears under its name when it has arrived whole.
    async fn upload(
        &self,
        name: String,
        replace: bool,
        parts: Streaming<Part>,
    ) -> Result<FileInfo, FileError>;
}
