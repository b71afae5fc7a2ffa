//! Field numbers of `google/protobuf/descriptor.proto`, of which the paths of `SourceCodeInfo` are made.

pub(crate) mod file {
    pub(crate) const PACKAGE: i32 = 2;
    pub(crate) const DEPENDENCY: i32 = 3;
    pub(crate) const MESSAGE: i32 = 4;
    pub(crate) const ENUM: i32 = 5;
    pub(crate) const SERVICE: i32 = 6;
    pub(crate) const EXTENSION: i32 = 7;
    pub(crate) const OPTIONS: i32 = 8;
}

pub(crate) mod message {
    pub(crate) const FIELD: i32 = 2;
    pub(crate) const NESTED: i32 = 3;
    pub(crate) const ENUM: i32 = 4;
    pub(crate) const EXTENSION_RANGE: i32 = 5;
    pub(crate) const EXTENSION: i32 = 6;
    pub(crate) const OPTIONS: i32 = 7;
    pub(crate) const ONEOF: i32 = 8;
    pub(crate) const RESERVED_RANGE: i32 = 9;
    pub(crate) const RESERVED_NAME: i32 = 10;
}

pub(crate) mod field {
    pub(crate) const EXTENDEE: i32 = 2;
    pub(crate) const NUMBER: i32 = 3;
    pub(crate) const LABEL: i32 = 4;
    pub(crate) const TYPE: i32 = 5;
    pub(crate) const TYPE_NAME: i32 = 6;
    pub(crate) const DEFAULT: i32 = 7;
    pub(crate) const OPTIONS: i32 = 8;
    pub(crate) const JSON_NAME: i32 = 10;
}

pub(crate) mod field_options {
    pub(crate) const PACKED: i32 = 2;
    pub(crate) const LAZY: i32 = 5;
    pub(crate) const JSTYPE: i32 = 6;
    pub(crate) const UNVERIFIED_LAZY: i32 = 15;
}

pub(crate) mod message_options {
    pub(crate) const MESSAGE_SET: i32 = 1;
    pub(crate) const MAP_ENTRY: i32 = 7;
}

pub(crate) mod enumeration {
    pub(crate) const VALUE: i32 = 2;
    pub(crate) const OPTIONS: i32 = 3;
    pub(crate) const RESERVED_RANGE: i32 = 4;
    pub(crate) const RESERVED_NAME: i32 = 5;
}

pub(crate) mod enum_options {
    pub(crate) const ALLOW_ALIAS: i32 = 2;
}

pub(crate) mod value {
    pub(crate) const NUMBER: i32 = 2;
    pub(crate) const OPTIONS: i32 = 3;
}

pub(crate) mod service {
    pub(crate) const METHOD: i32 = 2;
    pub(crate) const OPTIONS: i32 = 3;
}

pub(crate) mod method {
    pub(crate) const INPUT: i32 = 2;
    pub(crate) const OUTPUT: i32 = 3;
    pub(crate) const OPTIONS: i32 = 4;
}

pub(crate) mod oneof {
    pub(crate) const OPTIONS: i32 = 2;
}

pub(crate) mod range {
    pub(crate) const START: i32 = 1;
    pub(crate) const END: i32 = 2;
    pub(crate) const OPTIONS: i32 = 3;
}

/// `name` has the same number in everything that has a name.
pub(crate) const NAME: i32 = 1;

/// `uninterpreted_option` has the same number in all options.
pub(crate) const UNINTERPRETED: i32 = 999;
