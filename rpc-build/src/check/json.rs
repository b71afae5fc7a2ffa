//! Names in JSON.

use std::collections::HashMap;

use super::File;
use crate::diagnostic::Diagnostic;
use crate::elements::{below, join, numbered};
use crate::tag;

/// The name of a field in JSON where none is given: `foo_bar` is `fooBar` (`ToJsonName` in `descriptor.cc`).
pub(crate) fn json_name(name: &str) -> String {
    let mut is_upper = false;
    let letters = name.chars().filter_map(|letter| match letter {
        '_' => {
            is_upper = true;
            None
        }
        _ => Some(match std::mem::take(&mut is_upper) {
            true => letter.to_ascii_uppercase(),
            false => letter,
        }),
    });
    letters.collect()
}

pub(super) fn check(file: &File<'_>, mistakes: &mut Vec<Diagnostic>) {
    for message in &file.elements.messages {
        let fields: Vec<_> = numbered(&message.item.field)
            .map(|(index, field)| {
                let name = field.name.as_deref().unwrap_or_default();
                let default = json_name(name);
                let custom = field
                    .json_name
                    .as_deref()
                    .filter(|custom| *custom != default);
                Named {
                    name,
                    default,
                    custom,
                    path: below(&message.path, &[tag::message::FIELD, index, tag::NAME]),
                }
            })
            .collect();
        for field in &fields {
            check_name(file, &message.name, field, mistakes);
        }
        // Where options could not be read, they may well have allowed it.
        let is_exempt = message.item.options.as_option().is_some_and(|options| {
            options.deprecated_legacy_json_field_conflicts == Some(true)
                || !options.uninterpreted_option.is_empty()
        });
        if !is_exempt {
            check_conflicts(file, &message.name, &fields, mistakes);
        }
    }
}

struct Named<'a> {
    name: &'a str,
    default: String,
    /// The one that was given, if it is not what it would be anyway.
    custom: Option<&'a str>,
    path: Vec<i32>,
}

/// A name in brackets would be read as an extension; a null character ends a string in C.
fn check_name(file: &File<'_>, message: &str, field: &Named<'_>, mistakes: &mut Vec<Diagnostic>) {
    let Some(custom) = field.custom else {
        return;
    };
    let element = join(message, Some(field.name));
    if custom.starts_with('[') && custom.ends_with(']') {
        let text = format!("`json_name` cannot be in brackets, as `{custom}` is");
        mistakes.push(
            file.mistake(&field.path, &element, text)
                .help("leave the brackets out: in JSON they mark extensions"),
        );
    }
    if custom.contains('\0') {
        let text = "`json_name` cannot have a null character";
        mistakes.push(
            file.mistake(&field.path, &element, text)
                .help("write letters and digits"),
        );
    }
}

/// No two fields may have one name: neither with `json_name` nor with what it would be without, as some readers ignore it. In
/// proto2, where JSON came late, only given names must differ.
fn check_conflicts(
    file: &File<'_>,
    message: &str,
    fields: &[Named<'_>],
    mistakes: &mut Vec<Diagnostic>,
) {
    let mut defaults: HashMap<&str, &Named<'_>> = HashMap::new();
    let mut given: HashMap<&str, &Named<'_>> = HashMap::new();
    for field in fields {
        let name = field.custom.unwrap_or(&field.default);
        let by_default = defaults
            .get(field.default.as_str())
            .filter(|_| file.is_proto3());
        let by_given = given.get(name).filter(|other| {
            let are_both_custom = other.custom.is_some() && field.custom.is_some();
            let is_one_custom = other.custom.is_some() || field.custom.is_some();
            are_both_custom || (is_one_custom && file.is_proto3())
        });
        let conflict = by_default
            .map(|other| (*other, field.default.as_str()))
            .or(by_given.map(|other| (*other, name)));
        if let Some((other, name)) = conflict {
            let text = format!(
                "`{}` and `{}` are both `{name}` in JSON",
                other.name, field.name
            );
            let mistake = file
                .mistake(&field.path, &join(message, Some(field.name)), text)
                .and_at(file.span(&other.path), "the other one")
                .help("rename one of the two");
            mistakes.push(mistake);
        }
        defaults.entry(&field.default).or_insert(field);
        given.entry(name).or_insert(field);
    }
}

#[cfg(test)]
mod tests {
    use super::json_name;

    #[test]
    fn names_are_those_of_protoc() {
        for (name, expected) in [
            ("foo_bar", "fooBar"),
            ("_foo", "Foo"),
            ("foo__bar_", "fooBar"),
            ("FOO_1a", "FOO1a"),
            ("", ""),
        ] {
            assert_eq!(json_name(name), expected);
        }
    }
}
