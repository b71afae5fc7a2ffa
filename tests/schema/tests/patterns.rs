//! The package that stands by itself, as most crates include it.

use futures_util::{Stream, StreamExt as _, stream};
use rpc_runtime::{Encoding, Server, Status, Streaming};
use rpc_schema_tests::users::*;

pub(crate) struct Names(pub(crate) Vec<&'static str>);

impl Users for Names {
    async fn get_user(&self, request: GetUserRequest) -> Result<User, Status> {
        let index = usize::try_from(request.id).unwrap_or(usize::MAX);
        let name = self
            .0
            .get(index)
            .ok_or_else(|| Status::not_found("no such user"))?;
        Ok(User {
            id: request.id,
            name: (*name).to_owned(),
            ..User::default()
        })
    }

    async fn create_user(&self, request: CreateUserRequest) -> Result<User, Status> {
        Ok(User {
            id: 9,
            name: request.name,
            ..User::default()
        })
    }

    fn list_users(&self, _: ListUsersRequest) -> impl Stream<Item = Result<User, Status>> {
        let users = self.0.iter().zip(0..);
        stream::iter(users.map(|(name, id)| {
            Ok(User {
                id,
                name: (*name).to_owned(),
                ..User::default()
            })
        }))
    }

    async fn create_users(
        &self,
        requests: Streaming<CreateUserRequest>,
    ) -> Result<CreateUsersResponse, Status> {
        let count = requests.count().await;
        Ok(CreateUsersResponse {
            ids: (0..count as i64).collect(),
            ..CreateUsersResponse::default()
        })
    }

    fn chat(
        &self,
        requests: Streaming<ChatMessage>,
    ) -> impl Stream<Item = Result<ChatMessage, Status>> {
        requests
    }
}

#[tokio::test]
async fn all_patterns_work_in_both_encodings() {
    let server = Server::new().add(UsersServer::new(Names(vec!["Ada", "Bo"])));
    let bound = server
        .listen("tcp://127.0.0.1:0")
        .bind()
        .await
        .expect("a port is free");
    let url = bound.url().to_owned();
    let serving = tokio::spawn(bound.serve());
    let users = UsersClient::connect(&url)
        .await
        .expect("the server is there");
    for encoding in [Encoding::PROTOBUF, Encoding::JSON] {
        let request = GetUserRequest {
            id: 1,
            ..GetUserRequest::default()
        };
        let user = users
            .get_user(request)
            .encoding(encoding)
            .await
            .expect("there is one");
        assert_eq!(user.name, "Bo");
        let listed: Vec<_> = users
            .list_users(ListUsersRequest::default())
            .encoding(encoding)
            .collect()
            .await;
        assert_eq!(listed.len(), 2);
        let request = CreateUserRequest {
            name: "Cy".to_owned(),
            ..CreateUserRequest::default()
        };
        assert_eq!(
            users
                .create_user(request.clone())
                .encoding(encoding)
                .await
                .expect("it is made")
                .name,
            "Cy"
        );
        let created = users
            .create_users(stream::iter([request.clone(), request]))
            .encoding(encoding)
            .await;
        assert_eq!(created.expect("they are made").ids, [0, 1]);
        let message = ChatMessage {
            text: "hey".to_owned(),
            ..ChatMessage::default()
        };
        let answers: Vec<_> = users
            .chat(stream::iter([message.clone()]))
            .encoding(encoding)
            .collect()
            .await;
        assert_eq!(answers[0].as_ref().ok(), Some(&message));
    }
    serving.abort();
}
