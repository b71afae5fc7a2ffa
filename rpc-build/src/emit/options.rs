//! The options of a method: protobuf's own, and those of `rpc/v1/options.proto`.

use buffa::extension::codecs::{Bool, StringCodec};
use buffa::{Extension, ExtensionSet};
use buffa_descriptor::generated::descriptor::method_options::IdempotencyLevel;
use buffa_descriptor::generated::descriptor::{DescriptorProto, MethodDescriptorProto};

/// The field numbers of our options.
pub(crate) const TIMEOUT: i32 = 57101;
pub(crate) const SINCE: i32 = 57102;
pub(crate) const ERROR: i32 = 57103;
pub(crate) const ERROR_CODE: i32 = 57104;
pub(crate) const PRIORITY: i32 = 57105;
pub(crate) const ONCE: i32 = 57106;
pub(crate) const RESUMABLE: i32 = 57107;

/// What a method's options say, as it is written there.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) deprecated: bool,
    pub(crate) idempotency: Idempotency,
    pub(crate) timeout: Option<String>,
    pub(crate) since: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) priority: Option<String>,
    pub(crate) once: bool,
    pub(crate) resumable: bool,
}

/// What is said of a second call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Idempotency {
    #[default]
    Unknown,
    Idempotent,
    ReadOnly,
}

impl Options {
    pub(crate) fn of(method: &MethodDescriptorProto) -> Self {
        let Some(options) = method.options.as_option() else {
            return Self::default();
        };
        Self {
            deprecated: options.deprecated.unwrap_or_default(),
            idempotency: match options.idempotency_level {
                Some(IdempotencyLevel::NO_SIDE_EFFECTS) => Idempotency::ReadOnly,
                Some(IdempotencyLevel::IDEMPOTENT) => Idempotency::Idempotent,
                _ => Idempotency::Unknown,
            },
            timeout: text(options, TIMEOUT),
            since: text(options, SINCE),
            error: text(options, ERROR),
            priority: text(options, PRIORITY),
            once: flag(options, ONCE),
            resumable: flag(options, RESUMABLE),
        }
    }
}

/// The status code of an error message, as it is written.
pub(crate) fn error_code(message: &DescriptorProto) -> Option<String> {
    text(message.options.as_option()?, ERROR_CODE)
}

fn text<T: ExtensionSet>(options: &T, number: i32) -> Option<String> {
    let number = u32::try_from(number).ok()?;
    options.extension(&Extension::<StringCodec>::new(number, T::PROTO_FQN))
}

fn flag<T: ExtensionSet>(options: &T, number: i32) -> bool {
    let Ok(number) = u32::try_from(number) else {
        return false;
    };
    let value = options.extension(&Extension::<Bool>::new(number, T::PROTO_FQN));
    value.unwrap_or_default()
}

/// The priorities by their names in protobuf and in Rust.
pub(crate) fn rust_priority(name: &str) -> Option<&'static str> {
    let names = [("LOW", "Low"), ("NORMAL", "Normal"), ("HIGH", "High")];
    let found = names.iter().find(|(proto, _)| *proto == name);
    found.map(|(_, rust)| *rust)
}

/// Whether `#[rpc(timeout = "..")]` takes this.
pub(crate) fn is_timeout(text: &str) -> bool {
    let Some(unit_start) = text.find(|letter: char| !letter.is_ascii_digit()) else {
        return false;
    };
    let (number, unit) = text.split_at(unit_start);
    let factor = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return false,
    };
    let millis = number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(factor));
    millis.is_some_and(|millis| millis > 0)
}

/// Whether `#[rpc(since = "..")]` takes this.
pub(crate) fn is_version(text: &str) -> bool {
    let is_number =
        |part: &str| !part.is_empty() && part.chars().all(|letter| letter.is_ascii_digit());
    text.split('.').all(is_number)
}

/// The codes of gRPC by their names in protobuf and in Rust, without `OK`, which is no failure.
const CODES: [(&str, &str); 16] = [
    ("CANCELLED", "Cancelled"),
    ("UNKNOWN", "Unknown"),
    ("INVALID_ARGUMENT", "InvalidArgument"),
    ("DEADLINE_EXCEEDED", "DeadlineExceeded"),
    ("NOT_FOUND", "NotFound"),
    ("ALREADY_EXISTS", "AlreadyExists"),
    ("PERMISSION_DENIED", "PermissionDenied"),
    ("RESOURCE_EXHAUSTED", "ResourceExhausted"),
    ("FAILED_PRECONDITION", "FailedPrecondition"),
    ("ABORTED", "Aborted"),
    ("OUT_OF_RANGE", "OutOfRange"),
    ("UNIMPLEMENTED", "Unimplemented"),
    ("INTERNAL", "Internal"),
    ("UNAVAILABLE", "Unavailable"),
    ("DATA_LOSS", "DataLoss"),
    ("UNAUTHENTICATED", "Unauthenticated"),
];

/// The name of a code in Rust.
pub(crate) fn rust_code(name: &str) -> Option<&'static str> {
    let found = CODES.iter().find(|(proto, _)| *proto == name);
    found.map(|(_, rust)| *rust)
}

/// The names of all codes, for messages.
pub(crate) fn code_names() -> String {
    CODES.map(|(proto, _)| format!("`{proto}`")).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_and_versions_are_those_of_the_macro() {
        for good in ["500ms", "30s", "5m", "1h"] {
            assert!(is_timeout(good), "{good}");
        }
        for bad in [
            "",
            "5",
            "s",
            "0s",
            "1.5s",
            "-1s",
            "1 s",
            "1d",
            "18446744073709551615h",
        ] {
            assert!(!is_timeout(bad), "{bad}");
        }
        assert!(is_version("1") && is_version("1.2.3"));
        assert!(!is_version("") && !is_version("1.") && !is_version("v1"));
    }

    #[test]
    fn codes_have_a_name_in_rust() {
        assert_eq!(rust_code("NOT_FOUND"), Some("NotFound"));
        assert_eq!(rust_code("OK"), None);
    }
}
