//! What is fuzzed: everything that reads bytes of a peer, or text of somebody else. Each target
//! takes bytes and panics if something is wrong. `tests/fuzz.rs` runs them.

pub(crate) mod clients;
mod peers;
mod schemas;
pub(crate) mod service;
mod values;

/// A target by its name, which is that of its corpus.
pub(crate) type Target = (&'static str, fn(&[u8]));

/// Every target.
pub(crate) const ALL: &[Target] = &[
    // Byte streams to a server that speaks every wire, and to each kind of client.
    ("server", peers::server),
    ("native_server", peers::native_server),
    ("native_client", clients::native_client),
    ("json_server", peers::json_server),
    ("kn_sock_server", peers::kn_sock_server),
    ("length_prefixed_server", peers::length_prefixed_server),
    ("websocket_server", peers::websocket_server),
    ("json_client", clients::json_client),
    ("http_client", clients::http_client),
    ("websocket_client", clients::websocket_client),
    // Requests of HTTP, whose heads and bodies are what is fuzzed.
    ("grpc", peers::grpc),
    ("connect", peers::connect),
    // Arguments and values.
    ("message_pack", values::message_pack),
    ("json", values::json),
    ("postcard", values::postcard),
    ("protobuf", values::protobuf),
    // Text that a build reads.
    ("proto", schemas::proto),
    ("lock", schemas::lock),
];
