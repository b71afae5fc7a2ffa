//! What code with protobuf messages needs beside the messages themselves.
//!
//! `rpc-build` turns `.proto` files into messages and traits, [`include_schema!`](crate::include_schema)
//! brings them into a crate, and the codec [`Protobuf`](crate::codec::Protobuf) sends them.

/// The crate that generated messages are made of, with its `MessageField`, `EnumValue` and the like.
///
/// Its version is part of what `rpc-build` generates, so both always come from one release.
pub use ::buffa;

/// The messages of `google.protobuf`, such as `Timestamp`, `Duration`, `Any` and `Empty`.
pub use ::buffa_types::google::protobuf as well_known;

/// Brings what `rpc-build` wrote for a package into the module where it stands.
///
/// It loads `users.v1.rs` of the directory that build scripts write to, which declares the messages
/// and services of the package.
///
/// # Examples
///
/// ```ignore
/// // build.rs: rpc_build::compile(["proto/users/v1/users.proto"])
/// pub mod users {
///     pub mod v1 {
///         rpc_runtime::include_schema!("users.v1");
///     }
/// }
/// ```
#[macro_export]
macro_rules! include_schema {
    ($package:literal) => {
        ::core::include!(::core::concat!(
            ::core::env!(
                "OUT_DIR",
                "there is no build script: compile the schema in `build.rs` with `rpc-build`"
            ),
            "/",
            $package,
            ".rs"
        ));
    };
}
