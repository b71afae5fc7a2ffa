//! What is served, as a document of OpenRPC (<https://spec.open-rpc.org>, version 1.3).

#[cfg(feature = "protobuf")]
mod schemas;

use serde_json::{Map, Value, json};

use super::router::Router;
use crate::call::{MethodDescriptor, MethodKind, ServiceDescriptor};

/// The version of the specification.
const VERSION: &str = "1.3.2";

/// The method that returns the document (section "Service Discovery Method" of the specification).
const DISCOVER: &str = "rpc.discover";

/// What a document says of its server.
#[derive(Clone, Debug)]
pub(super) struct OpenRpc {
    pub(super) title: String,
    pub(super) version: String,
}

impl OpenRpc {
    /// Adds the method that returns the document of everything that the router serves.
    pub(super) fn add_to(&self, router: Router) -> Router {
        let document = self.document(&router);
        router.function(DISCOVER, move || {
            let document = document.clone();
            async move { document }
        })
    }

    fn document(&self, router: &Router) -> Value {
        let services = router.services();
        let mut types = Types::new(services);
        let functions = router.functions().into_iter();
        let mut methods: Vec<_> = functions.map(function).collect();
        for service in services {
            let described = service.methods().iter();
            // What uploads cannot be called by JSON-RPC.
            let callable = described.filter(|it| !it.kind().is_upload());
            methods.extend(callable.map(|it| method(service, it, &mut types)));
        }
        json!({
            "openrpc": VERSION,
            "info": {"title": self.title, "version": self.version},
            "methods": methods,
            "components": {"schemas": types.into_components()},
        })
    }
}

/// What a method takes and answers with.
struct Signature {
    params: Vec<Value>,
    structure: &'static str,
    result: Value,
}

impl Signature {
    /// What a trait says of a method: the names of its arguments, and no types.
    fn of_trait(method: &MethodDescriptor) -> Self {
        let params = method.args().iter();
        let params = params.map(|name| json!({"name": name, "schema": {}}));
        let structure = if method.is_bare() {
            "by-position"
        } else {
            "either"
        };
        Self {
            params: params.collect(),
            structure,
            result: json!({}),
        }
    }
}

/// Describes a function, whose arguments have no names.
fn function((name, args): (&str, &[&str])) -> Value {
    let params = args.iter();
    let params: Vec<_> = params.map(|it| json!({"name": it, "schema": {}})).collect();
    json!({
        "name": name,
        "params": params,
        "paramStructure": "by-position",
        "result": {"name": "result", "schema": {}},
    })
}

fn method(service: &ServiceDescriptor, method: &MethodDescriptor, types: &mut Types) -> Value {
    let signature = types.signature(service.name(), method.name());
    let signature = signature.unwrap_or_else(|| Signature::of_trait(method));
    let mut described = Map::new();
    let mut put = |name: &str, value: Value| described.insert(name.to_owned(), value);
    put(
        "name",
        format!("{}.{}", service.name(), method.name()).into(),
    );
    let text = method.documentation().trim();
    if !text.is_empty() {
        put("description", text.into());
    }
    if method.is_deprecated() {
        put("deprecated", true.into());
    }
    put("params", signature.params.into());
    put("paramStructure", signature.structure.into());
    if method.kind() == MethodKind::Unary {
        put(
            "result",
            json!({"name": "result", "schema": signature.result}),
        );
    } else {
        // OpenRPC has no word for what follows a subscription.
        put(
            "result",
            json!({"name": "subscription", "schema": {"type": "string"}}),
        );
        put("x-items", signature.result);
    }
    described.into()
}

#[cfg(feature = "protobuf")]
use schemas::Types;

/// Without schemas no types are known.
#[cfg(not(feature = "protobuf"))]
struct Types;

#[cfg(not(feature = "protobuf"))]
impl Types {
    fn new(_: &[&'static ServiceDescriptor]) -> Self {
        Self
    }

    fn signature(&mut self, _: &str, _: &str) -> Option<Signature> {
        None
    }

    fn into_components(self) -> Map<String, Value> {
        Map::new()
    }
}
