//! Two versions of a package in one server, at one port, each with its own client, served by one implementation.

use std::sync::Arc;

use futures_util::{Stream, stream};
use rpc_runtime::{Code, Server, Status, Streaming};
use rpc_schema_tests::schema::users::{v1, v2};

/// What both versions show.
#[derive(Clone)]
struct Person {
    id: i64,
    given: &'static str,
    family: &'static str,
}

struct People(Vec<Person>);

impl People {
    fn find(&self, id: i64) -> Result<&Person, Status> {
        let found = self.0.iter().find(|person| person.id == id);
        found.ok_or_else(|| Status::not_found(format!("no user {id}")))
    }
}

impl v1::Users for People {
    async fn get_user(&self, request: v1::GetUserRequest) -> Result<v1::User, Status> {
        let Person { id, given, family } = self.find(request.id)?.clone();
        Ok(v1::User {
            id,
            name: format!("{given} {family}"),
            ..v1::User::default()
        })
    }

    async fn create_user(&self, _: v1::CreateUserRequest) -> Result<v1::User, Status> {
        Err(Status::unimplemented("the people are fixed"))
    }

    fn list_users(&self, _: v1::ListUsersRequest) -> impl Stream<Item = Result<v1::User, Status>> {
        stream::empty()
    }

    async fn create_users(
        &self,
        _: Streaming<v1::CreateUserRequest>,
    ) -> Result<v1::CreateUsersResponse, Status> {
        Err(Status::unimplemented("the people are fixed"))
    }

    fn chat(
        &self,
        requests: Streaming<v1::ChatMessage>,
    ) -> impl Stream<Item = Result<v1::ChatMessage, Status>> {
        requests
    }
}

impl v2::Users for People {
    async fn get_user(&self, request: v2::GetUserRequest) -> Result<v2::GetUserResponse, Status> {
        let id = request
            .id
            .parse()
            .map_err(|_| Status::invalid_argument("not a number"))?;
        let person = self.find(id)?;
        let user = v2::User {
            id: request.id,
            given_name: person.given.to_owned(),
            family_name: person.family.to_owned(),
            ..v2::User::default()
        };
        Ok(v2::GetUserResponse {
            user: user.into(),
            ..v2::GetUserResponse::default()
        })
    }
}

#[tokio::test]
async fn both_versions_are_served_at_one_port() {
    let people = Arc::new(People(vec![Person {
        id: 1,
        given: "Ada",
        family: "Lovelace",
    }]));
    let server = Server::new()
        .add(v1::UsersServer::from_arc(Arc::clone(&people)))
        .add(v2::UsersServer::from_arc(people));
    let bound = server
        .listen("tcp://127.0.0.1:0")
        .bind()
        .await
        .expect("a port is free");
    let url = bound.url().to_owned();
    let serving = tokio::spawn(bound.serve());

    let old = v1::UsersClient::connect(&url)
        .await
        .expect("the server is there");
    let new = v2::UsersClient::connect(&url)
        .await
        .expect("the server is there");
    let user = old
        .get_user(v1::GetUserRequest {
            id: 1,
            ..v1::GetUserRequest::default()
        })
        .await
        .expect("she is there");
    assert_eq!(user.name, "Ada Lovelace");
    let request = v2::GetUserRequest {
        id: "1".to_owned(),
        ..v2::GetUserRequest::default()
    };
    let user = new.get_user(request).await.expect("she is there").user;
    assert_eq!(
        (user.given_name.as_str(), user.family_name.as_str()),
        ("Ada", "Lovelace")
    );

    let nobody = old
        .get_user(v1::GetUserRequest {
            id: 2,
            ..v1::GetUserRequest::default()
        })
        .await;
    assert_eq!(
        nobody.expect_err("there is one user").code(),
        Code::NotFound
    );
    serving.abort();
}
