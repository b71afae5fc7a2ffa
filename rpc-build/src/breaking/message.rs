//! Messages that are there on both sides.

use super::index::In;
use super::ranges::missing;
use super::report::Break;
use super::{Pair, field, next_version};
use crate::lock::{Cardinality, Field, Message, field_text, range_text};

/// A message as it was and as it is.
#[derive(Clone, Copy)]
struct Both<'a> {
    name: &'a str,
    old: In<'a, Message>,
    new: In<'a, Message>,
}

impl<'a> Both<'a> {
    /// A break that points at the head of the message.
    fn breaks(
        &self,
        rule: &'static str,
        element: String,
        message: String,
        label: String,
    ) -> Break<'a> {
        Break::new(rule, element, message)
            .was(self.old.file, self.old.it.at.line, "")
            .at(self.new, &self.new.it.at, &[], label)
    }
}

pub(super) fn check<'a>(pair: &mut Pair<'a>) {
    for (name, old, new) in pair.messages() {
        let both = Both { name, old, new };
        check_deleted_fields(pair, both);
        check_required(pair, both);
        check_newly_required(pair, both);
        check_oneofs(pair, both);
        check_reserved(pair, both);
        check_extension_ranges(pair, both);
        check_options(pair, both);
    }
}

/// A field is gone when its number is. Reserving the number keeps the binary form safe, reserving the name keeps JSON safe.
fn check_deleted_fields<'a>(pair: &mut Pair<'a>, both: Both<'a>) {
    for old in &both.old.it.fields {
        if both.new.it.field(old.number).is_some() {
            continue;
        }
        let next = next_version(&both.old.file.package);
        let keep = format!("keep it, marked `[deprecated = true]`, and leave it out of {next}");
        let reserve = pair.reserve_hint(old);
        pair.add(deleted(both, old, "FIELD_NO_DELETE", "").help(keep));
        if !both.new.it.reserved.has_number(old.number) {
            let rule = "FIELD_NO_DELETE_UNLESS_NUMBER_RESERVED";
            pair.add(deleted(both, old, rule, " and its number is not reserved").help(&reserve));
        }
        if !both.new.it.reserved.has_name(&old.name) {
            let rule = "FIELD_NO_DELETE_UNLESS_NAME_RESERVED";
            pair.add(deleted(both, old, rule, " and its name is not reserved").help(&reserve));
        }
    }
}

/// The break that a field is gone.
fn deleted<'a>(both: Both<'a>, it: &'a Field, rule: &'static str, how: &str) -> Break<'a> {
    let of_old = In {
        file: both.old.file,
        it,
    };
    let message = format!("{} was deleted{how}", field::describe(of_old, both.name));
    Break::new(rule, field::element(of_old, both.name), message)
        .was(both.old.file, it.at.line, field_text(it, both.old.file))
        .at(
            both.new,
            &both.new.it.at,
            &[],
            format!("had `{}` with number {}", it.name, it.number),
        )
}

const REQUIRED: &str = "MESSAGE_SAME_REQUIRED_FIELDS";

/// By the word: the feature of editions is a matter of cardinality alone.
fn is_required(field: &Field) -> bool {
    field.cardinality == Cardinality::Required
}

fn required(message: &Message) -> impl Iterator<Item = &Field> {
    message.fields.iter().filter(|field| is_required(field))
}

fn check_required<'a>(pair: &mut Pair<'a>, both: Both<'a>) {
    let old_file = both.old.file;
    for it in required(both.old.it) {
        if both.new.it.field(it.number).is_some_and(is_required) {
            continue;
        }
        let what = field::describe(In { file: old_file, it }, both.name);
        let element = format!("{}.{}", both.name, it.name);
        let found = Break::new(
            REQUIRED,
            element,
            format!("{what} is not required any more"),
        )
        .was(old_file, it.at.line, field_text(it, old_file))
        .at(
            both.new,
            &both.new.it.at,
            &[],
            format!("needs `{}`", it.name),
        )
        .help("keep it required: readers of the old revision refuse a message without it");
        pair.add(found);
    }
}

fn check_newly_required<'a>(pair: &mut Pair<'a>, both: Both<'a>) {
    for it in required(both.new.it) {
        if both.old.it.field(it.number).is_some_and(is_required) {
            continue;
        }
        let of_new = In {
            file: both.new.file,
            it,
        };
        let element = format!("{}.{}", both.name, it.name);
        let message = format!(
            "{} is required, and was not",
            field::describe(of_new, both.name)
        );
        let found = Break::new(REQUIRED, element, message)
            .was(both.old.file, both.old.it.at.line, "")
            .at(
                of_new,
                &it.at,
                &[&[]],
                "writers of the old revision do not send it",
            )
            .help("make it `optional`");
        pair.add(found);
    }
}

fn check_oneofs<'a>(pair: &mut Pair<'a>, both: Both<'a>) {
    for old in both.old.it.declared_oneofs() {
        if both.new.it.oneofs.iter().any(|new| new.name == old.name) {
            continue;
        }
        let element = format!("{}.{}", both.name, old.name);
        let message = format!("oneof `{}` of `{}` was deleted", old.name, both.name);
        let label = format!("had `oneof {}`", old.name);
        let mut found = both.breaks("ONEOF_NO_DELETE", element, message, label);
        found = found.was(both.old.file, old.at.line, format!("oneof {}", old.name));
        pair.add(found.help(
            "keep it and its fields; mark fields that nobody should set `[deprecated = true]`",
        ));
    }
}

fn check_reserved<'a>(pair: &mut Pair<'a>, both: Both<'a>) {
    const RULE: &str = "RESERVED_MESSAGE_NO_DELETE";
    for old in &both.old.it.reserved.ranges {
        if let Some(range) = missing(*old, &both.new.it.reserved.ranges).first() {
            let (was, gone) = (range_text(*old), range_text(*range));
            let message = format!(
                "`reserved {was}` of `{}` no longer covers {gone}",
                both.name
            );
            let label = format!("had `reserved {was}`");
            let found = both.breaks(RULE, both.name.to_owned(), message, label);
            pair.add(found.help(format!("keep `reserved {was}` and take other numbers")));
        }
    }
    for old in &both.old.it.reserved.names {
        if !both.new.it.reserved.has_name(old) {
            let message = format!("`{}` no longer reserves the name `{old}`", both.name);
            let label = format!("had `reserved \"{old}\"`");
            let found = both.breaks(RULE, both.name.to_owned(), message, label);
            pair.add(found.help(format!("keep `reserved \"{old}\"` and take another name")));
        }
    }
}

fn check_extension_ranges<'a>(pair: &mut Pair<'a>, both: Both<'a>) {
    for old in &both.old.it.extension_ranges {
        if let Some(range) = missing(*old, &both.new.it.extension_ranges).first() {
            let (was, gone) = (range_text(*old), range_text(*range));
            let message = format!(
                "`extensions {was}` of `{}` no longer covers {gone}",
                both.name
            );
            let label = format!("had `extensions {was}`");
            let found = both.breaks(
                "EXTENSION_MESSAGE_NO_DELETE",
                both.name.to_owned(),
                message,
                label,
            );
            pair.add(found.help(format!(
                "keep `extensions {was}`: others may extend the message there"
            )));
        }
    }
}

fn check_options<'a>(pair: &mut Pair<'a>, both: Both<'a>) {
    let (old, new) = (both.old.it, both.new.it);
    if !old.no_standard_descriptor_accessor && new.no_standard_descriptor_accessor {
        let message = format!(
            "`{}` has no standard descriptor accessor any more",
            both.name
        );
        let found = Break::new(
            "MESSAGE_NO_REMOVE_STANDARD_DESCRIPTOR_ACCESSOR",
            both.name,
            message,
        )
        .was(both.old.file, old.at.line, "")
        .at(both.new, &new.at, &[&[7, 2]], "was false")
        .help("leave `no_standard_descriptor_accessor` out");
        pair.add(found);
    }
    if !old.legacy_json && new.legacy_json {
        let message = format!(
            "`{}` has JSON format LEGACY_BEST_EFFORT, it was ALLOW",
            both.name
        );
        let found = Break::new("MESSAGE_SAME_JSON_FORMAT", both.name, message)
            .was(both.old.file, old.at.line, "")
            .at(both.new, &new.at, &[&[7, 12, 6]], "was ALLOW")
            .help("keep `features.json_format = ALLOW`, or the syntax that has it");
        pair.add(found);
    }
}
