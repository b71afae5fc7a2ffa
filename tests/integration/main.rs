//! The whole path: a trait, a server, a wire, a typed client.

mod every_form;
mod options;
