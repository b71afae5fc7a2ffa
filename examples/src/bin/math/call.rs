//! `math call`.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use rpc_runtime::layer::auth::BearerToken;
use rpc_runtime::tls::{ClientTls, Roots};
use rpc_runtime::{Channel, Encoding};
use serde_json::Value;

use crate::Failure;

/// Calls a method or a function by name, and prints one line of JSON per value.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The server, such as `tcp://127.0.0.1:8080`.
    url: String,
    /// The method, such as `math.v1.Math/add`, or the name of a function, such as `hello`.
    method: String,
    /// The arguments: JSON values in the order of the method's, or one JSON object with their
    /// names. A word that is no JSON counts as a string.
    #[arg(value_name = "JSON", allow_hyphen_values = true)]
    values: Vec<String>,
    /// The longest time that the call may take, in seconds.
    #[arg(long, default_value_t = 30.0)]
    timeout: f64,
    /// Sends a bearer token along, which `users.v1.Users` asks for.
    #[arg(long)]
    token: Option<String>,
    /// Trusts the authorities in this PEM file instead of the system's, for a `tls://` URL.
    #[arg(long, value_name = "PEM")]
    tls_roots: Option<PathBuf>,
}

/// Makes the call.
pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let mut connect = Channel::connect(&arguments.url);
    if let Some(roots) = &arguments.tls_roots {
        connect = connect.tls(ClientTls::new().roots(Roots::from_pem_file(roots)));
    }
    let mut channel = connect.await?.with_encoding(Encoding::JSON);
    if let Some(token) = &arguments.token {
        channel = channel.layer(BearerToken::new(token)?);
    }
    let timeout = Duration::try_from_secs_f64(arguments.timeout)?;
    let values = arguments_from(&arguments.values)?;
    // A stream of one value is what a method without a stream answers with.
    let mut answer = channel
        .call_stream::<_, Value>(&arguments.method, values)
        .timeout(timeout);
    let mut out = std::io::stdout();
    while let Some(value) = answer.next().await {
        writeln!(out, "{}", value?)?;
    }
    Ok(())
}

/// Reads what was given as the arguments of a method.
fn arguments_from(words: &[String]) -> Result<Value, Failure> {
    let mut values = Vec::new();
    for word in words {
        values.push(match serde_json::from_str(word) {
            Ok(value) => value,
            // What begins like JSON was meant as JSON.
            Err(error) if word.starts_with(['{', '[', '"']) => {
                return Err(format!("`{word}` is no JSON: {error}").into());
            }
            Err(_) => Value::String(word.clone()),
        });
    }
    Ok(match values.as_slice() {
        [named @ Value::Object(_)] => named.clone(),
        _ => Value::Array(values),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::arguments_from;

    fn read(words: &[&str]) -> Result<serde_json::Value, String> {
        let words: Vec<_> = words.iter().map(|&word| word.to_owned()).collect();
        arguments_from(&words).map_err(|error| error.to_string())
    }

    #[test]
    fn arguments_are_positional_or_named() {
        assert_eq!(read(&[]), Ok(json!([])));
        assert_eq!(read(&["2", "-3.5", "Ann"]), Ok(json!([2, -3.5, "Ann"])));
        assert_eq!(read(&[r#"{"a": 1}"#]), Ok(json!({"a": 1})));
        assert_eq!(read(&[r#"{"a": 1}"#, "2"]), Ok(json!([{"a": 1}, 2])));
    }

    #[test]
    fn broken_json_is_no_string() {
        let error = read(&[r#"{"a": 1"#]).unwrap_err();
        assert!(error.starts_with(r#"`{"a": 1` is no JSON"#), "{error}");
    }
}
