//! All that a file declares, however deep, as flat lists.

use buffa_descriptor::generated::descriptor::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    ServiceDescriptorProto,
};

use crate::tag;

/// One declaration.
#[derive(Clone, Debug)]
pub(crate) struct Element<'a, T> {
    /// Its path in the file, as `SourceCodeInfo` counts.
    pub(crate) path: Vec<i32>,
    /// Its full name without a dot in front.
    pub(crate) name: String,
    pub(crate) item: &'a T,
}

/// The declarations of one file, each after those around it.
#[derive(Debug, Default)]
pub(crate) struct Elements<'a> {
    pub(crate) messages: Vec<Element<'a, DescriptorProto>>,
    pub(crate) enums: Vec<Element<'a, EnumDescriptorProto>>,
    pub(crate) services: Vec<Element<'a, ServiceDescriptorProto>>,
    pub(crate) extensions: Vec<Element<'a, FieldDescriptorProto>>,
}

impl<'a> Elements<'a> {
    pub(crate) fn of(file: &'a FileDescriptorProto) -> Self {
        let package = file.package.as_deref().unwrap_or_default();
        let mut elements = Self::default();
        for (index, message) in numbered(&file.message_type) {
            elements.message(message, package, vec![tag::file::MESSAGE, index]);
        }
        for (index, item) in numbered(&file.enum_type) {
            let name = join(package, item.name.as_deref());
            let path = vec![tag::file::ENUM, index];
            elements.enums.push(Element { path, name, item });
        }
        for (index, item) in numbered(&file.service) {
            let name = join(package, item.name.as_deref());
            let path = vec![tag::file::SERVICE, index];
            elements.services.push(Element { path, name, item });
        }
        for (index, item) in numbered(&file.extension) {
            let name = join(package, item.name.as_deref());
            let path = vec![tag::file::EXTENSION, index];
            elements.extensions.push(Element { path, name, item });
        }
        elements
    }

    fn message(&mut self, message: &'a DescriptorProto, scope: &str, path: Vec<i32>) {
        let name = join(scope, message.name.as_deref());
        self.messages.push(Element {
            path: path.clone(),
            name: name.clone(),
            item: message,
        });
        for (index, nested) in numbered(&message.nested_type) {
            self.message(nested, &name, below(&path, &[tag::message::NESTED, index]));
        }
        for (index, item) in numbered(&message.enum_type) {
            self.enums.push(Element {
                path: below(&path, &[tag::message::ENUM, index]),
                name: join(&name, item.name.as_deref()),
                item,
            });
        }
        for (index, item) in numbered(&message.extension) {
            self.extensions.push(Element {
                path: below(&path, &[tag::message::EXTENSION, index]),
                name: join(&name, item.name.as_deref()),
                item,
            });
        }
    }
}

/// A path and what lies below it.
pub(crate) fn below(path: &[i32], steps: &[i32]) -> Vec<i32> {
    [path, steps].concat()
}

/// A full name of a scope and a name in it.
pub(crate) fn join(scope: &str, name: Option<&str>) -> String {
    let name = name.unwrap_or_default();
    match scope {
        "" => name.to_owned(),
        _ => format!("{scope}.{name}"),
    }
}

/// The scope of a full name: all but its last part.
pub(crate) fn scope(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(scope, _)| scope)
}

/// The last part of a full name.
pub(crate) fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// Items with their index as a path counts it. A file is at most 2 GiB long, and so the index fits.
pub(crate) fn numbered<T>(items: &[T]) -> impl Iterator<Item = (i32, &T)> {
    (0..).zip(items)
}

/// Whether a message stands for the entries of a map, and was not written by anyone.
pub(crate) fn is_map_entry(message: &DescriptorProto) -> bool {
    let options = message.options.as_option();
    options.and_then(|options| options.map_entry) == Some(true)
}
