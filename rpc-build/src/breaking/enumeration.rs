//! Enums that are there on both sides.

use std::collections::{BTreeMap, BTreeSet};

use super::index::In;
use super::ranges::missing;
use super::report::Break;
use super::{Pair, next_version};
use crate::lock::{Enum, Value, range_text, value_text};

/// An enum as it was and as it is.
#[derive(Clone, Copy)]
struct Both<'a> {
    name: &'a str,
    old: In<'a, Enum>,
    new: In<'a, Enum>,
}

/// All values that have one number.
type Values<'a> = BTreeMap<i32, Vec<&'a Value>>;

pub(super) fn check<'a>(pair: &mut Pair<'a>) {
    for (name, old, new) in pair.enums() {
        let both = Both { name, old, new };
        check_deleted_values(pair, both);
        check_names(pair, both);
        check_reserved(pair, both);
        check_features(pair, both);
    }
}

fn values(enumeration: &Enum) -> Values<'_> {
    let mut values = Values::new();
    for value in &enumeration.values {
        values.entry(value.number).or_default().push(value);
    }
    values
}

fn names(values: &[&Value]) -> String {
    let names: Vec<_> = values
        .iter()
        .map(|value| format!("`{}`", value.name))
        .collect();
    names.join(", ")
}

/// A value is gone when its number is, with all its names.
fn check_deleted_values<'a>(pair: &mut Pair<'a>, both: Both<'a>) {
    let now = values(both.new.it);
    for (number, old) in values(both.old.it) {
        if now.contains_key(&number) {
            continue;
        }
        let next = next_version(&both.old.file.package);
        let keep = format!("keep it, marked `[deprecated = true]`, and leave it out of {next}");
        let names: Vec<_> = old
            .iter()
            .map(|value| format!("\"{}\"", value.name))
            .collect();
        let names = names.join(", ");
        let reserve =
            format!("reserve its number and its name: `reserved {number}; reserved {names};`");
        pair.add(deleted(both, &old, "ENUM_VALUE_NO_DELETE", "").help(keep));
        let reserved = &both.new.it.reserved;
        if !reserved.has_number(number) {
            let rule = "ENUM_VALUE_NO_DELETE_UNLESS_NUMBER_RESERVED";
            pair.add(deleted(both, &old, rule, " and its number is not reserved").help(&reserve));
        }
        if !old.iter().all(|value| reserved.has_name(&value.name)) {
            let rule = "ENUM_VALUE_NO_DELETE_UNLESS_NAME_RESERVED";
            pair.add(deleted(both, &old, rule, " and its name is not reserved").help(&reserve));
        }
    }
}

/// The break that values of one number are gone.
fn deleted<'a>(both: Both<'a>, old: &[&Value], rule: &'static str, how: &str) -> Break<'a> {
    let (name, number, line) = match old {
        [first, ..] => (first.name.as_str(), first.number, first.at.line),
        [] => ("", 0, 0),
    };
    let quote: Vec<_> = old.iter().map(|value| value_text(value)).collect();
    let message = format!(
        "value {} ({number}) of `{}` was deleted{how}",
        names(old),
        both.name
    );
    Break::new(rule, format!("{}.{name}", both.name), message)
        .was(both.old.file, line, quote.join("; "))
        .at(
            both.new,
            &both.new.it.at,
            &[],
            format!("had {} = {number}", names(old)),
        )
}

/// A number keeps every name that it has. It may get more.
fn check_names<'a>(pair: &mut Pair<'a>, both: Both<'a>) {
    let now = values(both.new.it);
    for (number, old) in values(both.old.it) {
        let Some(new) = now.get(&number) else {
            continue;
        };
        let kept: BTreeSet<_> = new.iter().map(|value| value.name.as_str()).collect();
        let Some(lost) = old.iter().find(|value| !kept.contains(value.name.as_str())) else {
            continue;
        };
        for value in new {
            let message = format!(
                "value {number} of `{}` is now called {}, it was {}",
                both.name,
                names(new),
                names(&old)
            );
            let found = Break::new(
                "ENUM_VALUE_SAME_NAME",
                format!("{}.{}", both.name, lost.name),
                message,
            )
            .was(both.old.file, lost.at.line, value_text(lost))
            .at(
                In {
                    file: both.new.file,
                    it: *value,
                },
                &value.at,
                &[&[2]],
                format!("was {}", names(&old)),
            )
            .help(format!(
                "keep the name `{}`; a second name beside it is fine: `option allow_alias = true;`",
                lost.name
            ));
            pair.add(found);
        }
    }
}

fn check_reserved<'a>(pair: &mut Pair<'a>, both: Both<'a>) {
    let mut add = |message: String, label: String, help: String| {
        let found = Break::new("RESERVED_ENUM_NO_DELETE", both.name, message)
            .was(both.old.file, both.old.it.at.line, "")
            .at(both.new, &both.new.it.at, &[], label)
            .help(help);
        pair.breaks.push(found);
    };
    for old in &both.old.it.reserved.ranges {
        if let Some(range) = missing(*old, &both.new.it.reserved.ranges).first() {
            let (was, gone) = (range_text(*old), range_text(*range));
            add(
                format!(
                    "`reserved {was}` of `{}` no longer covers {gone}",
                    both.name
                ),
                format!("had `reserved {was}`"),
                format!("keep `reserved {was}` and take other numbers"),
            );
        }
    }
    for old in &both.old.it.reserved.names {
        if !both.new.it.reserved.has_name(old) {
            add(
                format!("`{}` no longer reserves the name `{old}`", both.name),
                format!("had `reserved \"{old}\"`"),
                format!("keep `reserved \"{old}\"` and take another name"),
            );
        }
    }
}

fn check_features<'a>(pair: &mut Pair<'a>, both: Both<'a>) {
    let (old, new) = (both.old.it, both.new.it);
    let mut add = |rule, message: String, part: &[i32], was: &str, help: &str| {
        let found = Break::new(rule, both.name, message)
            .was(both.old.file, old.at.line, "")
            .at(both.new, &new.at, &[part], format!("was {was}"))
            .help(help);
        pair.breaks.push(found);
    };
    if old.closed != new.closed {
        let word = |closed| if closed { "closed" } else { "open" };
        let (was, is) = (word(old.closed), word(new.closed));
        let feature = was.to_uppercase();
        add(
            "ENUM_SAME_TYPE",
            format!("`{}` is {is}, it was {was}", both.name),
            &[3, 7, 2],
            was,
            &format!("keep the syntax, or in an edition `option features.enum_type = {feature};`"),
        );
    }
    if !old.legacy_json && new.legacy_json {
        add(
            "ENUM_SAME_JSON_FORMAT",
            format!(
                "`{}` has JSON format LEGACY_BEST_EFFORT, it was ALLOW",
                both.name
            ),
            &[3, 7, 6],
            "ALLOW",
            "keep `features.json_format = ALLOW`, or the syntax that has it",
        );
    }
}
