//! One side of a comparison, its elements by name.

use std::collections::BTreeMap;

use crate::lock::{Enum, Field, File, Message, Service};

/// An element and the file that it stands in.
pub(super) struct In<'a, T> {
    pub(super) file: &'a File,
    pub(super) it: &'a T,
}

impl<T> Clone for In<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for In<'_, T> {}

/// Elements by full name, without a leading dot.
type ByName<'a, T> = BTreeMap<String, In<'a, T>>;

#[derive(Default)]
pub(super) struct Index<'a> {
    pub(super) files: BTreeMap<&'a str, &'a File>,
    pub(super) packages: BTreeMap<&'a str, Vec<&'a File>>,
    pub(super) messages: ByName<'a, Message>,
    pub(super) enums: ByName<'a, Enum>,
    pub(super) services: ByName<'a, Service>,
    /// By name, and by what they extend and their number.
    pub(super) extensions: ByName<'a, Field>,
    pub(super) extension_numbers: BTreeMap<(&'a str, i32), In<'a, Field>>,
}

impl<'a> Index<'a> {
    pub(super) fn of(files: impl Iterator<Item = &'a File>) -> Self {
        let mut index = Self::default();
        for file in files {
            index.files.insert(&file.name, file);
            index.packages.entry(&file.package).or_default().push(file);
            for it in &file.messages {
                let name = file.full_name(&it.name);
                index.messages.insert(name, In { file, it });
            }
            for it in &file.enums {
                let name = file.full_name(&it.name);
                index.enums.insert(name, In { file, it });
            }
            for it in &file.services {
                let name = file.full_name(&it.name);
                index.services.insert(name, In { file, it });
            }
            for it in &file.extensions {
                let name = file.full_name(&it.name);
                index.extensions.insert(name, In { file, it });
                let key = (it.extendee.as_deref().unwrap_or_default(), it.number);
                index.extension_numbers.insert(key, In { file, it });
            }
        }
        index
    }
}
