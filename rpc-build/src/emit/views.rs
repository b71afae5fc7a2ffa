//! Views, which not every message has.

use buffa_descriptor::generated::descriptor::{DescriptorProto, FieldDescriptorProto};

use super::Settings;
use super::messages::with_views;
use super::plan::{Plan, TypeIndex};
use crate::diagnostic::Diagnostic;
use crate::elements::{below, is_map_entry, join, numbered};
use crate::load::DESCRIPTOR;
use crate::schema::{Files, Locations, Schema};
use crate::tag;

/// The files whose messages the runtime has without views: they would take as long to compile as all the rest of it.
const WITHOUT_VIEWS: [&str; 2] = [DESCRIPTOR, "google/protobuf/compiler/plugin.proto"];

/// Reports packages that are not generated, and fields of messages that have no views.
pub(crate) fn check_views(
    schema: &Schema,
    plan: &Plan,
    types: &TypeIndex<'_>,
    settings: &Settings,
    errors: &mut Vec<Diagnostic>,
) {
    let all = Files::of(schema);
    for package in settings.views.iter().filter(|it| !plan.contains_key(*it)) {
        let message =
            format!("views are asked for of the package `{package}`, which is not generated here");
        let generated: Vec<_> = plan.keys().map(|name| format!("`{name}`")).collect();
        let help = format!("what is generated is: {}", generated.join(", "));
        errors.push(Diagnostic::error(message).help(help));
    }
    for package in with_views(plan, settings) {
        let files = plan.get(&package).into_iter().flat_map(|it| &it.files);
        for file in files.filter_map(|name| all.file(name)) {
            let locations = schema.locations(file.name.as_deref().unwrap_or_default());
            let mut checker = Checker {
                types,
                locations: &locations,
                package: &package,
                errors: &mut *errors,
            };
            for (index, message) in numbered(&file.message_type) {
                let name = join(&package, message.name.as_deref());
                checker.message(message, &name, &[tag::file::MESSAGE, index]);
            }
        }
    }
}

struct Checker<'a> {
    types: &'a TypeIndex<'a>,
    locations: &'a Locations,
    package: &'a str,
    errors: &'a mut Vec<Diagnostic>,
}

impl Checker<'_> {
    fn message(&mut self, message: &DescriptorProto, name: &str, path: &[i32]) {
        for (index, field) in numbered(&message.field) {
            let Some(type_name) = self.without_view(field) else {
                continue;
            };
            let path = below(path, &[tag::message::FIELD, index, tag::field::TYPE_NAME]);
            let text = format!(
                "there is no view of `{}`",
                type_name.trim_start_matches('.')
            );
            let mistake = Diagnostic::error(text)
                .at(self.locations.span(&path), "")
                .within(join(name, field.name.as_deref()))
                .note(format!("views are asked for of the package `{}`", self.package))
                .help("take `views` out of the build script, or declare the field in a package without");
            self.errors.push(mistake);
        }
        for (index, nested) in numbered(&message.nested_type) {
            // The entry of a map is looked at with its field.
            if !is_map_entry(nested) {
                let name = join(name, nested.name.as_deref());
                self.message(nested, &name, &below(path, &[tag::message::NESTED, index]));
            }
        }
    }

    /// The message without a view that a field has, perhaps as the value of a map.
    fn without_view<'f>(&'f self, field: &'f FieldDescriptorProto) -> Option<&'f str> {
        let name = field.type_name.as_deref()?;
        let (file, message) = self.types.message_of(name)?;
        if is_map_entry(message) {
            return message
                .field
                .iter()
                .find_map(|part| self.without_view(part));
        }
        let is_without = WITHOUT_VIEWS.contains(&file.name.as_deref().unwrap_or_default());
        is_without.then_some(name)
    }
}
