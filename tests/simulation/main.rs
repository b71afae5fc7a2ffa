//! Deterministic simulation: clients and servers in one process, time that is not real, and a
//! network that does its worst, all drawn from one seed.
//!
//! What a seed means is in `scenario`, what is promised in `checks`. `RPC_SEED=n` runs one seed and
//! prints what happens; `RPC_SEEDS=n` sets how many run, `RPC_FROM=n` the first of them, and
//! `RPC_ALL=1` goes on after a failure.

mod caller;
mod checks;
mod found;
mod layers;
mod records;
mod scenario;
mod servers;
mod service;
mod trace;
mod world;

use std::any::Any;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use world::{Verdict, simulate};

/// The first seed, where nobody says otherwise.
const BASE: u64 = 1000;

/// How many seeds run where nobody says otherwise.
const SEEDS: u64 = 2000;

/// How long one seed may take in real time before it counts as stuck.
const STUCK: Duration = Duration::from_secs(30);

#[test]
fn promises_hold_under_every_seed() {
    silence_planned_panics();
    if let Some(seed) = number("RPC_SEED") {
        let failures = failures(seed, simulate(seed, true));
        assert!(failures.is_none(), "{}", failures.unwrap_or_default());
        return;
    }
    let seeds = number("RPC_SEEDS").unwrap_or(SEEDS);
    let base = number("RPC_FROM").unwrap_or(BASE);
    let next = Arc::new(AtomicU64::new(0));
    let (results, verdicts) = mpsc::channel();
    for _ in 0..2 {
        let (next, results) = (Arc::clone(&next), results.clone());
        std::thread::spawn(move || {
            loop {
                let seed = base + next.fetch_add(1, Ordering::Relaxed);
                if seed >= base + seeds {
                    return;
                }
                let verdict = catch_unwind(AssertUnwindSafe(|| simulate(seed, false)));
                let failure = match verdict {
                    Ok(verdict) => failures(seed, verdict),
                    Err(panic) => Some(format!(
                        "{}\n  it panicked: {}",
                        replay(seed),
                        text(&*panic)
                    )),
                };
                if results.send((seed, failure)).is_err() {
                    return;
                }
            }
        });
    }
    drop(results);
    let all = std::env::var_os("RPC_ALL").is_some();
    let mut failed = 0;
    let mut running: BTreeSet<u64> = (base..base + seeds).collect();
    while !running.is_empty() {
        let Ok((seed, failure)) = verdicts.recv_timeout(STUCK) else {
            let stuck = running.first().copied().unwrap_or_default();
            panic!("{}\n  it is stuck", replay(stuck));
        };
        running.remove(&seed);
        if let Some(failure) = failure {
            let done = seeds - running.len() as u64;
            assert!(all, "after {done} seeds:\n{failure}");
            let behind = failure.find("seed").unwrap_or_default();
            println!("{}", &failure[behind..]);
            failed += 1;
        }
    }
    assert_eq!(failed, 0, "so many of {seeds} seeds fail");
}

#[test]
fn the_same_seed_gives_the_same_events() {
    silence_planned_panics();
    for seed in BASE..BASE + 20 {
        let [first, second] = [(); 2].map(|()| simulate(seed, false).fingerprint);
        assert!(first.0 > 5, "seed {seed} has only {} events", first.0);
        assert_eq!(first, second, "{}", replay(seed));
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn replay(seed: u64) -> String {
    format!(
        "seed {seed} fails; replay it with:\n  RPC_SEED={seed} cargo test -p rpc-tests --test simulation promises -- --nocapture"
    )
}

fn failures(seed: u64, verdict: Verdict) -> Option<String> {
    if verdict.violations.is_empty() {
        return None;
    }
    let list = verdict.violations.join("\n  ");
    let scenario = &verdict.scenario;
    Some(format!("{scenario:#?}\n{}\n  {list}", replay(seed)))
}

fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|it| (*it).to_owned()));
    text.unwrap_or_default()
}

/// Panics that belong to the plan would fill the screen.
fn silence_planned_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let planned = panic.payload().downcast_ref::<&str>();
            if planned != Some(&service::PLANNED_PANIC) {
                print(panic);
            }
        }));
    });
}
