//! JSON-RPC 2.0, in texts that nobody here wrote with our own code.

mod clients;
mod dialects;
mod discover;
mod example;
mod over_http;
mod over_tcp;
mod over_websocket;
mod peers;
mod streams;
