//! The messages of schemas as JSON schemas, in the canonical JSON of Protobuf
//! (<https://protobuf.dev/programming-guides/json>).

use std::collections::{BTreeMap, HashMap};

use buffa::Message as _;
use buffa_descriptor::generated::descriptor::field_descriptor_proto::{Label, Type};
use buffa_descriptor::generated::descriptor::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet,
};
use serde_json::{Map, Value, json};

use super::Signature;
use crate::call::ServiceDescriptor;

/// What the messages of `google.protobuf` are that have a form of their own.
fn well_known(name: &str) -> Option<Value> {
    let wrapped = |of: Value| json!({"anyOf": [of, {"type": "null"}]});
    Some(match name.strip_prefix("google.protobuf.")? {
        "Timestamp" => json!({"type": "string", "format": "date-time"}),
        "Duration" => json!({"type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?s$"}),
        "FieldMask" => json!({"type": "string"}),
        "Empty" | "Struct" | "Any" => json!({"type": "object"}),
        "ListValue" => json!({"type": "array"}),
        "Value" => json!({}),
        "NullValue" => json!({"type": "null"}),
        "DoubleValue" | "FloatValue" => wrapped(number()),
        "Int64Value" | "UInt64Value" => wrapped(long()),
        "Int32Value" | "UInt32Value" => wrapped(json!({"type": "integer"})),
        "BoolValue" => wrapped(json!({"type": "boolean"})),
        "StringValue" => wrapped(json!({"type": "string"})),
        "BytesValue" => wrapped(bytes()),
        _ => return None,
    })
}

/// `NaN` and the infinities are text.
fn number() -> Value {
    json!({"type": ["number", "string"]})
}

/// 64 bits are written as text, and read as either.
fn long() -> Value {
    json!({"type": ["string", "integer"]})
}

fn bytes() -> Value {
    json!({"type": "string", "contentEncoding": "base64"})
}

/// What schemas declare, by full names, and what of it a document has used.
pub(super) struct Types {
    messages: HashMap<String, DescriptorProto>,
    enums: HashMap<String, EnumDescriptorProto>,
    /// The messages that methods take and answer with, by service and method.
    methods: HashMap<(String, String), (String, String)>,
    used: BTreeMap<String, Value>,
}

impl Types {
    pub(super) fn new(services: &[&'static ServiceDescriptor]) -> Self {
        let mut types = Self {
            messages: HashMap::new(),
            enums: HashMap::new(),
            methods: HashMap::new(),
            used: BTreeMap::new(),
        };
        for set in services.iter().filter_map(|it| it.descriptors()) {
            // The set of a generated service is what `rpc-build` has written.
            let Ok(set) = FileDescriptorSet::decode_from_slice(set) else {
                continue;
            };
            for file in &set.file {
                let package = file.package.as_deref().unwrap_or_default();
                types.add_all(package, &file.message_type, &file.enum_type);
                for service in &file.service {
                    let service_name = joined(package, service.name.as_deref());
                    for method in &service.method {
                        let name = method.name.clone().unwrap_or_default();
                        let messages = (full(&method.input_type), full(&method.output_type));
                        let method = (service_name.clone(), name);
                        types.methods.insert(method, messages);
                    }
                }
            }
        }
        types
    }

    fn add_all(
        &mut self,
        scope: &str,
        messages: &[DescriptorProto],
        enums: &[EnumDescriptorProto],
    ) {
        for declared in enums {
            let name = joined(scope, declared.name.as_deref());
            self.enums.insert(name, declared.clone());
        }
        for message in messages {
            let name = joined(scope, message.name.as_deref());
            self.add_all(&name, &message.nested_type, &message.enum_type);
            self.messages.insert(name, message.clone());
        }
    }

    /// Returns what a method takes and answers with, if a schema says it.
    pub(super) fn signature(&mut self, service: &str, method: &str) -> Option<Signature> {
        let method = (service.to_owned(), method.to_owned());
        let (input, output) = self.methods.get(&method).cloned()?;
        let result = self.of_type(&output);
        // The fields of the one message are parameters by their names; a message that has a form of
        // its own is the one by position.
        let message = self.messages.get(&input).cloned();
        let (structure, params) = match message.filter(|_| well_known(&input).is_none()) {
            Some(message) => {
                let fields = message.field.iter();
                let params =
                    fields.map(|it| json!({"name": json_name(it), "schema": self.of_field(it)}));
                ("by-name", params.collect())
            }
            None => {
                let schema = self.of_type(&input);
                (
                    "by-position",
                    vec![json!({"name": "message", "schema": schema})],
                )
            }
        };
        Some(Signature {
            params,
            structure,
            result,
        })
    }

    pub(super) fn into_components(self) -> Map<String, Value> {
        self.used.into_iter().collect()
    }

    /// Returns the schema of a message or an enum: a reference, unless it has a form of its own.
    fn of_type(&mut self, name: &str) -> Value {
        if let Some(schema) = well_known(name) {
            return schema;
        }
        if !self.used.contains_key(name) {
            // There already when it contains itself.
            self.used.insert(name.to_owned(), json!({}));
            let schema = self.of_declared(name);
            self.used.insert(name.to_owned(), schema);
        }
        json!({"$ref": format!("#/components/schemas/{name}")})
    }

    fn of_declared(&mut self, name: &str) -> Value {
        if let Some(declared) = self.enums.get(name) {
            let names = declared.value.iter().filter_map(|it| it.name.as_deref());
            let names: Vec<_> = names.collect();
            // Numbers that have no name are numbers.
            return json!({"anyOf": [{"enum": names}, {"type": "integer"}]});
        }
        let fields = self.messages.get(name).map(|it| it.field.clone());
        let fields = fields.unwrap_or_default();
        let properties = fields.iter().map(|it| (json_name(it), self.of_field(it)));
        let properties: Map<String, Value> = properties.collect();
        json!({"type": "object", "properties": properties})
    }

    fn of_field(&mut self, field: &FieldDescriptorProto) -> Value {
        let name = full(&field.type_name);
        let entry = self.messages.get(&name);
        let entry = entry.filter(|it| {
            it.options
                .as_option()
                .is_some_and(|it| it.map_entry == Some(true))
        });
        if let Some([_, value]) = entry.map(|it| it.field.clone()).as_deref() {
            return json!({"type": "object", "additionalProperties": self.of_value(value)});
        }
        let schema = self.of_value(field);
        match field.label {
            Some(Label::LABEL_REPEATED) => json!({"type": "array", "items": schema}),
            _ => schema,
        }
    }

    fn of_value(&mut self, field: &FieldDescriptorProto) -> Value {
        match field.r#type.unwrap_or(Type::TYPE_MESSAGE) {
            Type::TYPE_DOUBLE | Type::TYPE_FLOAT => number(),
            Type::TYPE_INT64
            | Type::TYPE_UINT64
            | Type::TYPE_SINT64
            | Type::TYPE_FIXED64
            | Type::TYPE_SFIXED64 => long(),
            Type::TYPE_INT32
            | Type::TYPE_UINT32
            | Type::TYPE_SINT32
            | Type::TYPE_FIXED32
            | Type::TYPE_SFIXED32 => json!({"type": "integer"}),
            Type::TYPE_BOOL => json!({"type": "boolean"}),
            Type::TYPE_STRING => json!({"type": "string"}),
            Type::TYPE_BYTES => bytes(),
            Type::TYPE_ENUM | Type::TYPE_MESSAGE | Type::TYPE_GROUP => {
                self.of_type(&full(&field.type_name))
            }
        }
    }
}

/// Returns the name of a field in JSON.
fn json_name(field: &FieldDescriptorProto) -> String {
    let names = field.json_name.as_ref().or(field.name.as_ref());
    names.cloned().unwrap_or_default()
}

/// Returns a full name without the dot that descriptors write before it.
fn full(name: &Option<String>) -> String {
    let name = name.as_deref().unwrap_or_default();
    name.trim_start_matches('.').to_owned()
}

fn joined(scope: &str, name: Option<&str>) -> String {
    match (scope, name.unwrap_or_default()) {
        ("", name) => name.to_owned(),
        (scope, name) => format!("{scope}.{name}"),
    }
}
