//! The rules: their names and levels, which are buf's, and what breaks and for whom.

use super::Level;

/// A rule of `buf config ls-breaking-rules`.
pub(super) struct Rule {
    pub(super) id: &'static str,
    levels: &'static [Level],
    /// What breaks, and for whom.
    pub(super) why: &'static str,
}

impl Rule {
    pub(super) fn is_at(&self, level: Level) -> bool {
        self.levels.contains(&level)
    }
}

/// The rule with this name. Names come from the checks in this module, or from users.
pub(super) fn rule(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id)
}

const fn rule_at(levels: &'static [Level], id: &'static str, why: &'static str) -> Rule {
    Rule { id, levels, why }
}

const F: &[Level] = &[Level::File];
const P: &[Level] = &[Level::Package];
const FP: &[Level] = &[Level::File, Level::Package];
const FPJ: &[Level] = &[Level::File, Level::Package, Level::WireJson];
const ALL: &[Level] = &[Level::File, Level::Package, Level::WireJson, Level::Wire];
const J: &[Level] = &[Level::WireJson];
const JW: &[Level] = &[Level::WireJson, Level::Wire];
const W: &[Level] = &[Level::Wire];

const MOVED: &str =
    "source: code generated from this file no longer has it, or has it under another path";
const GONE: &str = "source: code that uses it no longer compiles, whichever file it was in";
const GENERATED: &str = "source: code generated from this file gets other names or another form, and what uses it no longer \
                         compiles";
const FREED: &str =
    "binary: the number can be given to something else, and old data would be read as that";
const FREED_NAME: &str =
    "JSON: the name can be given to something else, and old data would be read as that";
const CARDINALITY: &str =
    "binary: one side reads a part of what the other wrote, or fails for lack of a required field";
const STREAMING: &str =
    "calls: a client and a server of different revisions do not agree on how many messages follow";
const MESSAGE_OF_CALL: &str = "calls: one side reads the other's bytes as another message";

pub(super) const RULES: [Rule; 64] = [
    rule_at(F, "EXTENSION_NO_DELETE", MOVED),
    rule_at(F, "SERVICE_NO_DELETE", MOVED),
    rule_at(F, "ENUM_NO_DELETE", MOVED),
    rule_at(
        F,
        "FILE_NO_DELETE",
        "source: whoever imports the file, or the code generated from it, finds nothing",
    ),
    rule_at(F, "MESSAGE_NO_DELETE", MOVED),
    rule_at(
        FP,
        "ENUM_SAME_TYPE",
        "source and data: a closed enum puts unknown values aside, an open one keeps them in place",
    ),
    rule_at(
        FP,
        "FIELD_SAME_CARDINALITY",
        "source: generated code has another type for the field, such as `Option` or a list",
    ),
    rule_at(
        FP,
        "FIELD_SAME_CPP_STRING_TYPE",
        "source: generated C++ has another type for the field",
    ),
    rule_at(
        FP,
        "FIELD_SAME_JAVA_UTF8_VALIDATION",
        "Java: text that is no UTF-8 is refused on one side and passed on by the other",
    ),
    rule_at(
        FP,
        "FIELD_SAME_JSTYPE",
        "source: generated JavaScript has another type for the field",
    ),
    rule_at(
        FP,
        "FIELD_SAME_UTF8_VALIDATION",
        "data: text that is no UTF-8 is refused on one side and passed on by the other",
    ),
    rule_at(FP, "FILE_SAME_CC_ENABLE_ARENAS", GENERATED),
    rule_at(FP, "FILE_SAME_CC_GENERIC_SERVICES", GENERATED),
    rule_at(FP, "FILE_SAME_CSHARP_NAMESPACE", GENERATED),
    rule_at(FP, "FILE_SAME_GO_PACKAGE", GENERATED),
    rule_at(FP, "FILE_SAME_JAVA_GENERIC_SERVICES", GENERATED),
    rule_at(FP, "FILE_SAME_JAVA_MULTIPLE_FILES", GENERATED),
    rule_at(FP, "FILE_SAME_JAVA_OUTER_CLASSNAME", GENERATED),
    rule_at(FP, "FILE_SAME_JAVA_PACKAGE", GENERATED),
    rule_at(FP, "FILE_SAME_OBJC_CLASS_PREFIX", GENERATED),
    rule_at(FP, "FILE_SAME_OPTIMIZE_FOR", GENERATED),
    rule_at(FP, "FILE_SAME_PHP_CLASS_PREFIX", GENERATED),
    rule_at(FP, "FILE_SAME_PHP_METADATA_NAMESPACE", GENERATED),
    rule_at(FP, "FILE_SAME_PHP_NAMESPACE", GENERATED),
    rule_at(FP, "FILE_SAME_PY_GENERIC_SERVICES", GENERATED),
    rule_at(FP, "FILE_SAME_RUBY_PACKAGE", GENERATED),
    rule_at(FP, "FILE_SAME_SWIFT_PREFIX", GENERATED),
    rule_at(
        FP,
        "RPC_NO_DELETE",
        "calls: clients in use get `Unimplemented`; source: code that calls it no longer compiles",
    ),
    rule_at(
        FP,
        "ENUM_VALUE_NO_DELETE",
        "source: code that names the value no longer compiles",
    ),
    rule_at(
        FP,
        "EXTENSION_MESSAGE_NO_DELETE",
        "source: extensions of others that use these numbers no longer compile",
    ),
    rule_at(
        FP,
        "FIELD_NO_DELETE",
        "source: code that uses the field no longer compiles",
    ),
    rule_at(
        FP,
        "FIELD_SAME_TYPE",
        "source: generated code has another type for the field",
    ),
    rule_at(
        FP,
        "FILE_SAME_SYNTAX",
        "source: presence, enums and defaults of generated code follow the syntax",
    ),
    rule_at(
        FP,
        "MESSAGE_NO_REMOVE_STANDARD_DESCRIPTOR_ACCESSOR",
        "source: generated code loses its `descriptor()`",
    ),
    rule_at(
        FP,
        "ONEOF_NO_DELETE",
        "source: code that looks at which member is set no longer compiles",
    ),
    rule_at(
        FPJ,
        "ENUM_SAME_JSON_FORMAT",
        "JSON: what was promised to work in JSON is from now on only tried",
    ),
    rule_at(
        FPJ,
        "ENUM_VALUE_SAME_NAME",
        "JSON: a value is written by its name, and one side does not know the other's name",
    ),
    rule_at(
        FPJ,
        "FIELD_SAME_JSON_NAME",
        "JSON: one side ignores or refuses the name that the other writes",
    ),
    rule_at(
        FPJ,
        "FIELD_SAME_NAME",
        "source: code that uses the field no longer compiles; JSON: its name changes unless `json_name` keeps it",
    ),
    rule_at(
        FPJ,
        "MESSAGE_SAME_JSON_FORMAT",
        "JSON: what was promised to work in JSON is from now on only tried",
    ),
    rule_at(
        ALL,
        "FIELD_SAME_DEFAULT",
        "binary and JSON: a field that was not sent is read as another value on each side",
    ),
    rule_at(
        ALL,
        "FIELD_SAME_ONEOF",
        "binary and JSON: setting one field clears another on one side only, so values get lost",
    ),
    rule_at(
        ALL,
        "FILE_SAME_PACKAGE",
        "calls and `Any`: services and messages have the package in their names, so nobody finds them any more",
    ),
    rule_at(
        ALL,
        "MESSAGE_SAME_REQUIRED_FIELDS",
        "binary and JSON: a message without a required field cannot be read, and one side does not send it",
    ),
    rule_at(
        ALL,
        "RESERVED_ENUM_NO_DELETE",
        "binary and JSON: what was once used can be used again, and old data would be read as that",
    ),
    rule_at(
        ALL,
        "RESERVED_MESSAGE_NO_DELETE",
        "binary and JSON: what was once used can be used again, and old data would be read as that",
    ),
    rule_at(ALL, "RPC_SAME_CLIENT_STREAMING", STREAMING),
    rule_at(
        ALL,
        "RPC_SAME_IDEMPOTENCY_LEVEL",
        "calls: clients in use repeat or cache the call by what was promised",
    ),
    rule_at(ALL, "RPC_SAME_REQUEST_TYPE", MESSAGE_OF_CALL),
    rule_at(ALL, "RPC_SAME_RESPONSE_TYPE", MESSAGE_OF_CALL),
    rule_at(ALL, "RPC_SAME_SERVER_STREAMING", STREAMING),
    rule_at(P, "PACKAGE_ENUM_NO_DELETE", GONE),
    rule_at(P, "PACKAGE_EXTENSION_NO_DELETE", GONE),
    rule_at(P, "PACKAGE_MESSAGE_NO_DELETE", GONE),
    rule_at(P, "PACKAGE_NO_DELETE", GONE),
    rule_at(P, "PACKAGE_SERVICE_NO_DELETE", GONE),
    rule_at(J, "ENUM_VALUE_NO_DELETE_UNLESS_NAME_RESERVED", FREED_NAME),
    rule_at(J, "FIELD_NO_DELETE_UNLESS_NAME_RESERVED", FREED_NAME),
    rule_at(
        J,
        "FIELD_WIRE_JSON_COMPATIBLE_CARDINALITY",
        "binary and JSON: one side reads a part of what the other wrote, or refuses a list where it expects one value",
    ),
    rule_at(
        J,
        "FIELD_WIRE_JSON_COMPATIBLE_TYPE",
        "binary or JSON: one side cannot read what the other writes, or reads another value",
    ),
    rule_at(JW, "ENUM_VALUE_NO_DELETE_UNLESS_NUMBER_RESERVED", FREED),
    rule_at(JW, "FIELD_NO_DELETE_UNLESS_NUMBER_RESERVED", FREED),
    rule_at(W, "FIELD_WIRE_COMPATIBLE_CARDINALITY", CARDINALITY),
    rule_at(
        W,
        "FIELD_WIRE_COMPATIBLE_TYPE",
        "binary: one side cannot read what the other writes, or reads another value",
    ),
];
