//! Plain functions, which are served by name: no trait, no types of their own.

use std::time::SystemTime;

/// Greets somebody.
pub async fn hello(name: String) -> String {
    format!("Hello, {name}!")
}

/// Returns the time of the server, such as `2026-01-31T12:00:00Z`.
pub async fn get_time() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}
