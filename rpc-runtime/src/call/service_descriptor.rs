//! Descriptions of services: static data that the macro writes down once.

use std::fmt;

use super::method::MethodDescriptor;
use super::schema::{Hash, compare_revisions};

/// One service, as its trait declares it.
pub struct ServiceDescriptor {
    name: &'static str,
    methods: &'static [MethodDescriptor],
    version: Option<&'static str>,
    fingerprint: Option<u64>,
    descriptors: Option<&'static [u8]>,
    doc: &'static str,
}

impl ServiceDescriptor {
    /// Describes a service by its full name, `package.Service`, and its methods.
    pub const fn new(name: &'static str, methods: &'static [MethodDescriptor]) -> Self {
        Self {
            name,
            methods,
            version: None,
            fingerprint: None,
            descriptors: None,
            doc: "",
        }
    }

    /// Sets the version.
    #[must_use]
    pub const fn version(mut self, version: &'static str) -> Self {
        self.version = Some(version);
        self
    }

    /// Sets the fingerprint, which is otherwise made of the methods.
    #[must_use]
    pub const fn with_fingerprint(mut self, fingerprint: u64) -> Self {
        self.fingerprint = Some(fingerprint);
        self
    }

    /// Sets what the service was generated from: a serialized `google.protobuf.FileDescriptorSet`
    /// that has its file and all that this imports.
    #[must_use]
    pub const fn with_descriptors(mut self, set: &'static [u8]) -> Self {
        self.descriptors = Some(set);
        self
    }

    /// Sets the documentation.
    #[must_use]
    pub const fn doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }

    /// Returns the full name, `package.Service`.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the methods in the order of the trait.
    pub const fn methods(&self) -> &'static [MethodDescriptor] {
        self.methods
    }

    /// Returns the version that the trait declares.
    pub const fn declared_version(&self) -> Option<&'static str> {
        self.version
    }

    /// Returns a number that differs, but for chance, where methods differ in name, kind or
    /// arguments, whatever their order; or the one that the trait declares.
    pub const fn fingerprint(&self) -> u64 {
        if let Some(fingerprint) = self.fingerprint {
            return fingerprint;
        }
        let mut sum = Hash::new().text(self.name).0;
        let mut index = 0;
        while index < self.methods.len() {
            sum = sum.wrapping_add(self.methods[index].hash());
            index += 1;
        }
        sum
    }

    /// Returns the serialized `google.protobuf.FileDescriptorSet` that the service was generated
    /// from; `None` for one that a trait declares.
    pub const fn descriptors(&self) -> Option<&'static [u8]> {
        self.descriptors
    }

    /// Returns the latest revision that a method names with `since`.
    pub fn revision(&self) -> Option<&'static str> {
        let revisions = self.methods.iter().filter_map(MethodDescriptor::added_in);
        revisions.max_by(|left, right| compare_revisions(left, right))
    }

    /// Returns the documentation.
    pub const fn documentation(&self) -> &'static str {
        self.doc
    }

    /// Returns the handle of the method with this name on the wire.
    ///
    /// # Panics
    ///
    /// Panics if there is none. Generated code calls this in constants, where a panic is an error
    /// of the compiler; [`find`](Self::find) is for names that come from elsewhere.
    pub const fn method(&'static self, name: &str) -> MethodHandle {
        let mut index = 0;
        while index < self.methods.len() {
            if is_method_of_path(self.methods[index].path(), name) {
                return MethodHandle {
                    service: self,
                    index,
                };
            }
            index += 1;
        }
        panic!("the service has no method of this name")
    }

    /// Returns the handle of the method with this name, if the service has it.
    pub fn find(&'static self, name: &str) -> Option<MethodHandle> {
        let index = self.methods.iter().position(|it| it.name() == name)?;
        Some(MethodHandle {
            service: self,
            index,
        })
    }
}

impl fmt::Debug for ServiceDescriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceDescriptor")
            .field("name", &self.name)
            .field("methods", &self.methods)
            .field("version", &self.version)
            .field("fingerprint", &self.fingerprint)
            .field("doc", &self.doc)
            .finish_non_exhaustive()
    }
}

/// Says whether `path` ends in a slash and `name`; lengths first, because it runs in constants.
const fn is_method_of_path(path: &str, name: &str) -> bool {
    let (path, name) = (path.as_bytes(), name.as_bytes());
    if path.len() <= name.len() {
        return false;
    }
    let start = path.len() - name.len();
    if path[start - 1] != b'/' {
        return false;
    }
    let mut at = 0;
    while at < name.len() {
        if path[start + at] != name[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// A method of a described service; cheap to copy and to compare.
#[derive(Clone, Copy)]
pub struct MethodHandle {
    service: &'static ServiceDescriptor,
    index: usize,
}

impl MethodHandle {
    /// Returns the service.
    pub const fn service(self) -> &'static ServiceDescriptor {
        self.service
    }

    /// Returns the method's place in the service's list.
    pub const fn index(self) -> usize {
        self.index
    }

    /// Returns the method's description.
    pub const fn descriptor(self) -> &'static MethodDescriptor {
        // A handle is made only from an index that was found in this list.
        &self.service.methods[self.index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::MethodKind;

    const METHODS: &[MethodDescriptor] = &[
        MethodDescriptor::new("m.M/add", MethodKind::Unary, &["a", "b"]).idempotent(),
        MethodDescriptor::new("m.M/dd", MethodKind::Bidirectional, &[]).read_only(),
    ];
    static SERVICE: ServiceDescriptor = ServiceDescriptor::new("m.M", METHODS).version("v1");

    #[test]
    fn a_method_is_found_in_a_constant_by_its_whole_name() {
        const DD: MethodHandle = SERVICE.method("dd");
        assert_eq!(DD.index(), 1);
        assert_eq!(DD.descriptor().name(), "dd");
        assert!(DD.descriptor().is_idempotent() && DD.descriptor().is_read_only());
        assert!(SERVICE.find("d").is_none());
    }
}
