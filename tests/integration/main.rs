//! The whole path: a trait, a server, a wire, a typed client.

mod batch;
mod blocking;
mod bytes;
mod callbacks;
mod calls;
mod every_form;
mod formats;
mod functions;
mod gateway;
mod grpc_client;
mod grpc_python;
mod grpc_server;
mod http;
mod jsonrpc;
mod layers;
mod options;
mod protobuf;
mod python;
mod reconnect;
mod retry;
mod schemas;
mod servers;
mod slow_methods;
mod tls;
mod websocket;
