//! Files that come with this crate and can always be imported.

use std::sync::Arc;

use crate::source::SourceFile;

macro_rules! embedded {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../proto/", $name)))),*]
    };
}

/// Import name and text. Google's are those of protobuf 35.1.
const EMBEDDED: &[(&str, &str)] = embedded![
    "google/protobuf/any.proto",
    "google/protobuf/api.proto",
    "google/protobuf/compiler/plugin.proto",
    "google/protobuf/cpp_features.proto",
    "google/protobuf/descriptor.proto",
    "google/protobuf/duration.proto",
    "google/protobuf/empty.proto",
    "google/protobuf/field_mask.proto",
    "google/protobuf/go_features.proto",
    "google/protobuf/java_features.proto",
    "google/protobuf/source_context.proto",
    "google/protobuf/struct.proto",
    "google/protobuf/timestamp.proto",
    "google/protobuf/type.proto",
    "google/protobuf/wrappers.proto",
    "rpc/v1/options.proto",
];

/// The options of every element are declared here, also for files that do not import it.
pub(crate) const DESCRIPTOR: &str = "google/protobuf/descriptor.proto";

/// The file with this import name. These come before what lies on disk: all files of a build then agree on one
/// `descriptor.proto`, however old or new the copies are that packages carry along.
pub(super) fn file(name: &str) -> Option<SourceFile> {
    let (name, text) = EMBEDDED.iter().find(|(embedded, _)| *embedded == name)?;
    Some(SourceFile::new(name, None, Some(Arc::from(*text))))
}

/// Whether a file comes with this crate.
pub(crate) fn is_embedded(name: &str) -> bool {
    EMBEDDED.iter().any(|(embedded, _)| *embedded == name)
}
