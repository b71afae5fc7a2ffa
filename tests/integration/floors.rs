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

/// The folder `wire/http` could be deleted: what would have to go with it is where wires are told
/// apart, what can be carried over it, and what is HTTP's own on either side. Each such line is behind
/// the feature `http`, or one that needs it. WebSocket begins as HTTP, and is not asked.
#[test]
fn few_files_know_that_there_is_http() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rpc-runtime/src");
    let mut all = Vec::new();
    sources(&root, &mut all);
    let names = ["wire::http", "super::http", "hyper::", "h2::"];
    let mut knowing: Vec<String> = all
        .iter()
        .filter_map(|path| Some((path.strip_prefix(&root).ok()?, path)))
        .filter(|(name, _)| !name.starts_with("wire/http") && !name.starts_with("wire/websocket"))
        .filter(|(_, path)| {
            let text = std::fs::read_to_string(path).expect("it is text");
            let mut code = text.lines().filter(|line| !line.trim().starts_with("//"));
            code.any(|line| names.iter().any(|it| line.contains(it)))
        })
        .map(|(name, _)| name.display().to_string())
        .collect();
    knowing.sort();
    let expected = [
        "server/http_service.rs",
        "wire/accepted.rs",
        "wire/connected.rs",
        "wire/detect.rs",
        "wire/jsonrpc/client/server.rs",
    ];
    assert_eq!(knowing, expected);
}
