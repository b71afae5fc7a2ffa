//! The comments of a file by the places they belong to.

use std::collections::HashMap;

use buffa_descriptor::generated::descriptor::FileDescriptorProto;

use super::docs::clean;

/// The comments of one file.
pub(crate) struct Comments(HashMap<Vec<i32>, String>);

impl Comments {
    pub(crate) fn new(file: &FileDescriptorProto) -> Self {
        let mut comments = HashMap::new();
        if let Some(info) = file.source_code_info.as_option() {
            for location in &info.location {
                let text = [&location.leading_comments, &location.trailing_comments];
                let text = text
                    .into_iter()
                    .flatten()
                    .find(|text| !text.trim().is_empty());
                if let Some(text) = text {
                    comments
                        .entry(location.path.clone())
                        .or_insert_with(|| clean(text).into_owned());
                }
            }
        }
        Self(comments)
    }

    /// The comment above an element, or behind it; empty where there is none.
    pub(crate) fn text(&self, path: &[i32]) -> String {
        self.0.get(path).cloned().unwrap_or_default()
    }
}
