//! The targets for libFuzzer, one program each in `fuzz_targets`. `tests/fuzz.rs` of the workspace runs the same ones without it.

mod targets;

/// Runs a target.
///
/// # Panics
///
/// If something is wrong, or there is no such target.
pub fn run(name: &str, bytes: &[u8]) {
    let target = targets::ALL.iter().find(|(it, _)| *it == name);
    let (_, target) = target.expect("there is such a target");
    target(bytes);
}
