//! Reserved and extension ranges of messages, and the fields that must keep out of them.

use std::cell::LazyCell;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use buffa_descriptor::generated::descriptor::DescriptorProto;

use super::fields::{is_message_set, is_read};
use super::{File, MAX_NUMBER};
use crate::diagnostic::Diagnostic;
use crate::elements::{Element, below, join, numbered};
use crate::tag;

pub(super) fn check(file: &File<'_>, mistakes: &mut Vec<Diagnostic>) {
    for message in &file.elements.messages {
        let reserved = collect(
            &message.path,
            tag::message::RESERVED_RANGE,
            message
                .item
                .reserved_range
                .iter()
                .map(|range| (range.start, range.end)),
        );
        let extensions = collect(
            &message.path,
            tag::message::EXTENSION_RANGE,
            message
                .item
                .extension_range
                .iter()
                .map(|range| (range.start, range.end)),
        );
        let ranges = Ranges {
            file,
            message,
            reserved: &reserved,
            extensions: &extensions,
        };
        ranges.check_bounds(mistakes);
        ranges.check_overlaps(mistakes);
        ranges.check_fields(mistakes);
        ranges.check_names(mistakes);
    }
}

/// A range of numbers, its end not included, and where it is written.
pub(super) struct Written {
    pub(super) numbers: Range<i32>,
    pub(super) path: Vec<i32>,
}

impl Written {
    /// As it is written: with its end included.
    pub(super) fn words(&self) -> String {
        match self.numbers.end.saturating_sub(1) {
            end if end == self.numbers.start => format!("{end}"),
            end if end >= MAX_NUMBER => format!("{} to max", self.numbers.start),
            end => format!("{} to {end}", self.numbers.start),
        }
    }
}

pub(super) fn collect(
    path: &[i32],
    tag: i32,
    ranges: impl Iterator<Item = (Option<i32>, Option<i32>)>,
) -> Vec<Written> {
    let written = (0..).zip(ranges).map(|(index, (start, end))| Written {
        numbers: start.unwrap_or_default()..end.unwrap_or_default(),
        path: below(path, &[tag, index]),
    });
    written.collect()
}

/// Each range that overlaps with one before it, in the order in which they are written; the second of a pair is the one before.
pub(super) fn overlaps(ranges: &[Written]) -> Vec<(&Written, &Written)> {
    let mut sorted: Vec<_> = ranges
        .iter()
        .enumerate()
        .filter(|(_, range)| !range.numbers.is_empty())
        .collect();
    sorted.sort_by_key(|(index, range)| (range.numbers.start, *index));
    let mut found = Vec::new();
    let mut widest: Option<(usize, &Written)> = None;
    for (index, range) in sorted {
        if let Some((other_index, other)) = widest
            && range.numbers.start < other.numbers.end
        {
            let pair = ((index, range), (other_index, other));
            found.push(if index > other_index {
                pair
            } else {
                (pair.1, pair.0)
            });
        }
        if widest.is_none_or(|(_, other)| range.numbers.end > other.numbers.end) {
            widest = Some((index, range));
        }
    }
    found.sort_by_key(|((index, _), _)| *index);
    found
        .into_iter()
        .map(|((_, range), (_, other))| (range, other))
        .collect()
}

/// Ranges by where they begin, to be asked for many numbers. Those that are empty are left out.
pub(super) struct Sorted<'a> {
    ranges: Vec<&'a Written>,
    /// The largest end of each range and those before it.
    ends: Vec<i32>,
}

impl<'a> Sorted<'a> {
    pub(super) fn new(ranges: &'a [Written]) -> Self {
        let ranges = ranges.iter().filter(|range| !range.numbers.is_empty());
        let mut ranges: Vec<_> = ranges.collect();
        ranges.sort_by_key(|range| range.numbers.start);
        let mut end = i32::MIN;
        let ends = ranges.iter().map(|range| {
            end = end.max(range.numbers.end);
            end
        });
        let ends = ends.collect();
        Self { ranges, ends }
    }

    pub(super) fn find(&self, number: i32) -> Option<&'a Written> {
        self.overlap(&(number..number.saturating_add(1)))
    }

    /// The first range that has one of these numbers.
    fn overlap(&self, numbers: &Range<i32>) -> Option<&'a Written> {
        let first = self.ends.partition_point(|&end| end <= numbers.start);
        let range = self.ranges.get(first)?;
        (!numbers.is_empty() && range.numbers.start < numbers.end).then_some(range)
    }
}

struct Ranges<'a> {
    file: &'a File<'a>,
    message: &'a Element<'a, DescriptorProto>,
    reserved: &'a [Written],
    extensions: &'a [Written],
}

impl Ranges<'_> {
    /// A range begins at 1 or later and does not end before it begins. Only a message set has larger numbers than fields have.
    fn check_bounds(&self, mistakes: &mut Vec<Diagnostic>) {
        let is_in_set = is_message_set(self.message.item) || !is_read(self.message.item);
        for (range, what) in self
            .reserved
            .iter()
            .map(|range| (range, "reserved"))
            .chain(self.extensions.iter().map(|range| (range, "extension")))
        {
            let numbers = &range.numbers;
            if numbers.start <= 0 {
                let text = format!("{what} numbers begin at 1, not at {}", numbers.start);
                mistakes.push(
                    self.file
                        .mistake(&range.path, &self.message.name, text)
                        .help(format!("field numbers are 1 to {MAX_NUMBER}")),
                );
            } else if numbers.is_empty() {
                let (from, to) = (numbers.start, numbers.end.saturating_sub(1));
                let text = format!("the {what} range {from} to {to} ends before it begins");
                mistakes.push(
                    self.file
                        .mistake(&range.path, &self.message.name, text)
                        .help(format!("write `{to} to {from}`")),
                );
            } else if numbers.end > MAX_NUMBER + 1 && what == "extension" && !is_in_set {
                let text = format!("the extension number {} is too large", numbers.end - 1);
                mistakes.push(
                    self.file
                        .mistake(&range.path, &self.message.name, text)
                        .help(format!("write a number up to {MAX_NUMBER}, or `max`")),
                );
            }
        }
    }

    /// No number may be in two ranges.
    fn check_overlaps(&self, mistakes: &mut Vec<Diagnostic>) {
        let mut report = |range: &Written, other: &Written, what: &str| {
            let text = format!("{what} {} overlaps with {}", range.words(), other.words());
            let mistake = self
                .file
                .mistake(&range.path, &self.message.name, text)
                .and_at(self.file.span(&other.path), "the other range")
                .help("let each number be in one range");
            mistakes.push(mistake);
        };
        for (range, other) in overlaps(self.reserved) {
            report(range, other, "the reserved range");
        }
        for (range, other) in overlaps(self.extensions) {
            report(range, other, "the extension range");
        }
        let reserved = Sorted::new(self.reserved);
        for range in self.extensions {
            if let Some(other) = reserved.overlap(&range.numbers) {
                report(range, other, "the extension range");
            }
        }
    }

    /// A field must not have a number that is reserved or left to extensions.
    fn check_fields(&self, mistakes: &mut Vec<Diagnostic>) {
        let (reserved, extensions) = (Sorted::new(self.reserved), Sorted::new(self.extensions));
        let free = LazyCell::new(|| self.free());
        for (index, field) in numbered(&self.message.item.field) {
            let number = field.number.unwrap_or_default();
            let found = reserved.find(number).map(|range| (range, "is reserved"));
            let found = found.or_else(|| {
                let range = extensions.find(number)?;
                Some((range, "is left to extensions"))
            });
            let Some((range, what)) = found else {
                continue;
            };
            let name = field.name.as_deref().unwrap_or_default();
            let path = below(
                &self.message.path,
                &[tag::message::FIELD, index, tag::field::NUMBER],
            );
            let mistake = self
                .file
                .mistake(
                    &path,
                    &join(&self.message.name, Some(name)),
                    format!("the number {number} of `{name}` {what}"),
                )
                .and_at(self.file.span(&range.path), "here")
                .help(format!("take a number that is free, such as {}", *free));
            mistakes.push(mistake);
        }
    }

    /// The first number that nobody has.
    fn free(&self) -> i32 {
        let (reserved, extensions) = (Sorted::new(self.reserved), Sorted::new(self.extensions));
        let fields = self.message.item.field.iter();
        let fields: HashSet<i32> = fields.filter_map(|field| field.number).collect();
        let is_taken = |number: i32| {
            (19_000..20_000).contains(&number)
                || fields.contains(&number)
                || reserved.find(number).is_some()
                || extensions.find(number).is_some()
        };
        // Beyond this many, the first free one is not worth the time.
        (1..10_000)
            .find(|&number| !is_taken(number))
            .unwrap_or(MAX_NUMBER)
    }

    /// A name is reserved once, and then no field has it.
    fn check_names(&self, mistakes: &mut Vec<Diagnostic>) {
        let names = Names {
            file: self.file,
            element: &self.message.name,
            path: &self.message.path,
            tag: tag::message::RESERVED_NAME,
        };
        let fields = numbered(&self.message.item.field)
            .map(|(index, field)| (field.name.as_deref(), [tag::message::FIELD, index]));
        names.check(&self.message.item.reserved_name, fields, mistakes);
    }
}

/// The reserved names of a message or an enum.
pub(super) struct Names<'a> {
    pub(super) file: &'a File<'a>,
    pub(super) element: &'a str,
    pub(super) path: &'a [i32],
    pub(super) tag: i32,
}

impl Names<'_> {
    pub(super) fn check<'n>(
        &self,
        reserved: &[String],
        used: impl Iterator<Item = (Option<&'n str>, [i32; 2])>,
        mistakes: &mut Vec<Diagnostic>,
    ) {
        let mut places: HashMap<&str, Vec<i32>> = HashMap::new();
        for (index, name) in numbered(reserved) {
            let path = below(self.path, &[self.tag, index]);
            if let Some(first) = places.get(name.as_str()) {
                let mistake = self
                    .file
                    .mistake(
                        &path,
                        self.element,
                        format!("the name `{name}` is reserved twice"),
                    )
                    .and_at(self.file.span(first), "first reserved here")
                    .help("remove one of the two");
                mistakes.push(mistake);
            } else {
                places.insert(name.as_str(), path);
            }
        }
        for (name, step) in used {
            let Some((name, place)) = name.and_then(|name| Some((name, places.get(name)?))) else {
                continue;
            };
            let path = below(self.path, &[step[0], step[1], tag::NAME]);
            let mistake = self
                .file
                .mistake(
                    &path,
                    &join(self.element, Some(name)),
                    format!("the name `{name}` is reserved"),
                )
                .and_at(self.file.span(place), "here")
                .help("take another name, or stop reserving this one");
            mistakes.push(mistake);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(ranges: &[(i32, i32)]) -> Vec<Written> {
        let ranges = ranges.iter().zip(0..);
        let written = ranges.map(|(&(start, end), index)| Written {
            numbers: start..end,
            path: vec![index],
        });
        written.collect()
    }

    #[test]
    fn the_range_of_a_number_is_found_among_many() {
        let written = written(&[(5, 9), (1, 3), (2, 6), (20, 21), (20, 21), (8, 7), (10, 18)]);
        let sorted = Sorted::new(&written);
        for number in -1..25 {
            let expected = written.iter().any(|range| range.numbers.contains(&number));
            let found = sorted.find(number);
            assert_eq!(found.is_some(), expected, "{number}");
            assert!(
                found.is_none_or(|range| range.numbers.contains(&number)),
                "{number}"
            );
        }
        for (from, to, expected) in [
            (9, 10, false),
            (9, 11, true),
            (18, 20, false),
            (12, 12, false),
        ] {
            assert_eq!(
                sorted.overlap(&(from..to)).is_some(),
                expected,
                "{from} {to}"
            );
        }
    }

    #[test]
    fn overlaps_name_the_later_range() {
        let written = written(&[(5, 9), (1, 3), (2, 6), (20, 21), (20, 21), (8, 7)]);
        let found: Vec<_> = overlaps(&written)
            .iter()
            .map(|(range, other)| (range.path[0], other.path[0]))
            .collect();
        assert_eq!(found, [(2, 1), (2, 0), (4, 3)]);
    }
}
