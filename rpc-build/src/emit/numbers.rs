//! Numbers of extensions that what writes messages does not take: those of message sets may be larger than those of fields.
//! Such an extension is written with a number that nobody has, in the place of which its own is put afterwards.

use std::collections::{BTreeMap, BTreeSet};

use buffa_descriptor::generated::descriptor::FileDescriptorProto;

use crate::check::MAX_NUMBER;
use crate::load::for_each_field;

/// The numbers that were taken out, by those that stand for them.
#[derive(Debug, Default)]
pub(crate) struct Numbers(BTreeMap<i32, i32>);

impl Numbers {
    pub(crate) fn take(files: &mut [FileDescriptorProto]) -> Self {
        let (mut used, mut has_large) = (BTreeSet::new(), false);
        for file in &mut *files {
            for_each_field(file, &mut |field| {
                has_large |= field.number > Some(MAX_NUMBER);
                used.extend(field.number);
            });
        }
        let mut numbers = BTreeMap::new();
        if !has_large {
            return Self(numbers);
        }
        let mut free = (1..=MAX_NUMBER).rev().filter(|it| !used.contains(it));
        for file in files {
            for_each_field(file, &mut |field| {
                if let Some(number) = field.number.filter(|it| *it > MAX_NUMBER)
                    && let Some(stand_in) = free.next()
                {
                    numbers.insert(stand_in, number);
                    field.number = Some(stand_in);
                }
            });
        }
        Self(numbers)
    }

    /// Puts the numbers into what was written: in code, and in the comment that says which it is.
    pub(crate) fn put_back(&self, text: String) -> String {
        let put = |text: String, (stand_in, number): (&i32, &i32)| {
            text.replace(&format!("{stand_in}u32"), &format!("{number}u32"))
                .replace(&format!("(field {stand_in})"), &format!("(field {number})"))
        };
        self.0.iter().fold(text, put)
    }
}
