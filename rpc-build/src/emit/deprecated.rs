//! What of a schema gets `#[deprecated]`.

use buffa_descriptor::generated::descriptor::source_code_info::Location;
use buffa_descriptor::generated::descriptor::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
};

use super::plan::package_of;
use super::taken::is_in_oneof;
use crate::elements::{below, numbered};
use crate::tag;

/// A line of comments, for values of enums: buffa takes attributes for everything else.
const MARK: &str = "RpcDeprecatedMark";

/// What gets the attribute, as buffa takes it: names with a dot first, and the attribute.
#[derive(Default)]
pub(crate) struct Deprecated {
    pub(crate) messages: Vec<(String, String)>,
    pub(crate) enums: Vec<(String, String)>,
    pub(crate) fields: Vec<(String, String)>,
}

impl Deprecated {
    pub(crate) fn file(&mut self, file: &FileDescriptorProto) {
        let scope = match package_of(file) {
            "" => String::new(),
            package => format!(".{package}"),
        };
        for message in &file.message_type {
            self.message(message, &scope, false);
        }
        self.enums(&scope, &file.enum_type);
    }

    fn message(&mut self, message: &DescriptorProto, scope: &str, is_inside: bool) {
        let scope = format!("{scope}.{}", message.name.as_deref().unwrap_or_default());
        let options = message.options.as_option();
        let is_deprecated = options.and_then(|it| it.deprecated).unwrap_or_default();
        if is_deprecated && !is_inside {
            // The name stands for all messages inside as well.
            self.messages.push(attribute(scope.clone()));
        }
        for field in &message.field {
            let options = field.options.as_option();
            if options.and_then(|it| it.deprecated).unwrap_or_default() {
                let name = field.name.as_deref().unwrap_or_default();
                let path = match oneof_of(message, field) {
                    Some(oneof) => format!("{scope}.{oneof}.{name}"),
                    None => format!("{scope}.{name}"),
                };
                self.fields.push(attribute(path));
            }
        }
        for nested in &message.nested_type {
            self.message(nested, &scope, is_inside || is_deprecated);
        }
        self.enums(&scope, &message.enum_type);
    }

    fn enums(&mut self, scope: &str, enums: &[EnumDescriptorProto]) {
        for it in enums {
            let options = it.options.as_option();
            if options.and_then(|it| it.deprecated).unwrap_or_default() {
                let name = it.name.as_deref().unwrap_or_default();
                self.enums.push(attribute(format!("{scope}.{name}")));
            }
        }
    }
}

/// The name of the oneof that a field is a variant of.
fn oneof_of<'a>(message: &'a DescriptorProto, field: &FieldDescriptorProto) -> Option<&'a str> {
    let index = field.oneof_index.filter(|_| is_in_oneof(field))?;
    let oneof = message.oneof_decl.get(usize::try_from(index).ok()?)?;
    oneof.name.as_deref()
}

fn attribute(name: String) -> (String, String) {
    (name, "#[deprecated]".to_owned())
}

/// Puts a mark into the comments of deprecated values, for [`unmark`].
pub(crate) fn mark(file: &mut FileDescriptorProto) {
    let mut paths = Vec::new();
    for (index, it) in numbered(&file.enum_type) {
        values(it, &[tag::file::ENUM, index], &mut paths);
    }
    for (index, message) in numbered(&file.message_type) {
        nested_values(message, &[tag::file::MESSAGE, index], &mut paths);
    }
    if paths.is_empty() {
        return;
    }
    let info = file.source_code_info.get_or_insert_default();
    for path in paths {
        let known = info.location.iter_mut().find(|it| it.path == path);
        if let Some(location) = known {
            let is_above = location.leading_comments.is_some();
            let comment = match is_above || location.trailing_comments.is_none() {
                true => location.leading_comments.get_or_insert_default(),
                false => location.trailing_comments.get_or_insert_default(),
            };
            comment.insert_str(0, &format!("{MARK}\n"));
        } else {
            info.location.push(Location {
                path,
                leading_comments: Some(MARK.to_owned()),
                ..Location::default()
            });
        }
    }
}

fn nested_values(message: &DescriptorProto, path: &[i32], paths: &mut Vec<Vec<i32>>) {
    for (index, it) in numbered(&message.enum_type) {
        values(it, &below(path, &[tag::message::ENUM, index]), paths);
    }
    for (index, nested) in numbered(&message.nested_type) {
        nested_values(nested, &below(path, &[tag::message::NESTED, index]), paths);
    }
}

fn values(it: &EnumDescriptorProto, path: &[i32], paths: &mut Vec<Vec<i32>>) {
    for (index, value) in numbered(&it.value) {
        let options = value.options.as_option();
        if options.and_then(|it| it.deprecated).unwrap_or_default() {
            paths.push(below(path, &[tag::enumeration::VALUE, index]));
        }
    }
}

/// Makes attributes of the marks in a printed file, for the values and for the names that they have as constants.
pub(crate) fn unmark(text: &str) -> String {
    let mut unmarked = String::with_capacity(text.len());
    // The enum that was printed last, and its deprecated values.
    let (mut enumeration, mut values) = (String::new(), Vec::new());
    let mut is_marked = false;
    for line in text.split_inclusive('\n') {
        let code = line.trim();
        let attribute = || {
            [
                &line[..line.len() - line.trim_start().len()],
                "#[deprecated]\n",
            ]
        };
        if code.strip_prefix("/// ") == Some(MARK) {
            is_marked = true;
            unmarked.extend(attribute());
            continue;
        }
        if let Some(name) = code.strip_prefix("pub enum ") {
            enumeration = plain(name.trim_end_matches(" {"));
            values.clear();
        } else if let Some((name, _)) = constant(code) {
            let name = plain(name);
            let is_deprecated = |it: &String| {
                *it == name || it.strip_prefix(enumeration.as_str()) == Some(name.as_str())
            };
            if is_marked {
                values.push(name);
            } else if values.iter().any(is_deprecated) {
                unmarked.extend(attribute());
            }
            is_marked = false;
        } else if is_marked && !code.starts_with(['/', '#']) {
            values.push(plain(code.split(' ').next().unwrap_or_default()));
            is_marked = false;
        }
        unmarked.push_str(line);
    }
    unmarked
}

/// The name of a constant that is a value, and the value.
fn constant(code: &str) -> Option<(&str, &str)> {
    code.strip_prefix("pub const ")?
        .split_once(": Self = Self::")
}

/// A name in the form that all its spellings have: `OLD_KIND` is `OldKind` too.
fn plain(name: &str) -> String {
    name.replace('_', "").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deprecated_value_is_so_under_all_its_names() {
        let text = "\
pub enum Kind {
    /// Stays.
    KIND_NEW_OLD = 0i32,
    /// RpcDeprecatedMark
    /// Went.
    KIND_OLD = 1i32,
}
impl Kind {
    pub const KIND_SAME: Self = Self::KIND_OLD;
    /// RpcDeprecatedMark
    #[allow(non_upper_case_globals)]
    pub const KIND_GONE: Self = Self::KIND_NEW_OLD;
    pub const NewOld: Self = Self::KIND_NEW_OLD;
    pub const Old: Self = Self::KIND_OLD;
    pub const Gone: Self = Self::KIND_NEW_OLD;
    pub const Same: Self = Self::KIND_OLD;
}
pub enum Other {
    KIND_OLD = 1i32,
}
impl Other {
    pub const Old: Self = Self::KIND_OLD;
}
";
        let expected = text
            .replace("/// RpcDeprecatedMark", "#[deprecated]")
            .replacen(
                "    pub const Old",
                "    #[deprecated]\n    pub const Old",
                1,
            )
            .replace(
                "    pub const Gone",
                "    #[deprecated]\n    pub const Gone",
            );
        assert_eq!(unmark(text), expected);
    }
}
