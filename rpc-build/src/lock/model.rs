//! What of a schema the breaking rules look at: every element with what is decided about it, features resolved.

use std::collections::BTreeMap;

use buffa_descriptor::generated::descriptor::field_descriptor_proto::Type;

/// Where an element stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct At {
    /// The line of its name, from 1. 0 where it is not known.
    pub(crate) line: u32,
    /// Its path in the descriptor, see [`Place`](crate::schema::Place). Empty for what was read from a lock.
    pub(crate) path: Vec<i32>,
}

/// Numbers from first to last, both included.
pub(crate) type Range = (i32, i32);

#[derive(Clone, Debug, Default)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) package: String,
    pub(crate) syntax: Syntax,
    /// The file comes with this crate. Only the names in it are kept, and its enums.
    pub(crate) bundled: bool,
    /// The options of `FILE_OPTIONS` that have another value than their default.
    pub(crate) options: BTreeMap<&'static str, String>,
    pub(crate) messages: Vec<Message>,
    pub(crate) enums: Vec<Enum>,
    pub(crate) services: Vec<Service>,
    pub(crate) extensions: Vec<Field>,
}

impl File {
    /// The name of one of its elements with the package.
    pub(crate) fn full_name(&self, name: &str) -> String {
        match self.package.as_str() {
            "" => name.to_owned(),
            package => format!("{package}.{name}"),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Syntax {
    #[default]
    Proto2,
    Proto3,
    /// The number that `google.protobuf.Edition` has for it, which is the year for all that are released.
    Edition(i32),
}

/// A file option that rules look at.
pub(crate) struct FileOption {
    pub(crate) name: &'static str,
    pub(crate) rule: &'static str,
    /// Its field number in `FileOptions`.
    pub(crate) number: i32,
    pub(crate) default: &'static str,
}

const fn option(
    name: &'static str,
    rule: &'static str,
    number: i32,
    default: &'static str,
) -> FileOption {
    FileOption {
        name,
        rule,
        number,
        default,
    }
}

pub(crate) const FILE_OPTIONS: [FileOption; 16] = [
    option("cc_enable_arenas", "FILE_SAME_CC_ENABLE_ARENAS", 31, "true"),
    option(
        "cc_generic_services",
        "FILE_SAME_CC_GENERIC_SERVICES",
        16,
        "false",
    ),
    option("csharp_namespace", "FILE_SAME_CSHARP_NAMESPACE", 37, ""),
    option("go_package", "FILE_SAME_GO_PACKAGE", 11, ""),
    option(
        "java_generic_services",
        "FILE_SAME_JAVA_GENERIC_SERVICES",
        17,
        "false",
    ),
    option(
        "java_multiple_files",
        "FILE_SAME_JAVA_MULTIPLE_FILES",
        10,
        "false",
    ),
    option(
        "java_outer_classname",
        "FILE_SAME_JAVA_OUTER_CLASSNAME",
        8,
        "",
    ),
    option("java_package", "FILE_SAME_JAVA_PACKAGE", 1, ""),
    option("objc_class_prefix", "FILE_SAME_OBJC_CLASS_PREFIX", 36, ""),
    option("optimize_for", "FILE_SAME_OPTIMIZE_FOR", 9, "SPEED"),
    option("php_class_prefix", "FILE_SAME_PHP_CLASS_PREFIX", 40, ""),
    option(
        "php_metadata_namespace",
        "FILE_SAME_PHP_METADATA_NAMESPACE",
        44,
        "",
    ),
    option("php_namespace", "FILE_SAME_PHP_NAMESPACE", 41, ""),
    option(
        "py_generic_services",
        "FILE_SAME_PY_GENERIC_SERVICES",
        18,
        "false",
    ),
    option("ruby_package", "FILE_SAME_RUBY_PACKAGE", 45, ""),
    option("swift_prefix", "FILE_SAME_SWIFT_PREFIX", 39, ""),
];

#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    /// Without the package: `Outer.Inner`.
    pub(crate) name: String,
    /// It was made for a `map` field.
    pub(crate) map_entry: bool,
    /// Its JSON format is `LEGACY_BEST_EFFORT`.
    pub(crate) legacy_json: bool,
    pub(crate) no_standard_descriptor_accessor: bool,
    pub(crate) message_set: bool,
    /// By number.
    pub(crate) fields: Vec<Field>,
    pub(crate) oneofs: Vec<Oneof>,
    pub(crate) reserved: Reserved,
    pub(crate) extension_ranges: Vec<Range>,
    pub(crate) at: At,
}

impl Message {
    /// The oneofs that are written as such.
    pub(crate) fn declared_oneofs(&self) -> impl Iterator<Item = &Oneof> {
        self.oneofs.iter().filter(|oneof| !oneof.synthetic)
    }

    pub(crate) fn field(&self, number: i32) -> Option<&Field> {
        let at = self.fields.binary_search_by_key(&number, |it| it.number);
        self.fields.get(at.ok()?)
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Reserved {
    pub(crate) ranges: Vec<Range>,
    pub(crate) names: Vec<String>,
}

impl Reserved {
    pub(crate) fn has_number(&self, number: i32) -> bool {
        self.ranges
            .iter()
            .any(|&(first, last)| (first..=last).contains(&number))
    }

    pub(crate) fn has_name(&self, name: &str) -> bool {
        self.names.iter().any(|reserved| reserved == name)
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Oneof {
    pub(crate) name: String,
    /// It was made for an `optional` of proto3. A lock does not have it.
    pub(crate) synthetic: bool,
    pub(crate) at: At,
}

#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) number: i32,
    /// Of an extension with the messages that it stands in: `Outer.extension`.
    pub(crate) name: String,
    pub(crate) json_name: String,
    /// A message with delimited encoding is a `TYPE_GROUP`, however it is written.
    pub(crate) kind: Type,
    /// With a leading dot. Empty for scalars.
    pub(crate) type_name: String,
    pub(crate) cardinality: Cardinality,
    pub(crate) oneof: Option<String>,
    /// As descriptors write it; of an enum the number, and then also where it is the first value that is not 0.
    pub(crate) default: Option<String>,
    pub(crate) jstype: JsType,
    pub(crate) cpp_string: CppString,
    /// Whether its text is checked to be UTF-8, in general and by Java.
    pub(crate) utf8: bool,
    pub(crate) java_utf8: bool,
    /// The message that it extends, with a leading dot.
    pub(crate) extendee: Option<String>,
    pub(crate) at: At,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cardinality {
    Implicit,
    Explicit,
    /// By the word `required`.
    Required,
    /// By the feature `field_presence = LEGACY_REQUIRED`.
    LegacyRequired,
    Repeated,
    Map,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum JsType {
    #[default]
    Normal,
    String,
    Number,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum CppString {
    #[default]
    String,
    Cord,
    StringPiece,
    View,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Enum {
    /// Without the package: `Outer.Kind`.
    pub(crate) name: String,
    pub(crate) closed: bool,
    pub(crate) legacy_json: bool,
    /// By number, then by name.
    pub(crate) values: Vec<Value>,
    pub(crate) reserved: Reserved,
    pub(crate) at: At,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Value {
    pub(crate) name: String,
    pub(crate) number: i32,
    pub(crate) at: At,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) methods: Vec<Method>,
    pub(crate) at: At,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Method {
    pub(crate) name: String,
    pub(crate) input: String,
    pub(crate) output: String,
    pub(crate) client_streaming: bool,
    pub(crate) server_streaming: bool,
    pub(crate) idempotency: Idempotency,
    pub(crate) at: At,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Idempotency {
    #[default]
    Unknown,
    NoSideEffects,
    Idempotent,
}

/// The options of this crate. They say how a method is generated, and are no part of what a schema consists of.
pub(crate) const OPTIONS: &str = "rpc/v1/options.proto";

/// Files that come with the parser or with this crate. A schema that uses them does not decide what is in them.
pub(crate) fn is_bundled(file: &str) -> bool {
    const GOOGLE: [&str; 15] = [
        "any",
        "api",
        "compiler/plugin",
        "cpp_features",
        "descriptor",
        "duration",
        "empty",
        "field_mask",
        "go_features",
        "java_features",
        "source_context",
        "struct",
        "timestamp",
        "type",
        "wrappers",
    ];
    let google = file
        .strip_prefix("google/protobuf/")
        .and_then(|rest| rest.strip_suffix(".proto"));
    google.is_some_and(|name| GOOGLE.contains(&name)) || file == OPTIONS
}

/// The name that canonical JSON gives a field that has none of its own.
pub(crate) fn default_json_name(name: &str) -> String {
    let mut json = String::with_capacity(name.len());
    let mut upper = false;
    for character in name.chars() {
        match character {
            '_' => upper = true,
            _ if upper => {
                json.push(character.to_ascii_uppercase());
                upper = false;
            }
            _ => json.push(character),
        }
    }
    json
}

/// The name of the message behind a map field: `MyFieldEntry` for `my_field`.
pub(crate) fn map_entry_name(field: &str) -> String {
    let mut entry = String::with_capacity(field.len() + 5);
    let mut upper = true;
    for character in field.chars() {
        match character {
            '_' => upper = true,
            _ if upper => {
                entry.push(character.to_ascii_uppercase());
                upper = false;
            }
            _ => entry.push(character),
        }
    }
    entry + "Entry"
}
