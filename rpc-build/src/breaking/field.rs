//! Fields and extensions that are there on both sides: the same number in the same message.

use super::index::In;
use super::report::Break;
use super::{Pair, field_cardinality, field_default, field_type};
use crate::lock::{CppString, Field, JsType, cpp_text, field_text, verify_text};
use buffa_descriptor::generated::descriptor::field_descriptor_proto::Type;

/// One field as it was and as it is.
#[derive(Clone, Copy)]
pub(super) struct FieldPair<'a> {
    pub(super) old: In<'a, Field>,
    pub(super) new: In<'a, Field>,
    /// The full name of the message that it belongs to.
    pub(super) message: &'a str,
    /// Both belong to the message that a map field makes.
    pub(super) in_map_entries: bool,
    /// The map field behind the old one, and the full name of its message.
    map: Option<(&'a Field, &'a str)>,
}

impl<'a> FieldPair<'a> {
    /// How a message names it: "field `name` (4) of `users.v1.User`".
    fn named(&self) -> String {
        match self.map {
            Some((map, message)) => {
                let part = &self.old.it.name;
                format!(
                    "{part} of map `{}` ({}) of `{message}`",
                    map.name, map.number
                )
            }
            None => describe(self.old, self.message),
        }
    }

    fn element(&self) -> String {
        match self.map {
            Some((map, message)) => format!("{message}.{}", map.name),
            None => element(self.old, self.message),
        }
    }

    /// The field that the old schema declares.
    pub(super) fn declared(&self) -> &'a Field {
        self.map.map_or(self.old.it, |(map, _)| map)
    }

    /// A break that quotes the old declaration and points at a part of the new one.
    pub(super) fn breaks(
        &self,
        rule: &'static str,
        what: &str,
        parts: &[&[i32]],
        label: impl Into<String>,
    ) -> Break<'a> {
        let declared = self.declared();
        let quote = field_text(declared, self.old.file);
        Break::new(rule, self.element(), format!("{} {what}", self.named()))
            .was(self.old.file, declared.at.line, quote)
            .at(self.new, &self.new.it.at, parts, label)
    }
}

/// How a message names a field.
pub(super) fn describe(field: In<'_, Field>, message: &str) -> String {
    let number = field.it.number;
    if field.it.extendee.is_some() {
        let name = field.file.full_name(&field.it.name);
        format!("extension `{name}` ({number}) of `{message}`")
    } else {
        format!("field `{}` ({number}) of `{message}`", field.it.name)
    }
}

/// How an exemption names a field.
pub(super) fn element(field: In<'_, Field>, message: &str) -> String {
    match field.it.extendee {
        Some(_) => field.file.full_name(&field.it.name),
        None => format!("{message}.{}", field.it.name),
    }
}

pub(super) fn check<'a>(pair: &mut Pair<'a>) {
    for field in pairs(pair) {
        check_name(pair, field);
        check_json_name(pair, field);
        check_oneof(pair, field);
        check_jstype(pair, field);
        check_cpp_string(pair, field);
        check_utf8(pair, field);
        field_type::check(pair, field);
        field_cardinality::check(pair, field);
        field_default::check(pair, field);
    }
}

fn pairs<'a>(pair: &Pair<'a>) -> Vec<FieldPair<'a>> {
    let mut fields = Vec::new();
    for (message, old, new) in pair.messages() {
        let in_map_entries = old.it.map_entry && new.it.map_entry;
        let map = old.it.map_entry.then(|| pair.map_field(message)).flatten();
        for it in &old.it.fields {
            fields.extend(new.it.field(it.number).map(|now| FieldPair {
                old: In { file: old.file, it },
                new: In {
                    file: new.file,
                    it: now,
                },
                message,
                in_map_entries,
                map,
            }));
        }
    }
    for (key, old) in &pair.old.extension_numbers {
        fields.extend(pair.new.extension_numbers.get(key).map(|new| FieldPair {
            old: *old,
            new: *new,
            message: key.0.trim_start_matches('.'),
            in_map_entries: false,
            map: None,
        }));
    }
    fields
}

/// An extension is known by its full name, a field by its own.
fn check_name<'a>(pair: &mut Pair<'a>, field: FieldPair<'a>) {
    let name = |field: In<'_, Field>| match field.it.extendee {
        Some(_) => field.file.full_name(&field.it.name),
        None => field.it.name.clone(),
    };
    let (old, new) = (name(field.old), name(field.new));
    if old != new {
        let mut found = field.breaks(
            "FIELD_SAME_NAME",
            &format!("was renamed to `{new}`"),
            &[&[1]],
            format!("was `{old}`"),
        );
        found = found.help(format!(
            "keep the name `{old}`; for a field of another meaning take a new number and {}",
            pair.reserve_hint(field.declared())
        ));
        pair.add(found);
    }
}

fn check_json_name<'a>(pair: &mut Pair<'a>, field: FieldPair<'a>) {
    let (old, new) = (&field.old.it.json_name, &field.new.it.json_name);
    if field.old.it.extendee.is_none() && old != new {
        let found = field
            .breaks(
                "FIELD_SAME_JSON_NAME",
                &format!("is now `{new}` in JSON"),
                &[&[10]],
                format!("was `{old}` in JSON"),
            )
            .help(format!(
                "keep the name that JSON has: `[json_name = \"{old}\"]`"
            ));
        pair.add(found);
    }
}

/// Whether a field is a member of a oneof decides what else is cleared when it is set.
fn check_oneof<'a>(pair: &mut Pair<'a>, field: FieldPair<'a>) {
    let (old, new) = (&field.old.it.oneof, &field.new.it.oneof);
    if field.old.it.extendee.is_some() || old == new {
        return;
    }
    let what = match (old, new) {
        (Some(old), Some(new)) => format!("moved from oneof `{old}` to oneof `{new}`"),
        (Some(old), None) => format!("moved out of oneof `{old}`"),
        (None, Some(new)) => format!("moved into oneof `{new}`"),
        (None, None) => return,
    };
    let found = field
        .breaks("FIELD_SAME_ONEOF", &what, &[&[]], "here now")
        .help("leave it where it was, and add a field with a new number in the other place");
    pair.add(found);
}

fn check_jstype<'a>(pair: &mut Pair<'a>, field: FieldPair<'a>) {
    let wide = |field: &Field| {
        use Type::{TYPE_FIXED64, TYPE_INT64, TYPE_SFIXED64, TYPE_SINT64, TYPE_UINT64};
        matches!(
            field.kind,
            TYPE_INT64 | TYPE_UINT64 | TYPE_SINT64 | TYPE_FIXED64 | TYPE_SFIXED64
        )
    };
    let (old, new) = (field.old.it, field.new.it);
    if wide(old) && wide(new) && old.jstype != new.jstype {
        let name = |jstype| match jstype {
            JsType::Normal => "JS_NORMAL",
            JsType::String => "JS_STRING",
            JsType::Number => "JS_NUMBER",
        };
        let (was, is) = (name(old.jstype), name(new.jstype));
        let found = field
            .breaks(
                "FIELD_SAME_JSTYPE",
                &format!("has `jstype` {is} instead of {was}"),
                &[&[8, 6]],
                format!("was {was}"),
            )
            .help(format!("keep `[jstype = {was}]`"));
        pair.add(found);
    }
}

/// A view or a cord has another type in C++. What was a `STRING_PIECE` is a string since C++ has no other.
fn check_cpp_string<'a>(pair: &mut Pair<'a>, field: FieldPair<'a>) {
    let (old, new) = (field.old.it, field.new.it);
    let stringy = |field: &Field| matches!(field.kind, Type::TYPE_STRING | Type::TYPE_BYTES);
    if field.in_map_entries || !stringy(old) || !stringy(new) || old.cpp_string == new.cpp_string {
        return;
    }
    if (old.cpp_string, new.cpp_string) == (CppString::StringPiece, CppString::String) {
        return;
    }
    let (was, is) = (cpp_text(old.cpp_string), cpp_text(new.cpp_string));
    let parts: [&[i32]; 2] = [&[8, 1], &[8, 21, 1000, 2]];
    let found = field
        .breaks(
            "FIELD_SAME_CPP_STRING_TYPE",
            &format!("is {is} in C++ instead of {was}"),
            &parts,
            format!("was {was}"),
        )
        .help(format!(
            "keep {was}, by `ctype` or, in an edition, by `features.(pb.cpp).string_type`"
        ));
    pair.add(found);
}

fn check_utf8<'a>(pair: &mut Pair<'a>, field: FieldPair<'a>) {
    let (old, new) = (field.old.it, field.new.it);
    if old.kind != Type::TYPE_STRING || new.kind != Type::TYPE_STRING {
        return;
    }
    if old.utf8 != new.utf8 {
        let (was, is) = (verify_text(old.utf8), verify_text(new.utf8));
        let found = field
            .breaks("FIELD_SAME_UTF8_VALIDATION", &format!("has UTF-8 validation {is} instead of {was}"), &[&[8, 21, 4]], format!("was {was}"))
            .help(format!("keep it with `[features.utf8_validation = {was}]` in an edition, or keep the syntax"));
        pair.add(found);
    }
    if old.java_utf8 != new.java_utf8 {
        let (was, is) = (verify_text(old.java_utf8), verify_text(new.java_utf8));
        let what = format!("has UTF-8 validation {is} instead of {was} in Java");
        let mut found = field
            .breaks("FIELD_SAME_JAVA_UTF8_VALIDATION", &what, &[&[8, 21, 1001, 2]], format!("was {was} in Java"))
            .help("keep `java_string_check_utf8`, or in an edition `features.(pb.java).utf8_validation`, as it was");
        found.prefer_file_option(&[8, 27]);
        pair.add(found);
    }
}
