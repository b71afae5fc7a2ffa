//! Recursive types, generic ones, owned ones with a lifetime, and defaults for missing fields.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rpc_runtime::rpc_service;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Tree<T> {
    Leaf(T),
    Node(Vec<Tree<T>>),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Settings {
    name: Cow<'static, str>,
    #[serde(default)]
    depth: Option<u8>,
}

#[rpc_service]
trait Forest {
    async fn grow(&self, tree: Tree<u8>) -> Tree<u8>;
    async fn settings(&self, by_name: BTreeMap<String, Settings>) -> Box<[Settings]>;
    #[rpc(blocking)]
    fn nothing(&self, nothing: ()) -> ();
}

struct Wood;

impl Forest for Wood {
    async fn grow(&self, tree: Tree<u8>) -> Tree<u8> {
        Tree::Node(vec![tree])
    }

    async fn settings(&self, by_name: BTreeMap<String, Settings>) -> Box<[Settings]> {
        by_name.into_values().collect()
    }

    fn nothing(&self, (): ()) {}
}

#[tokio::test]
async fn works() {
    let client = ForestClient::new(ForestServer::new(Wood));
    let tree = Tree::Leaf(1);
    assert_eq!(
        client.grow(tree.clone()).await.unwrap(),
        Tree::Node(vec![tree])
    );
    let name = Cow::Borrowed("oak");
    let settings = Settings { name, depth: None };
    let by_name = BTreeMap::from([("oak".to_owned(), settings)]);
    assert_eq!(client.settings(by_name).await.unwrap()[0].name, "oak");
    client.nothing(()).await.unwrap();
}
