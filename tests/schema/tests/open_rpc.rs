//! What a document of OpenRPC says of schemas, checked by the meta schema of its makers.

#![allow(deprecated, reason = "a deprecated message is described as well")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use rpc_runtime::protobuf::well_known::{Empty, Timestamp};
use rpc_runtime::{Channel, Server, Status};
use rpc_schema_tests::schema::kinds::v1::kinds::Nested;
use rpc_schema_tests::schema::kinds::v1::{Echo, EchoServer, Kinds, Old};
use rpc_schema_tests::schema::shared::v1::Page;
use rpc_schema_tests::users::UsersServer;
use serde_json::{Value, json};

use crate::patterns::Names;

struct Same;

impl Echo for Same {
    async fn echo(&self, request: Kinds) -> Result<Kinds, Status> {
        Ok(request)
    }

    async fn now(&self, _: Empty) -> Result<Timestamp, Status> {
        Ok(Timestamp::default())
    }

    async fn nested(&self, _: Nested) -> Result<Page, Status> {
        Ok(Page::default())
    }

    async fn deprecated(&self, request: Old) -> Result<Old, Status> {
        Ok(request)
    }
}

async fn document() -> Value {
    let bound = Server::new()
        .add(EchoServer::new(Same))
        .add(UsersServer::new(Names(Vec::new())))
        .function("hello", |name: String| async move { name })
        .open_rpc("kinds", "1.2.3")
        .listen("mem:open-rpc")
        .bind()
        .await
        .expect("the name is free");
    let url = bound.url().to_owned();
    tokio::spawn(bound.serve());
    let channel = Channel::connect(url).await.expect("it is served");
    let document = channel.call("rpc.discover", ()).await;
    document.expect("it is added")
}

fn check(document: &Value) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../node/openrpc.js");
    let mut child = Command::new("node")
        .arg(script)
        .stdin(Stdio::piped())
        .spawn()
        .expect("node is there (bash tests/setup.sh installs it)");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(document.to_string().as_bytes()).unwrap();
    drop(stdin);
    assert!(child.wait().unwrap().success(), "it is refused, see above");
}

#[tokio::test]
async fn schemas_are_described_with_all_their_types() {
    let document = document().await;
    check(&document);
    let methods = document["methods"].as_array().unwrap();
    let method = |name: &str| {
        let found = methods.iter().find(|it| it["name"] == name);
        found.unwrap_or_else(|| panic!("{name} is described"))
    };
    let echo = method("kinds.v1.Echo.Echo");
    let parameter = |name: &str| {
        let mut parameters = echo["params"].as_array().unwrap().iter();
        let found = parameters.find(|it| it["name"] == name);
        found.unwrap_or_else(|| panic!("{name} is described"))["schema"].clone()
    };
    let nested = json!({"$ref": "#/components/schemas/kinds.v1.Kinds.Nested"});
    assert_eq!(parameter("anInt32"), json!({"type": "integer"}));
    assert_eq!(parameter("anInt64"), json!({"type": ["string", "integer"]}));
    assert_eq!(parameter("packed")["type"], "array");
    assert_eq!(parameter("many")["items"], nested);
    assert_eq!(parameter("byName")["additionalProperties"], nested);
    assert_eq!(parameter("camelCase"), json!({"type": "string"}));
    let schemas = &document["components"]["schemas"];
    let parent = &schemas["kinds.v1.Kinds.Nested"]["properties"]["parent"];
    assert_eq!(parent["$ref"], "#/components/schemas/kinds.v1.Kinds");
    let level = schemas["kinds.v1.Kinds.Nested.Level"].to_string();
    assert!(level.contains("LEVEL_HIGH"), "{level}");
    // A message with a form of its own is the one parameter, and the result as it is.
    let now = method("kinds.v1.Echo.Now");
    assert_eq!(now["paramStructure"], "by-position");
    assert_eq!(now["result"]["schema"]["format"], "date-time");
    assert_eq!(method("kinds.v1.Echo.Deprecated")["deprecated"], true);
    let list = method("users.v1.Users.ListUsers");
    assert_eq!(
        list["x-items"]["$ref"],
        "#/components/schemas/users.v1.User"
    );
    assert_eq!(method("hello")["params"].as_array().unwrap().len(), 1);
}
