//! What gRPC says in tables (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>):
//! how a status, its details and a timeout look in headers. Reads and writes without I/O.

pub(super) mod details;
pub(super) mod status;
pub(super) mod timeout;
