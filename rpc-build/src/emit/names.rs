//! Names that Rust, or what writes messages, cannot take, and what they are called instead.
//!
//! protoc takes a message `type`, two messages whose names differ in capitals only, a field `_`. Such a name gets underscores
//! until it is free; nothing changes on the wire, in JSON or in descriptors.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use buffa_codegen::context::CodeGenContext;
use buffa_descriptor::generated::descriptor::field_descriptor_proto::Type;
use buffa_descriptor::generated::descriptor::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
};

use super::deprecated;
use super::docs::clean;
use super::numbers::Numbers;
use super::plan::{Plan, package_of};
use super::stand_in::{Name, StandIns};
use super::taken::{Modules, Taken, Types, camel_case, is_in_oneof, is_word, module_name};
use crate::diagnostic::Diagnostic;
use crate::schema::{Files, Schema};
use crate::tag;

/// Segments of packages that no module can have, escaped or not.
const NO_MODULES: [&str; 6] = ["_", "__buffa", "self", "Self", "super", "crate"];

/// Reports the packages whose modules would have names that Rust does not take.
pub(crate) fn check_packages(
    schema: &Schema,
    all: &Files<'_>,
    plan: &Plan,
    errors: &mut Vec<Diagnostic>,
) {
    let files = plan.values().flat_map(|package| &package.files);
    for file in files.filter_map(|file| all.file(file)) {
        let mut segments = package_of(file).split('.');
        let Some(segment) = segments.find(|segment| NO_MODULES.contains(segment)) else {
            continue;
        };
        let locations = schema.locations(file.name.as_deref().unwrap_or_default());
        let message =
            format!("no module of Rust, which a package becomes, can be called `{segment}`");
        let help = "give the package another name, or say with `external` in the build script where its types are";
        let place = locations.span(&[tag::file::PACKAGE]);
        errors.push(Diagnostic::error(message).at(place, "").help(help));
    }
}

/// A schema whose names can be written, and the way back to its own.
pub(crate) struct Named {
    pub(crate) schema: Schema,
    pub(crate) stand_ins: StandIns,
    pub(crate) numbers: Numbers,
    /// Full names of types that have changed, with a dot first, by those in the original.
    types: HashMap<String, String>,
    /// The stand-ins of values, by the full names of their enums.
    values: HashMap<String, String>,
}

impl Named {
    /// `with_views` are the packages that have views.
    pub(crate) fn new(schema: &Schema, plan: &Plan, with_views: &BTreeSet<String>) -> Self {
        let mut named = Self {
            schema: schema.clone(),
            stand_ins: StandIns::default(),
            numbers: Numbers::default(),
            types: HashMap::new(),
            values: HashMap::new(),
        };
        let mut files = std::mem::take(&mut named.schema.descriptors.file);
        let packages: BTreeSet<String> = files
            .iter()
            .map(|file| package_of(file).to_owned())
            .collect();
        let mut own: BTreeMap<&str, Vec<&mut FileDescriptorProto>> = BTreeMap::new();
        for file in &mut files {
            let planned = plan.get_key_value(package_of(file));
            let name = file.name.as_deref().unwrap_or_default();
            if let Some((package, _)) = planned.filter(|(_, it)| it.files.contains(name)) {
                own.entry(package).or_default().push(file);
            }
        }
        for (name, files) in own {
            let modules = Modules {
                packages: modules_below(name, &packages),
                has_views: with_views.contains(name),
            };
            named.package(name, modules, files);
        }
        if !named.types.is_empty() || !named.values.is_empty() {
            files.iter_mut().for_each(|file| named.references(file));
        }
        named.numbers = Numbers::take(&mut files);
        files.iter_mut().for_each(clean_comments);
        files.iter_mut().for_each(deprecated::mark);
        named.schema.descriptors.file = files;
        named
    }

    /// What a type of the original is called in this schema.
    fn type_name<'a>(&'a self, name: &'a str) -> &'a str {
        self.types.get(name).map_or(name, String::as_str)
    }

    fn package(&mut self, name: &str, modules: Modules, mut files: Vec<&mut FileDescriptorProto>) {
        let messages = files.iter().flat_map(|file| &file.message_type);
        let enums = files.iter().flat_map(|file| &file.enum_type);
        let mut types = Types::new(messages, enums, modules);
        let extensions = files.iter().flat_map(|file| &file.extension);
        let mut constants = Taken::new(extensions.map(constant));
        let scope = match name {
            "" => String::new(),
            name => format!(".{name}"),
        };
        for file in &mut files {
            self.types(
                &mut file.message_type,
                &mut file.enum_type,
                &mut types,
                [&scope, &scope],
            );
            self.extensions(&mut file.extension, &mut constants);
        }
    }

    /// The types of a scope, which has a name in the original and one in this schema.
    fn types(
        &mut self,
        messages: &mut [DescriptorProto],
        enums: &mut [EnumDescriptorProto],
        taken: &mut Types,
        scope: [&str; 2],
    ) {
        for message in messages {
            let proto = message.name.clone().unwrap_or_default();
            if let Some(name) = taken.message(message) {
                message.name = Some(self.stand_ins.of_type(name));
            }
            let [old, new] = self.renamed(scope, &proto, message.name.as_deref());
            self.oneofs(message);
            self.fields(message);
            let inside = Modules::default();
            let mut inside = Types::new(&message.nested_type, &message.enum_type, inside);
            let (nested, enums) = (&mut message.nested_type, &mut message.enum_type);
            self.types(nested, enums, &mut inside, [&old, &new]);
            let mut constants = Taken::new(message.extension.iter().map(constant));
            self.extensions(&mut message.extension, &mut constants);
        }
        for it in enums {
            let proto = it.name.clone().unwrap_or_default();
            if let Some(name) = taken.enumeration(&proto) {
                it.name = Some(self.stand_ins.of_type(name));
            }
            let [old, _] = self.renamed(scope, &proto, it.name.as_deref());
            self.values(it, old);
        }
    }

    fn renamed(&mut self, [old, new]: [&str; 2], proto: &str, name: Option<&str>) -> [String; 2] {
        let names = [
            format!("{old}.{proto}"),
            format!("{new}.{}", name.unwrap_or_default()),
        ];
        if names[0] != names[1] {
            self.types.insert(names[0].clone(), names[1].clone());
        }
        names
    }

    fn fields(&mut self, message: &mut DescriptorProto) {
        let mut taken = members(message);
        for field in message.field.iter_mut().filter(|it| !is_in_oneof(it)) {
            let proto = field.name.clone().unwrap_or_default();
            if proto == "_" || proto.starts_with("__buffa_") {
                let snake = taken.free(&proto);
                rename(field, self.stand_in(proto, snake.clone(), snake));
            }
        }
    }

    /// Oneofs are fields and enums, and the fields in them variants.
    fn oneofs(&mut self, message: &mut DescriptorProto) {
        let mut fields = members(message);
        let nested = message.nested_type.iter().filter_map(|it| it.name.clone());
        let types = nested.chain(message.enum_type.iter().filter_map(|it| it.name.clone()));
        let camel = message
            .oneof_decl
            .iter()
            .map(|it| camel_case(it.name.as_deref().unwrap_or_default()));
        let mut enums = Taken::new(camel.chain(types));
        let in_oneofs = message.field.iter().filter(|it| is_in_oneof(it));
        let with_fields: BTreeSet<i32> = in_oneofs.filter_map(|it| it.oneof_index).collect();
        for (oneof, index) in message.oneof_decl.iter_mut().zip(0..) {
            // Without fields it is the one of an `optional` field.
            if !with_fields.contains(&index) {
                continue;
            }
            let is_own = |field: &FieldDescriptorProto| {
                is_in_oneof(field) && field.oneof_index == Some(index)
            };
            let proto = oneof.name.clone().unwrap_or_default();
            let camel = camel_case(&proto);
            if !(is_variant(&camel) && enums.claim(&camel)) {
                let (camel, snake) = (
                    enums.free(&camel_or(&camel, &proto)),
                    fields.or_free(&proto),
                );
                oneof.name = Some(self.stand_in(proto, camel, snake));
            }
            let own = message.field.iter_mut().filter(|field| is_own(field));
            self.variants(own.collect(), &mut fields);
        }
    }

    fn variants(&mut self, fields: Vec<&mut FieldDescriptorProto>, members: &mut Taken) {
        let mut taken = Taken::new(
            fields
                .iter()
                .map(|field| camel_case(field.name.as_deref().unwrap_or_default())),
        );
        for field in fields {
            let proto = field.name.clone().unwrap_or_default();
            let camel = camel_case(&proto);
            // buffa writes `Self_`.
            if camel != "Self" && !(is_variant(&camel) && taken.claim(&camel)) {
                let (camel, snake) = (taken.free(&camel_or(&camel, &proto)), members.free(&proto));
                rename(field, self.stand_in(proto, camel, snake));
            }
        }
    }

    fn values(&mut self, it: &mut EnumDescriptorProto, full_name: String) {
        let mut taken = Taken::new(it.value.iter().filter_map(|value| value.name.clone()));
        for value in it
            .value
            .iter_mut()
            .filter(|it| it.name.as_deref() == Some("_"))
        {
            let (snake, camel) = (taken.free("_"), taken.free("_"));
            let stand_in = self.stand_in("_".to_owned(), camel, snake);
            self.values.insert(full_name.clone(), stand_in.clone());
            value.name = Some(stand_in);
        }
    }

    fn extensions(&mut self, extensions: &mut [FieldDescriptorProto], taken: &mut Taken) {
        for extension in extensions {
            let constant = constant(extension);
            if constant == "_" || !taken.claim(&constant) {
                let snake = taken.free(&constant).to_lowercase();
                let proto = extension.name.clone().unwrap_or_default();
                extension.name = Some(self.stand_in(proto, snake.clone(), snake));
            }
        }
    }

    fn stand_in(&mut self, proto: String, camel: String, snake: String) -> String {
        self.stand_ins.of_item(Name {
            proto,
            camel,
            snake,
        })
    }

    /// Lets a file name types as they are called now.
    fn references(&self, file: &mut FileDescriptorProto) {
        file.extension
            .iter_mut()
            .for_each(|field| self.reference(field));
        let mut waiting: Vec<&mut DescriptorProto> = file.message_type.iter_mut().collect();
        while let Some(message) = waiting.pop() {
            let fields = message.field.iter_mut().chain(&mut message.extension);
            fields.for_each(|field| self.reference(field));
            waiting.extend(&mut message.nested_type);
        }
    }

    fn reference(&self, field: &mut FieldDescriptorProto) {
        let value = field
            .type_name
            .as_ref()
            .and_then(|name| self.values.get(name));
        if field.r#type == Some(Type::TYPE_ENUM) && field.default_value.as_deref() == Some("_") {
            field.default_value = value.cloned().or(field.default_value.take());
        }
        for name in [&mut field.type_name, &mut field.extendee]
            .into_iter()
            .flatten()
        {
            if let Some(renamed) = self.types.get(name) {
                renamed.clone_into(name);
            }
        }
    }
}

fn clean_comments(file: &mut FileDescriptorProto) {
    let info = file.source_code_info.as_option_mut();
    for location in info.into_iter().flat_map(|info| &mut info.location) {
        let comments = [
            &mut location.leading_comments,
            &mut location.trailing_comments,
        ];
        for comment in comments.into_iter().flatten() {
            if let Cow::Owned(cleaned) = clean(comment) {
                *comment = cleaned;
            }
        }
    }
}

/// Where types are in Rust.
pub(crate) struct Paths<'a> {
    pub(crate) context: &'a CodeGenContext<'a>,
    pub(crate) named: &'a Named,
}

impl Paths<'_> {
    /// The path of a type of the original, from the module of a package or from one that is as much deeper as `depth` says.
    pub(crate) fn relative(&self, name: &str, package: &str, depth: usize) -> Option<String> {
        let name = self.named.type_name(name);
        let path = self.context.rust_type_relative(name, package, depth)?;
        Some(self.named.stand_ins.in_code(&path).into_owned())
    }
}

/// What follows a package in the names of those that are in it.
pub(crate) fn below<'a>(
    package: &str,
    packages: &'a BTreeSet<String>,
) -> impl Iterator<Item = &'a str> + use<'a> {
    let prefix = match package {
        "" => String::new(),
        package => format!("{package}."),
    };
    let from = packages.range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded));
    let below = from.map_while(move |other| other.strip_prefix(prefix.as_str()));
    below.filter(|rest| !rest.is_empty())
}

/// The modules that packages are in that of a package.
fn modules_below(package: &str, packages: &BTreeSet<String>) -> BTreeSet<String> {
    let modules = below(package, packages).filter_map(|rest| rest.split('.').next());
    modules.map(str::to_owned).collect()
}

/// The names of a message's fields, as they are in the schema and as they are written.
fn members(message: &DescriptorProto) -> Taken {
    let fields = message.field.iter().filter_map(|it| it.name.as_deref());
    let names = fields.chain(
        message
            .oneof_decl
            .iter()
            .filter_map(|it| it.name.as_deref()),
    );
    Taken::new(names.flat_map(|name| [name.to_owned(), module_name(name)]))
}

/// Gives a field a stand-in, also for what it is in JSON if that is its name: buffa writes a name once that is both.
fn rename(field: &mut FieldDescriptorProto, stand_in: String) {
    if field.json_name == field.name {
        field.json_name = Some(stand_in.clone());
    }
    field.name = Some(stand_in);
}

fn constant(extension: &FieldDescriptorProto) -> String {
    module_name(extension.name.as_deref().unwrap_or_default()).to_uppercase()
}

fn is_variant(camel: &str) -> bool {
    camel.starts_with(|first: char| first.is_ascii_alphabetic()) && is_word(camel)
}

/// A name that underscores make one of a type.
fn camel_or(camel: &str, proto: &str) -> String {
    let is_begun = camel.starts_with(|first: char| first.is_ascii_alphabetic());
    if is_begun { camel } else { proto }.to_owned()
}
