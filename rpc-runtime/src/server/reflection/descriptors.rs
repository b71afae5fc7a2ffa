//! The files that services were generated from, by name, by what they declare and by extension.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use buffa::Message as _;
use buffa_descriptor::generated::descriptor::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    FileDescriptorSet, ServiceDescriptorProto,
};
use bytes::Bytes;

use crate::call::ServiceDescriptor;

/// All files of all services.
#[derive(Default)]
pub(super) struct Descriptors {
    files: Vec<File>,
    names: HashMap<String, usize>,
    symbols: HashMap<String, usize>,
    /// By the message that is extended, and by number.
    extensions: HashMap<String, BTreeMap<i32, usize>>,
}

struct File {
    /// A serialized `FileDescriptorProto`.
    bytes: Bytes,
    imports: Vec<String>,
}

/// The files that one stream was sent.
#[derive(Default)]
pub(super) struct Sent(HashSet<usize>);

/// One of the files.
#[derive(Clone, Copy)]
pub(super) struct FileIndex(usize);

impl Descriptors {
    pub(super) fn new(services: &[&'static ServiceDescriptor]) -> Self {
        let mut descriptors = Self::default();
        let mut seen = HashSet::new();
        for service in services {
            let Some(set) = service.descriptors() else {
                continue;
            };
            // Services of one package share a set.
            if !seen.insert(set.as_ptr()) {
                continue;
            }
            match FileDescriptorSet::decode_from_slice(set) {
                Ok(set) => set.file.iter().for_each(|it| descriptors.add_file(it)),
                Err(error) => tracing::warn!(
                    service = service.name(),
                    %error,
                    "reflection cannot describe a service: its descriptors cannot be read"
                ),
            }
        }
        descriptors
    }

    fn add_file(&mut self, file: &FileDescriptorProto) {
        let name = file.name.clone().unwrap_or_default();
        if self.names.contains_key(&name) {
            return;
        }
        let index = self.files.len();
        self.names.insert(name, index);
        self.files.push(File {
            bytes: file.encode_to_vec().into(),
            imports: file.dependency.clone(),
        });
        let package = file.package.as_deref().unwrap_or_default();
        let mut symbols = Symbols {
            descriptors: self,
            file: index,
        };
        symbols.add_messages(package, &file.message_type);
        symbols.add_enums(package, &file.enum_type);
        symbols.add_extensions(package, &file.extension);
        symbols.add_services(package, &file.service);
    }

    pub(super) fn file(&self, name: &str) -> Option<FileIndex> {
        self.names.get(name).copied().map(FileIndex)
    }

    /// Finds the file that declares something, by its full name.
    pub(super) fn file_of_symbol(&self, name: &str) -> Option<FileIndex> {
        self.symbols.get(name).copied().map(FileIndex)
    }

    pub(super) fn file_of_extension(&self, message: &str, number: i32) -> Option<FileIndex> {
        let extensions = self.extensions.get(message)?;
        extensions.get(&number).copied().map(FileIndex)
    }

    /// Returns the numbers of a message's extensions; `None` if there is no such message.
    pub(super) fn extension_numbers(&self, message: &str) -> Option<Vec<i32>> {
        let extensions = self.extensions.get(message);
        match extensions {
            Some(extensions) => Some(extensions.keys().copied().collect()),
            None => self.symbols.contains_key(message).then(Vec::new),
        }
    }

    /// Returns a file, and behind it what it imports and was not sent before.
    pub(super) fn with_imports(&self, file: FileIndex, sent: &mut Sent) -> Vec<Bytes> {
        let mut files = Vec::new();
        let mut waiting = VecDeque::from([file.0]);
        while let Some(index) = waiting.pop_front() {
            let is_new = sent.0.insert(index);
            let Some(file) = self.files.get(index) else {
                continue;
            };
            if files.is_empty() || is_new {
                files.push(file.bytes.clone());
                let imports = file.imports.iter();
                waiting.extend(imports.filter_map(|it| self.names.get(it)));
            }
        }
        files
    }
}

/// Notes what one file declares.
struct Symbols<'a> {
    descriptors: &'a mut Descriptors,
    file: usize,
}

impl Symbols<'_> {
    /// Returns the full name.
    fn add(&mut self, scope: &str, name: Option<&str>) -> String {
        let name = name.unwrap_or_default();
        let full = match scope {
            "" => name.to_owned(),
            scope => format!("{scope}.{name}"),
        };
        let symbols = &mut self.descriptors.symbols;
        symbols.entry(full.clone()).or_insert(self.file);
        full
    }

    fn add_messages(&mut self, scope: &str, messages: &[DescriptorProto]) {
        for message in messages {
            let name = self.add(scope, message.name.as_deref());
            for field in &message.field {
                self.add(&name, field.name.as_deref());
            }
            for group in &message.oneof_decl {
                self.add(&name, group.name.as_deref());
            }
            self.add_messages(&name, &message.nested_type);
            self.add_enums(&name, &message.enum_type);
            self.add_extensions(&name, &message.extension);
        }
    }

    fn add_enums(&mut self, scope: &str, enums: &[EnumDescriptorProto]) {
        for enumeration in enums {
            self.add(scope, enumeration.name.as_deref());
            for value in &enumeration.value {
                // Values are declared beside their enum, not in it.
                self.add(scope, value.name.as_deref());
            }
        }
    }

    fn add_extensions(&mut self, scope: &str, extensions: &[FieldDescriptorProto]) {
        for extension in extensions {
            self.add(scope, extension.name.as_deref());
            let extended = extension.extendee.as_deref().unwrap_or_default();
            let extended = extended.trim_start_matches('.').to_owned();
            let numbers = self.descriptors.extensions.entry(extended).or_default();
            let number = extension.number.unwrap_or_default();
            numbers.entry(number).or_insert(self.file);
        }
    }

    fn add_services(&mut self, scope: &str, services: &[ServiceDescriptorProto]) {
        for service in services {
            let name = self.add(scope, service.name.as_deref());
            for method in &service.method {
                self.add(&name, method.name.as_deref());
            }
        }
    }
}
