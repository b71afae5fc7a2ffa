//! What the tests are made of, as `rpc-build` writes it.

rpc_runtime::include_schema!();
