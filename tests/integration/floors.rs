//! What knows of what in the runtime, as `docs/architecture.md` has it.

use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("the sources are there") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") {
            found.push(path);
        }
    }
}

/// Lists the files outside of some folders that have code with one of these names in it.
fn knowing(folders: &[&str], names: &[&str]) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rpc-runtime/src");
    let mut all = Vec::new();
    sources(&root, &mut all);
    let mut knowing: Vec<String> = all
        .iter()
        .filter_map(|path| Some((path.strip_prefix(&root).ok()?, path)))
        .filter(|(name, _)| !folders.iter().any(|it| name.starts_with(it)))
        .filter(|(_, path)| {
            let text = std::fs::read_to_string(path).expect("it is text");
            let mut code = text.lines().filter(|line| !line.trim().starts_with("//"));
            code.any(|line| names.iter().any(|it| line.contains(it)))
        })
        .map(|(name, _)| name.display().to_string())
        .collect();
    knowing.sort();
    knowing
}

/// Where the wires are told apart, on either side, and what each is set to.
const TABLES: [&str; 4] = [
    "wire/accepted.rs",
    "wire/config.rs",
    "wire/connected.rs",
    "wire/detect.rs",
];

/// The folder `wire/http` could be deleted: with its `mod` lines and the feature gone, the rest builds, as
/// every line about it is behind that feature. WebSocket begins as HTTP and would go with it, and so would
/// the tower service.
#[test]
fn few_files_know_that_there_is_http() {
    let names = ["wire::http", "super::http", "hyper::", "h2::"];
    let mut expected = vec!["server/http_service.rs"];
    expected.extend(TABLES);
    assert_eq!(knowing(&["wire/http", "wire/websocket"], &names), expected);
}

/// So could `wire/jsonrpc`: HTTP and WebSocket, which carry its texts, go on without.
#[test]
fn few_files_know_that_there_is_json_rpc() {
    let names = ["wire::jsonrpc", "super::jsonrpc", "jsonrpc::"];
    let mut expected = TABLES.to_vec();
    expected.extend([
        "wire/http/json_rpc/client.rs",
        "wire/http/json_rpc/server.rs",
        "wire/http/server.rs",
        "wire/websocket/serve.rs",
    ]);
    assert_eq!(knowing(&["wire/jsonrpc"], &names), expected);
}

#[test]
fn few_files_know_that_there_is_websocket() {
    let names = ["wire::websocket", "super::websocket", "websocket::"];
    let expected = [
        "wire/config.rs",
        "wire/connected.rs",
        "wire/http/upgrade.rs",
    ];
    assert_eq!(knowing(&["wire/websocket"], &names), expected);
}
