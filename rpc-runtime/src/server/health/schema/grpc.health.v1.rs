// Written by rpc-build from the package `grpc.health.v1`. Do not edit.

#[allow(
    bindings_with_variant_name,
    clippy::all,
    clippy::nursery,
    clippy::pedantic,
    clippy::restriction,
    dead_code,
    deprecated,
    missing_debug_implementations,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    rustdoc::all,
    unreachable_patterns,
    unreachable_pub,
    unused_imports,
    unused_qualifications,
)]
#[rustfmt::skip]
#[path = "grpc.health.v1/package.rs"]
mod __package;
#[allow(unreachable_pub, unused_imports)]
pub use self::__package::*;
