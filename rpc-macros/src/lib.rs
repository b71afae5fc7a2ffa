//! The procedural macros of `rpc-runtime`, which re-exports and documents them.

mod attr;
mod check;
mod error_derive;
mod errors;
mod expand;
mod generate;
#[cfg(test)]
mod golden;
mod model;
mod names;
mod parse;
mod types;

use proc_macro::TokenStream;

/// Makes a client and a server out of a trait; documented at `rpc_runtime::rpc_service`.
#[proc_macro_attribute]
pub fn rpc_service(attr: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(attr.into(), item.into()).into()
}

/// Gives an error type its status code; documented at `rpc_runtime::RpcError`.
#[proc_macro_derive(RpcError, attributes(rpc))]
pub fn derive_rpc_error(item: TokenStream) -> TokenStream {
    error_derive::expand(item.into()).into()
}
