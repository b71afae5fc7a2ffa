//! Our verdicts on a few hundred pairs of schemas, against the ones that buf gave: `tests/breaking`.

mod corpus;

use std::fmt::Write as _;

use corpus::{Case, Finding, LEVELS};
use rpc_build::breaking::{Policy, compare};
use rpc_build::lock::Lock;
use rpc_build::schema::Schema;

/// What is different between our findings and buf's; nothing if they are the same.
fn differences(case: &Case, level: &str, ours: &[Finding]) -> Vec<String> {
    let at_level = case.verdict.iter().filter(|finding| finding.level == level);
    let mut theirs: Vec<_> = at_level.collect();
    let mut ours: Vec<_> = ours.iter().collect();
    // The exact ones first: findings on neighbouring lines, or of a file as a whole, could otherwise take another's.
    for (vagueness, distance) in [(0, 0), (0, 1), (1, 0), (2, 0)] {
        theirs.retain(|theirs| {
            let mut ours_left = ours.iter();
            let met = ours_left.position(|ours| {
                theirs.vagueness() == vagueness && theirs.is_met_by(ours, distance)
            });
            met.map(|met| ours.swap_remove(met)).is_none()
        });
    }
    let told = |who: &str, finding: &Finding| format!("{who} {} {}", finding.rule, finding.place());
    let buf = theirs.into_iter().map(|finding| told("buf has", finding));
    buf.chain(ours.into_iter().map(|finding| told("we have", finding)))
        .collect()
}

/// A schema as its lock has it. What is read is written as it was, and a schema does not break itself.
fn read_again(schema: &Schema, name: &str) -> Lock {
    let text = Lock::of(schema).to_string();
    let lock = Lock::parse(&text).expect("a lock that was just written can be read");
    assert_eq!(lock.to_string(), text, "{name}");
    let strict = Policy::new().check_unstable(true);
    for (_, level, _) in LEVELS {
        let broken = compare(&lock, schema, &strict.clone().level(level));
        assert!(broken.is_empty(), "{name} breaks itself: {broken:?}");
    }
    lock
}

#[test]
fn verdicts_are_those_of_buf() {
    let mut report = String::new();
    let (mut pairs, mut wrong) = (0, 0);
    for case in corpus::cases() {
        let (old, new) = (case.old_schema(), case.new_schema());
        let lock = read_again(&old, &case.name);
        read_again(&new, &case.name);
        let mut different = false;
        for (name, level, unstable) in LEVELS {
            let policy = Policy::new().level(level).check_unstable(unstable);
            let ours = corpus::findings(&compare(&lock, &new, &policy), &new);
            let differences = differences(&case, name, &ours);
            different |= !differences.is_empty();
            for difference in differences {
                writeln!(report, "{} at {name}: {difference}", case.name)
                    .expect("a String takes all");
            }
        }
        pairs += 1;
        wrong += usize::from(different);
    }
    assert!(pairs >= 80, "only {pairs} pairs were found");
    assert!(
        report.is_empty(),
        "{wrong} of {pairs} pairs have another verdict:\n{report}"
    );
}

/// Each rule has pairs that break it, so that none is right by never being met.
#[test]
fn every_rule_is_broken_somewhere() {
    let rules: std::collections::BTreeSet<_> = corpus::cases()
        .into_iter()
        .flat_map(|case| case.verdict)
        .map(|finding| finding.rule)
        .collect();
    assert_eq!(rules.len(), 64, "{rules:?}");
}
