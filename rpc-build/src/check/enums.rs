//! Enums: their numbers, names and reserved ranges.

use std::collections::HashMap;

use buffa_descriptor::generated::descriptor::EnumDescriptorProto;

use super::ranges::{Names, Sorted, Written, collect, overlaps};
use super::{File, Syntax};
use crate::diagnostic::Diagnostic;
use crate::elements::{Element, below, join, numbered, scope};
use crate::tag;

pub(super) fn check(file: &File<'_>, mistakes: &mut Vec<Diagnostic>) {
    for item in &file.elements.enums {
        let checked = Enum { file, item };
        checked.check_first(mistakes);
        checked.check_numbers(mistakes);
        if file.syntax != Syntax::Edition {
            checked.check_prefixes(mistakes);
        }
        checked.check_reserved(mistakes);
    }
}

struct Enum<'a> {
    file: &'a File<'a>,
    item: &'a Element<'a, EnumDescriptorProto>,
}

impl Enum<'_> {
    fn value_path(&self, index: i32, step: i32) -> Vec<i32> {
        below(&self.item.path, &[tag::enumeration::VALUE, index, step])
    }

    fn value_name(&self, name: &str) -> String {
        join(scope(&self.item.name), Some(name))
    }

    /// An enum has a value, and in proto3 the first is zero: it is the default.
    fn check_first(&self, mistakes: &mut Vec<Diagnostic>) {
        let name = &self.item.name;
        let Some(first) = self.item.item.value.first() else {
            let path = below(&self.item.path, &[tag::NAME]);
            let mistake =
                self.file
                    .mistake(&path, name, format!("the enum `{name}` has no values"));
            mistakes.push(mistake.help("an enum needs at least one, the one for zero"));
            return;
        };
        if self.file.is_proto3() && first.number.unwrap_or_default() != 0 {
            let path = self.value_path(0, tag::value::NUMBER);
            let mistake =
                self.file
                    .mistake(&path, name, "the first value of a proto3 enum must be 0");
            mistakes.push(
                mistake.help("put a value for 0 first: it is what a field has that was not set"),
            );
        }
    }

    /// Two values have one number only with `allow_alias`, and that is there only if two have one.
    fn check_numbers(&self, mistakes: &mut Vec<Diagnostic>) {
        let mut first_with = HashMap::new();
        let mut twice = Vec::new();
        for (index, value) in numbered(&self.item.item.value) {
            let number = value.number.unwrap_or_default();
            if let Some(&first) = first_with.get(&number) {
                twice.push((first, index, number));
            } else {
                first_with.insert(number, index);
            }
        }
        let options = self.item.item.options.as_option();
        let allow_alias = options.and_then(|options| options.allow_alias);
        let useless = match allow_alias {
            Some(false) => Some("`allow_alias = false` has no effect"),
            Some(true) if twice.is_empty() => {
                Some("`allow_alias` is set, but no two values have the same number")
            }
            _ => None,
        };
        if let Some(useless) = useless {
            let option = [tag::enumeration::OPTIONS, tag::enum_options::ALLOW_ALIAS];
            let path = below(&self.item.path, &option);
            let mistake = self.file.mistake(&path, &self.item.name, useless);
            mistakes.push(mistake.help("remove it"));
        }
        // Where options could not be read, they may well have allowed it.
        if allow_alias == Some(true)
            || options.is_some_and(|options| !options.uninterpreted_option.is_empty())
        {
            return;
        }
        for (first, again, number) in twice {
            mistakes.push(self.same_number(first, again, number));
        }
    }

    /// The mistake that two values, by their indices, have one number.
    fn same_number(&self, first: i32, again: i32, number: i32) -> Diagnostic {
        let name = |index: i32| {
            usize::try_from(index)
                .ok()
                .and_then(|index| self.item.item.value.get(index)?.name.as_deref())
                .unwrap_or_default()
        };
        let text = format!(
            "`{}` and `{}` have the same number {number}",
            name(first),
            name(again)
        );
        let path = |index| self.value_path(index, tag::value::NUMBER);
        self.file
            .mistake(&path(again), &self.value_name(name(again)), text)
            .and_at(self.file.span(&path(first)), "the other one")
            .help("take another number, or write `option allow_alias = true;` first in the enum if one shall mean the other")
    }

    /// Names must differ without the enum's name in front, and whatever their case: languages that scope values drop both.
    fn check_prefixes(&self, mistakes: &mut Vec<Diagnostic>) {
        let prefix = plain(self.item.item.name.as_deref().unwrap_or_default());
        let mut seen: HashMap<String, (i32, Option<i32>)> = HashMap::new();
        for (index, value) in numbered(&self.item.item.value) {
            let name = value.name.as_deref().unwrap_or_default();
            let (first, number) = *seen
                .entry(stripped(&prefix, name))
                .or_insert((index, value.number));
            let first_value = usize::try_from(first)
                .ok()
                .and_then(|first| self.item.item.value.get(first));
            let first_name = first_value
                .and_then(|value| value.name.as_deref())
                .unwrap_or_default();
            // Aliases may be called the same; and the same name twice is a mistake of another kind.
            if first == index || number == value.number || first_name == name {
                continue;
            }
            let text = format!(
                "`{first_name}` and `{name}` differ only in case, underscores or the name of the enum in front"
            );
            let mistake = self
                .file
                .mistake(
                    &self.value_path(index, tag::NAME),
                    &self.value_name(name),
                    text,
                )
                .and_at(
                    self.file.span(&self.value_path(first, tag::NAME)),
                    "the other one",
                )
                .help("rename one of the two: in many languages both would have the same name");
            mistakes.push(mistake);
        }
    }

    fn check_reserved(&self, mistakes: &mut Vec<Diagnostic>) {
        // The ends of these ranges are included.
        let numbers = self
            .item
            .item
            .reserved_range
            .iter()
            .map(|range| (range.start, range.end.map(|end| end.saturating_add(1))));
        let ranges = collect(&self.item.path, tag::enumeration::RESERVED_RANGE, numbers);
        for (range, written) in ranges.iter().zip(&self.item.item.reserved_range) {
            let (from, to) = (range.numbers.start, written.end.unwrap_or_default());
            if to < from {
                let mistake = self.file.mistake(
                    &range.path,
                    &self.item.name,
                    format!("the reserved range {from} to {to} ends before it begins"),
                );
                mistakes.push(mistake.help(format!("write `{to} to {from}`")));
            }
        }
        for (range, other) in overlaps(&ranges) {
            let mistake = self
                .file
                .mistake(
                    &range.path,
                    &self.item.name,
                    format!(
                        "the reserved range {} overlaps with {}",
                        range.words(),
                        other.words()
                    ),
                )
                .and_at(self.file.span(&other.path), "the other range")
                .help("let each number be in one range");
            mistakes.push(mistake);
        }
        self.check_values(&ranges, mistakes);
        let names = Names {
            file: self.file,
            element: &self.item.name,
            path: &self.item.path,
            tag: tag::enumeration::RESERVED_NAME,
        };
        let used = numbered(&self.item.item.value)
            .map(|(index, value)| (value.name.as_deref(), [tag::enumeration::VALUE, index]));
        names.check(&self.item.item.reserved_name, used, mistakes);
    }

    fn check_values(&self, ranges: &[Written], mistakes: &mut Vec<Diagnostic>) {
        let ranges = Sorted::new(ranges);
        for (index, value) in numbered(&self.item.item.value) {
            let number = value.number.unwrap_or_default();
            let Some(range) = ranges.find(number) else {
                continue;
            };
            let name = value.name.as_deref().unwrap_or_default();
            let mistake = self
                .file
                .mistake(
                    &self.value_path(index, tag::value::NUMBER),
                    &self.value_name(name),
                    format!("the number {number} of `{name}` is reserved"),
                )
                .and_at(self.file.span(&range.path), "here")
                .help("take a number that is free");
            mistakes.push(mistake);
        }
    }
}

/// Without underscores and in lower case.
fn plain(name: &str) -> String {
    name.chars()
        .filter(|letter| *letter != '_')
        .map(|letter| letter.to_ascii_lowercase())
        .collect()
}

/// The name of a value as `protoc` compares it (`PrefixRemover` and `EnumValueToPascalCase` in `descriptor.cc`): without the
/// prefix, unless that is all of it; words begin in upper case.
fn stripped(prefix: &str, name: &str) -> String {
    let mut left = prefix.chars().peekable();
    let mut rest = name;
    while let Some(&wanted) = left.peek() {
        let mut letters = rest.chars();
        match letters.next() {
            Some('_') => {}
            Some(letter) if letter.to_ascii_lowercase() == wanted => drop(left.next()),
            _ => break,
        }
        rest = letters.as_str();
    }
    let without = rest.trim_start_matches('_');
    let name = match left.peek().is_some() || without.is_empty() {
        true => name,
        false => without,
    };
    let mut is_upper = true;
    let letters = name.chars().filter_map(|letter| match letter {
        '_' => {
            is_upper = true;
            None
        }
        _ => Some(match std::mem::take(&mut is_upper) {
            true => letter.to_ascii_uppercase(),
            false => letter.to_ascii_lowercase(),
        }),
    });
    letters.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_stripped_as_protoc_does() {
        for (prefix, name, expected) in [
            ("Color", "COLOR_RED", "Red"),
            ("Color", "RED", "Red"),
            ("Color", "COLOR", "Color"),
            ("Color", "COLO_R_RED", "Red"),
            ("My_Color", "MYCOLOR_RED", "Red"),
            ("Color", "FOO_BAR", "FooBar"),
            ("Color", "FOOBAR", "Foobar"),
        ] {
            assert_eq!(stripped(&plain(prefix), name), expected, "{prefix} {name}");
        }
    }
}
