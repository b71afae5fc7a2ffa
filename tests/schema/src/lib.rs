//! What `rpc-build` makes of the schemas in `proto`, in a crate that forbids what a careful user forbids.

#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, unreachable_pub, clippy::all, rustdoc::all)]

/// All packages, each in the modules that its name says.
pub mod schema {
    rpc_runtime::include_schema!();
}

/// One package by itself, as most crates have it.
pub mod users {
    rpc_runtime::include_schema!("users.v1");
}

/// A package that needs another one.
pub mod kinds {
    rpc_runtime::include_schema!("kinds.v1");
}

pub mod twins;

/// Messages that can be read where they lie.
pub mod viewed {
    include!(concat!(env!("OUT_DIR"), "/viewed/viewed.v1.rs"));
}

/// Messages with types of another module, and with a runtime of another name.
pub mod borrowed {
    include!(concat!(env!("OUT_DIR"), "/borrowed/borrowed.v1.rs"));
}

/// Messages of an edition, which were compiled from a descriptor set.
pub mod editions {
    include!(concat!(env!("OUT_DIR"), "/editions/editions.v1.rs"));
}

pub use rpc_runtime as runtime;
