//! What code with protobuf messages needs beside the messages themselves.
//!
//! `rpc-build` turns `.proto` files into messages and traits, [`include_schema!`](crate::include_schema)
//! brings them into a crate, and the codec [`Protobuf`](crate::codec::Protobuf) sends them.
//!
//! # `Any` and extensions in JSON
//!
//! Binary messages keep both without being told of them. In JSON an [`Any`](well_known::Any) is written as what it holds, and an
//! extension by its name, so a program that uses them in JSON says once, when it starts, which types there are. Without that
//! an `Any` has its bytes in base64, and extensions are left out.
//!
//! ```ignore
//! let mut registry = type_registry::TypeRegistry::new();
//! well_known::register_types(&mut registry);
//! users::v1::register_types(&mut registry); // each package has one
//! type_registry::set_type_registry(registry);
//! ```
//!
//! What a peer sends of them is put aside before it is decoded, and
//! [`Limits::max_element_memory`](crate::Limits::max_element_memory) bounds how much that is. An `Any` that is written as JSON
//! is decoded for that, with those that are in it, up to 100 levels deep. [`Limits::max_stack`](crate::Limits::max_stack) holds
//! for all of them together.

// Single items, since the crates have types called `String` and `Option`: the compiler would have to
// say `std::string::String` in every message to a user.
pub use ::buffa::{
    EnumValue, Enumeration, Extension, ExtensionSet, Message, MessageField, MessageName,
    MessageView, ViewEncode,
};
pub use ::buffa::{UnknownFields, type_registry};

/// The messages of `google.protobuf`.
pub mod well_known {
    pub use crate::codec::protobuf::registered::register_types;
    pub use ::buffa_types::google::protobuf::{
        Any, BoolValue, BytesValue, DoubleValue, Duration, Empty, FieldMask, FloatValue,
        Int32Value, Int64Value, ListValue, NullValue, StringValue, Struct, Timestamp, UInt32Value,
        UInt64Value, Value,
    };
}

/// Brings what `rpc-build` wrote for a package into the module where it stands.
///
/// `include_schema!("users.v1")` loads the messages and services of one package.
/// `include_schema!()` loads all packages that the build script compiled, each in the modules that
/// its name says, which is for packages that use each other: they share their types.
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
    () => {
        $crate::include_schema!("all-packages");
    };
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
