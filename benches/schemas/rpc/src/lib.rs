//! What `rpc-build` writes.

rpc_runtime::include_schema!();
