//! Replaces every name of a type in a file by its full name, as `protoc` does (`DescriptorBuilder::CrossLinkFile`).

use buffa_descriptor::generated::descriptor::field_descriptor_proto::Type;
use buffa_descriptor::generated::descriptor::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, MethodDescriptorProto,
    UninterpretedOption,
};

use super::symbols::{Kind, Lookup, View};
use crate::diagnostic::Diagnostic;
use crate::elements::{below, join};
use crate::schema::Locations;
use crate::tag;

/// Resolves the names in `file`, which `view` looks from.
pub(super) fn resolve(
    file: &mut FileDescriptorProto,
    view: &View<'_>,
    locations: &Locations,
) -> Vec<Diagnostic> {
    let mut resolver = Resolver {
        view,
        locations,
        mistakes: Vec::new(),
    };
    resolver.file(file);
    resolver.mistakes
}

struct Resolver<'a, 'v> {
    view: &'a View<'v>,
    locations: &'a Locations,
    mistakes: Vec<Diagnostic>,
}

/// Items with their index as a path counts it, to be changed.
fn numbered<T>(items: &mut [T]) -> impl Iterator<Item = (i32, &mut T)> {
    (0..).zip(items)
}

/// Resolves the names in the options of an element.
macro_rules! options {
    ($resolver:ident, $item:expr, $name:expr, $path:expr) => {
        if let Some(options) = $item.options.as_option_mut() {
            $resolver.options(&mut options.uninterpreted_option, $name, $path);
        }
    };
}

impl Resolver<'_, '_> {
    fn file(&mut self, file: &mut FileDescriptorProto) {
        let package = file.package.clone().unwrap_or_default();
        // The last part of the name that options are looked up from is left out, and a package has none to spare.
        options!(
            self,
            file,
            &join(&package, Some("dummy")),
            &[tag::file::OPTIONS]
        );
        for (index, message) in numbered(&mut file.message_type) {
            self.message(message, &package, &[tag::file::MESSAGE, index]);
        }
        for (index, item) in numbered(&mut file.enum_type) {
            self.enumeration(item, &package, &[tag::file::ENUM, index]);
        }
        for (index, field) in numbered(&mut file.extension) {
            self.field(field, &package, &[tag::file::EXTENSION, index]);
        }
        for (index, service) in numbered(&mut file.service) {
            let path = [tag::file::SERVICE, index];
            let name = join(&package, service.name.as_deref());
            options!(
                self,
                service,
                &name,
                &below(&path, &[tag::service::OPTIONS])
            );
            for (index, method) in numbered(&mut service.method) {
                self.method(method, &name, &below(&path, &[tag::service::METHOD, index]));
            }
        }
    }

    fn message(&mut self, message: &mut DescriptorProto, scope: &str, path: &[i32]) {
        let name = join(scope, message.name.as_deref());
        options!(self, message, &name, &below(path, &[tag::message::OPTIONS]));
        for (index, field) in numbered(&mut message.field) {
            self.field(field, &name, &below(path, &[tag::message::FIELD, index]));
        }
        for (index, oneof) in numbered(&mut message.oneof_decl) {
            let path = below(path, &[tag::message::ONEOF, index, tag::oneof::OPTIONS]);
            options!(self, oneof, &join(&name, oneof.name.as_deref()), &path);
        }
        for (index, range) in numbered(&mut message.extension_range) {
            let path = below(
                path,
                &[tag::message::EXTENSION_RANGE, index, tag::range::OPTIONS],
            );
            options!(self, range, &name, &path);
        }
        for (index, nested) in numbered(&mut message.nested_type) {
            self.message(nested, &name, &below(path, &[tag::message::NESTED, index]));
        }
        for (index, item) in numbered(&mut message.enum_type) {
            self.enumeration(item, &name, &below(path, &[tag::message::ENUM, index]));
        }
        for (index, field) in numbered(&mut message.extension) {
            self.field(
                field,
                &name,
                &below(path, &[tag::message::EXTENSION, index]),
            );
        }
    }

    fn enumeration(
        &mut self,
        item: &mut buffa_descriptor::generated::descriptor::EnumDescriptorProto,
        scope: &str,
        path: &[i32],
    ) {
        let name = join(scope, item.name.as_deref());
        options!(
            self,
            item,
            &name,
            &below(path, &[tag::enumeration::OPTIONS])
        );
        for (index, value) in numbered(&mut item.value) {
            let path = below(path, &[tag::enumeration::VALUE, index, tag::value::OPTIONS]);
            options!(self, value, &join(scope, value.name.as_deref()), &path);
        }
    }

    fn field(&mut self, field: &mut FieldDescriptorProto, scope: &str, path: &[i32]) {
        let from = join(scope, field.name.as_deref());
        options!(self, field, &from, &below(path, &[tag::field::OPTIONS]));
        if let Some(name) = &mut field.extendee {
            let path = below(path, &[tag::field::EXTENDEE]);
            self.name(name, &from, &path, Wanted::Message);
        }
        if let Some(name) = &mut field.type_name
            && let Some(kind) = self.name(
                name,
                &from,
                &below(path, &[tag::field::TYPE_NAME]),
                Wanted::Type,
            )
            && field.r#type != Some(Type::TYPE_GROUP)
        {
            field.r#type = Some(match kind {
                Kind::Enum => Type::TYPE_ENUM,
                _ => Type::TYPE_MESSAGE,
            });
        }
    }

    fn method(&mut self, method: &mut MethodDescriptorProto, scope: &str, path: &[i32]) {
        let from = join(scope, method.name.as_deref());
        options!(self, method, &from, &below(path, &[tag::method::OPTIONS]));
        if let Some(name) = &mut method.input_type {
            self.name(
                name,
                &from,
                &below(path, &[tag::method::INPUT]),
                Wanted::Message,
            );
        }
        if let Some(name) = &mut method.output_type {
            self.name(
                name,
                &from,
                &below(path, &[tag::method::OUTPUT]),
                Wanted::Message,
            );
        }
    }

    fn options(&mut self, options: &mut [UninterpretedOption], from: &str, path: &[i32]) {
        for (index, option) in numbered(options) {
            let path = below(path, &[tag::UNINTERPRETED, index]);
            if option
                .name
                .first()
                .is_some_and(|part| !part.is_extension && part.name_part == "uninterpreted_option")
            {
                let mistake = Diagnostic::error("`uninterpreted_option` cannot be set by hand");
                self.mistakes
                    .push(mistake.at(self.locations.span(&path), "").help("remove it"));
            }
            for part in &mut option.name {
                if part.is_extension {
                    self.name(&mut part.name_part, from, &path, Wanted::Option);
                }
            }
        }
    }

    /// Makes `name` a full name with a dot in front.
    fn name(
        &mut self,
        name: &mut String,
        from: &str,
        path: &[i32],
        wanted: Wanted,
    ) -> Option<Kind> {
        let lookup = self.view.find(name, from, wanted == Wanted::Type);
        if let Lookup::Found(full, kind) = &lookup
            && wanted.is_met_by(*kind)
        {
            *name = format!(".{full}");
            return Some(*kind);
        }
        let mistake = self.unresolved(name, &lookup, wanted);
        self.mistakes
            .push(mistake.at(self.locations.span(path), ""));
        None
    }

    fn unresolved(&self, name: &str, lookup: &Lookup, wanted: Wanted) -> Diagnostic {
        let what = wanted.words();
        match lookup {
            Lookup::Found(full, kind) => {
                Diagnostic::error(format!("`{name}` is {}, not {what}", kind.words()))
                    .note(format!("it is found as `{full}`"))
            }
            Lookup::NotImported { name: full, file } => Diagnostic::error(format!(
                "`{full}` is declared in `{file}`, which is not imported"
            ))
            .help(format!("add `import \"{file}\";`")),
            Lookup::Shadowed(full) if full != name => Diagnostic::error(format!(
                "`{name}` means `{full}` here, which does not exist"
            ))
            .note("names are looked up in the innermost scope first, by their first part")
            .help(format!("write `.{name}` to begin at the outermost scope")),
            Lookup::Unknown | Lookup::Shadowed(_) => {
                let mistake = match wanted {
                    Wanted::Option => Diagnostic::error(format!("there is no option `({name})`")),
                    _ => Diagnostic::error(format!("`{name}` is not defined")),
                };
                match self.view.similar(name, |kind| wanted.is_met_by(kind)) {
                    Some(similar) => mistake.help(format!("did you mean `{similar}`?")),
                    None => mistake.help(format!(
                        "declare {what} of this name, or import the file that does"
                    )),
                }
            }
        }
    }
}

/// What a name must stand for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Type,
    Message,
    Option,
}

impl Wanted {
    fn is_met_by(self, kind: Kind) -> bool {
        match self {
            Self::Type => kind.is_type(),
            Self::Message => kind == Kind::Message,
            Self::Option => kind == Kind::Extension,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Type => "a message or an enum",
            Self::Message => "a message",
            Self::Option => "an extension",
        }
    }
}
