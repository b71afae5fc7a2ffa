//! Where the figures come from.

use std::process::Command;

/// The peers' crates, as the lock file names them.
const CRATES: [&str; 6] = [
    "tokio",
    "tonic",
    "tarpc",
    "jsonrpsee",
    "connectrpc",
    "capnp-rpc",
];

/// Says the machine, the compiler, the day, and the versions of the peers.
pub(crate) fn describe() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "{}, {cores} cores, Linux {}, {}, {}. {}.",
        processor(),
        kernel(&output("uname", &["-r"])),
        output("rustc", &["--version"]),
        output("date", &["+%Y-%m-%d"]),
        versions(include_str!("../../Cargo.lock")),
    )
}

fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = info.lines().find(|line| line.starts_with("model name"));
    let name = line.and_then(|line| line.split(": ").nth(1));
    name.unwrap_or("unknown processor").to_owned()
}

/// Only its version: what a machine adds to it says nothing to others.
fn kernel(release: &str) -> String {
    release.split('.').take(2).collect::<Vec<_>>().join(".")
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).trim().to_owned()
}

fn versions(lock: &str) -> String {
    let version = |name: &str| {
        let package = lock
            .split("[[package]]")
            .find(|package| package.contains(&format!("name = \"{name}\"\n")))?;
        let version = package
            .lines()
            .find_map(|line| line.strip_prefix("version = "))?;
        Some(format!("{name} {}", version.trim_matches('"')))
    };
    CRATES
        .iter()
        .filter_map(|name| version(name))
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::versions;

    #[test]
    fn versions_come_from_the_lock_file() {
        let lock = "[[package]]\nname = \"tonic-build\"\nversion = \"1.0.0\"\n\n[[package]]\nname = \"tonic\"\nversion = \"0.14.9\"\n";
        assert_eq!(versions(lock), "tonic 0.14.9");
    }
}
