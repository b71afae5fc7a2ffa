//! The crates whose types may appear in the public signatures of `rpc-runtime`.
//!
//! A type in a public signature ties our major versions to those of its crate, so each crate in this
//! list is a decision. What is public is asked of rustdoc, which also sees what a macro generated.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The shape of rustdoc's JSON that this test understands; rustdoc raises it with every change.
const KNOWN_FORMAT: u64 = 57;

/// Whole crates, and single items of others, by the path they are defined at.
///
/// `tower_service` needs no rule about its feature: without it there is no such crate to name, and CI
/// compiles each feature alone.
///
/// buffa's registry is what `register_types` of each generated package takes; ours is for the packages of Google.
const ALLOWED: [&str; 18] = [
    "std",
    "core",
    "alloc",
    "buffa::type_registry::TypeRegistry",
    "bytes",
    "futures_core",
    "http",
    "http_body",
    "rpc_macros",
    "serde",
    "serde_core",
    "tower_layer",
    "tower_service",
    "tokio::io::async_buf_read",
    "tokio::io::async_read",
    "tokio::io::async_seek",
    "tokio::io::async_write",
    "tokio::io::read_buf",
];

#[test]
fn public_signatures_use_only_the_types_of_listed_crates() {
    let documentation = rustdoc_json();
    let format = documentation["format_version"].as_u64();
    if format != Some(KNOWN_FORMAT) {
        eprintln!(
            "skipped: rustdoc writes JSON of format {format:?}, this test knows {KNOWN_FORMAT}"
        );
        return;
    }
    let offenders = offenders(&documentation);
    assert!(
        offenders.is_empty(),
        "types of other crates in public signatures (wrap them, or list the crate in this test):\n{}",
        offenders.into_iter().collect::<Vec<_>>().join("\n"),
    );
}

fn rustdoc_json() -> Value {
    // A directory of its own: the variable below makes cargo compile everything anew.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("public-types");
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        // rustdoc's JSON is not stable yet, hence the check of its format.
        .env("RUSTC_BOOTSTRAP", "1")
        .env_remove("RUSTDOCFLAGS")
        .args(["rustdoc", "--locked", "-p", "rpc-runtime", "--lib"])
        .args(["--all-features", "--target-dir"])
        .arg(&target)
        .args(["--", "-Zunstable-options", "--output-format=json"])
        .output()
        .expect("cargo can be started");
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "rustdoc has failed:\n{log}");
    let text = std::fs::read(target.join("doc/rpc_runtime.json")).expect("rustdoc wrote its JSON");
    serde_json::from_slice(&text).expect("rustdoc wrote valid JSON")
}

/// One line for each use of a type that is not allowed: where, in which item, which type.
fn offenders(documentation: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let items = documentation["index"].as_object().into_iter().flatten();
    for (_, item) in items.filter(|(_, item)| item["crate_id"] == 0) {
        if is_for_every_type(&item["inner"]["impl"]) || is_protobuf_re_export(item) {
            continue;
        }
        let mut used = BTreeSet::new();
        collect_references(&item["inner"], &mut used);
        for (id, written) in used {
            let defined = definition(documentation, id, written);
            if !defined.is_empty() && !is_allowed(&defined) {
                found.insert(format!("{} uses `{defined}`", describe(item)));
            }
        }
    }
    found
}

/// Implementations that our types have because all types do: auto traits and `impl<T> Foreign for T`.
fn is_for_every_type(implementation: &Value) -> bool {
    implementation["is_synthetic"] == true || !implementation["blanket_impl"].is_null()
}

/// What users of generated messages need beside them, in the module for that: its crates have exact
/// versions, which change with ours. No signature may use it, apart from what is listed above.
fn is_protobuf_re_export(item: &Value) -> bool {
    let source = item["inner"]["use"]["source"].as_str().unwrap_or_default();
    let file = item["span"]["filename"].as_str().unwrap_or_default();
    file.ends_with("rpc-runtime/src/protobuf.rs") && source.starts_with("::buffa")
}

/// Finds every type, trait and re-export that an item names, however deep: rustdoc writes each as an
/// object with an `id` and the path as it stands in the source.
fn collect_references<'a>(value: &'a Value, used: &mut BTreeSet<(u64, &'a str)>) {
    match value {
        Value::Array(values) => values
            .iter()
            .for_each(|each| collect_references(each, used)),
        Value::Object(fields) => {
            let written = fields.get("path").or_else(|| fields.get("source"));
            let id = fields.get("id").and_then(Value::as_u64);
            if let (Some(id), Some(written)) = (id, written.and_then(Value::as_str)) {
                used.insert((id, written));
            }
            fields
                .values()
                .for_each(|each| collect_references(each, used));
        }
        _ => {}
    }
}

/// Returns the path that an item of another crate is defined at, nothing for one of our own.
fn definition(documentation: &Value, id: u64, written: &str) -> String {
    let id = id.to_string();
    let summary = &documentation["paths"][&id];
    if summary["crate_id"] == 0 || documentation["index"][&id]["crate_id"] == 0 {
        return String::new();
    }
    match summary["path"].as_array() {
        Some(path) => {
            let parts: Vec<&str> = path.iter().filter_map(Value::as_str).collect();
            parts.join("::")
        }
        // What leads to an item from where it stands is our own; this one is in a private module.
        None if written.starts_with("self::") => String::new(),
        // rustdoc knows no better: as it is written, which is at worst reported without need.
        None => written.to_owned(),
    }
}

fn is_allowed(path: &str) -> bool {
    ALLOWED.iter().any(|allowed| {
        path.strip_prefix(allowed)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    })
}

fn describe(item: &Value) -> String {
    let implementation = &item["inner"]["impl"];
    let name = match (
        item["name"].as_str(),
        implementation["trait"]["path"].as_str(),
    ) {
        (Some(name), _) => name.to_owned(),
        (None, Some(implemented)) => {
            let type_path = &implementation["for"]["resolved_path"]["path"];
            format!(
                "impl {implemented} for {}",
                type_path.as_str().unwrap_or("…")
            )
        }
        (None, None) => {
            let kind = item["inner"]
                .as_object()
                .and_then(|kinds| kinds.keys().next());
            kind.map_or_else(String::new, String::clone)
        }
    };
    let file = item["span"]["filename"].as_str().unwrap_or("?");
    format!("{file}:{}: `{name}`", item["span"]["begin"][0])
}

mod the_test_itself {
    use serde_json::json;

    use super::*;

    fn reference(id: u64, path: &str) -> Value {
        json!({ "resolved_path": { "path": path, "id": id, "args": null } })
    }

    /// A crate with one item, which may name: 10 our own type, 11 `http::HeaderMap`,
    /// 12 `tokio::time::Instant`, 13 `tokio::io::AsyncRead`.
    fn offenders_of(name: Option<&str>, inner: Value) -> Vec<String> {
        let item = json!({
            "crate_id": 0, "name": name, "inner": inner,
            "span": { "filename": "src/x.rs", "begin": [7, 1] },
        });
        let documentation = json!({
            "index": { "1": item, "2": { "crate_id": 9, "inner": reference(12, "Instant") } },
            "paths": {
                "10": { "crate_id": 0, "path": ["rpc_runtime", "Own"] },
                "11": { "crate_id": 1, "path": ["http", "header", "map", "HeaderMap"] },
                "12": { "crate_id": 2, "path": ["tokio", "time", "instant", "Instant"] },
                "13": { "crate_id": 2, "path": ["tokio", "io", "async_read", "AsyncRead"] },
            },
        });
        offenders(&documentation).into_iter().collect()
    }

    #[test]
    fn listed_crates_and_our_own_types_pass() {
        for id in [10, 11, 13] {
            let inner = json!({ "struct_field": reference(id, "X") });
            assert_eq!(offenders_of(Some("field"), inner), [""; 0]);
        }
    }

    #[test]
    fn a_type_deep_in_a_signature_is_found_and_named() {
        let argument =
            json!({ "angle_bracketed": { "args": [{ "type": reference(12, "Instant") }] } });
        let output = json!({ "resolved_path": { "path": "Own", "id": 10, "args": argument } });
        let inner = json!({ "function": { "sig": { "inputs": [], "output": output } } });
        assert_eq!(
            offenders_of(Some("f"), inner),
            ["src/x.rs:7: `f` uses `tokio::time::instant::Instant`"]
        );
    }

    #[test]
    fn a_re_export_is_found() {
        let inner =
            json!({ "use": { "source": "tokio::time::Instant", "name": "Instant", "id": 12 } });
        assert_eq!(offenders_of(Some("Instant"), inner).len(), 1);
        let unknown = json!({ "use": { "source": "tokio_util", "name": "tokio_util", "id": 99 } });
        assert_eq!(
            offenders_of(None, unknown),
            ["src/x.rs:7: `use` uses `tokio_util`"]
        );
    }

    #[test]
    fn a_re_export_in_a_private_module_is_none_of_another_crate() {
        let inner = json!({ "use": { "source": "self::inner::Type", "name": "Type", "id": 99 } });
        assert_eq!(offenders_of(None, inner), [""; 0]);
    }

    #[test]
    fn an_implementation_is_found_unless_every_type_has_it() {
        let mut inner = json!({ "impl": {
            "trait": { "path": "Foreign", "id": 12, "args": null },
            "for": reference(10, "Own"), "is_synthetic": false, "blanket_impl": null,
        } });
        assert_eq!(
            offenders_of(None, inner.clone()),
            ["src/x.rs:7: `impl Foreign for Own` uses `tokio::time::instant::Instant`"]
        );
        inner["impl"]["blanket_impl"] = json!({ "generic": "T" });
        assert_eq!(offenders_of(None, inner), [""; 0]);
    }

    #[test]
    fn a_crate_is_not_taken_for_another_with_a_longer_name() {
        assert!(is_allowed("http::uri::Uri"));
        assert!(!is_allowed("http_body_util::Full"));
        assert!(!is_allowed("tokio::time::Instant"));
    }
}
