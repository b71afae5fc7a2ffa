//! A schema and the trait that a person would write are one service: the macro sees the same tokens, so that it expands to
//! the same code, and either's client talks to the other's server.

use std::fs;
use std::path::Path;

use futures_util::{Stream, StreamExt as _, stream};
use proc_macro2::{TokenStream, TokenTree};
use rpc_runtime::{RpcClient, Server, Status, Streaming};
use rpc_schema_tests::schema::users::v1::{
    ChatMessage, CreateUserRequest, CreateUsersResponse, GetUserRequest, ListUsersRequest, User,
};
use rpc_schema_tests::{schema, twins};

/// The trait that follows the first `rpc_service` in a text, with the attribute, docs and all.
fn trait_tokens(text: &str) -> String {
    let tokens: TokenStream = text.parse().expect("the text is Rust");
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let uses = tokens.iter().rposition(|token| token.to_string() == ";");
    let tokens = tokens.into_iter().skip(uses.map_or(0, |at| at + 1));
    // A person has no descriptors to name.
    let descriptors = " , descriptors = super :: FILE_DESCRIPTOR_SET";
    // A comma behind the last argument is where a line was too long.
    let text = tokens.collect::<TokenStream>().to_string();
    text.replace(descriptors, "")
        .replace(" )", ")")
        .replace(" ,)", ")")
        .replace(",)", ")")
}

/// The body of `pub mod name { .. }` in the twins.
fn twin(name: &str) -> String {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/twins.rs"))
        .expect("the file is there");
    let tokens: TokenStream = text.parse().expect("the text is Rust");
    let mut tokens = tokens
        .into_iter()
        .skip_while(|token| token.to_string() != name);
    let group = tokens.find_map(|token| match token {
        TokenTree::Group(group) => Some(group.stream().to_string()),
        _ => None,
    });
    group.expect("a module has a body")
}

#[test]
fn the_traits_are_the_same_tokens() {
    for (name, generated) in [
        (
            "users",
            include_str!(concat!(env!("SCHEMA_OUT"), "/users.v1/services.rs")),
        ),
        (
            "store",
            include_str!(concat!(env!("SCHEMA_OUT"), "/store.v1/services.rs")),
        ),
        (
            "echo",
            include_str!(concat!(env!("SCHEMA_OUT"), "/kinds.v1/services.rs")),
        ),
    ] {
        let twin = trait_tokens(&twin(name));
        assert!(twin.contains("rpc_service"), "{twin}");
        assert_eq!(trait_tokens(generated), twin, "{name}");
    }
}

#[test]
fn the_services_describe_themselves_alike() {
    fn same<A: RpcClient, B: RpcClient>() {
        assert_eq!(format!("{:?}", A::SERVICE), format!("{:?}", B::SERVICE));
    }
    same::<schema::users::v1::UsersClient, twins::users::UsersClient>();
    same::<schema::store::v1::StoreClient, twins::store::StoreClient>();
    same::<schema::kinds::v1::EchoClient, twins::echo::EchoClient>();
}

struct Fixed;

macro_rules! implement {
    ($($service:path),*) => {$(
        impl $service for Fixed {
            async fn get_user(&self, request: GetUserRequest) -> Result<User, Status> {
                Ok(User { id: request.id, name: "Ada".to_owned(), ..User::default() })
            }

            async fn create_user(&self, request: CreateUserRequest) -> Result<User, Status> {
                Err(Status::already_exists(request.name))
            }

            fn list_users(&self, _: ListUsersRequest) -> impl Stream<Item = Result<User, Status>> {
                stream::iter([Ok(User { id: 1, ..User::default() }), Err(Status::aborted("no more"))])
            }

            async fn create_users(&self, mut requests: Streaming<CreateUserRequest>) -> Result<CreateUsersResponse, Status> {
                let mut response = CreateUsersResponse::default();
                while let Some(request) = requests.next().await {
                    response.ids.push(request?.name.len() as i64);
                }
                Ok(response)
            }

            fn chat(&self, requests: Streaming<ChatMessage>) -> impl Stream<Item = Result<ChatMessage, Status>> {
                requests.map(|message| Ok(ChatMessage { text: message?.text.to_uppercase(), ..ChatMessage::default() }))
            }
        }
    )*};
}

implement!(schema::users::v1::Users, twins::users::Users);

macro_rules! call {
    ($client:ty, $url:expr) => {{
        let client = <$client>::connect($url).await.expect("the server is there");
        let user = client
            .get_user(GetUserRequest {
                id: 7,
                ..GetUserRequest::default()
            })
            .await
            .expect("there is one");
        assert_eq!((user.id, user.name.as_str()), (7, "Ada"));
        let request = CreateUserRequest {
            name: "Bo".to_owned(),
            ..CreateUserRequest::default()
        };
        let status = client
            .create_user(request.clone())
            .await
            .expect_err("it is refused");
        assert_eq!(status.message(), "Bo");
        let users: Vec<_> = client
            .list_users(ListUsersRequest::default())
            .collect()
            .await;
        assert_eq!(users[0].as_ref().map(|user| user.id).ok(), Some(1));
        assert_eq!(
            users[1].as_ref().map_err(Status::message).err(),
            Some("no more")
        );
        let created = client
            .create_users(stream::iter([request.clone(), request]))
            .await
            .expect("it is made");
        assert_eq!(created.ids, [2, 2]);
        let message = ChatMessage {
            text: "hey".to_owned(),
            ..ChatMessage::default()
        };
        let answers: Vec<_> = client.chat(stream::iter([message])).collect().await;
        assert_eq!(
            answers[0].as_ref().map(|it| it.text.as_str()).ok(),
            Some("HEY")
        );
    }};
}

#[tokio::test]
async fn each_client_talks_to_the_other_server() {
    let generated = Server::new().add(schema::users::v1::UsersServer::new(Fixed));
    let by_hand = Server::new().add(twins::users::UsersServer::new(Fixed));
    for server in [generated, by_hand] {
        let bound = server
            .listen("tcp://127.0.0.1:0")
            .bind()
            .await
            .expect("a port is free");
        let url = bound.url().to_owned();
        let serving = tokio::spawn(bound.serve());
        call!(schema::users::v1::UsersClient, url.as_str());
        call!(twins::users::UsersClient, url.as_str());
        serving.abort();
    }
}
