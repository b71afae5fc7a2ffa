//! Version 1: a name is one text.

use futures_util::{Stream, StreamExt as _, stream};
use rpc_runtime::{Status, Streaming};

use super::store::{Person, Store};
use super::v1::{
    ChatMessage, CreateUserRequest, CreateUsersResponse, GetUserRequest, ListUsersRequest, User,
    Users,
};

impl From<Person> for User {
    fn from(person: Person) -> Self {
        let name = format!("{} {}", person.given_name, person.family_name);
        Self {
            id: person.id,
            name: name.trim_end().to_owned(),
            ..Self::default()
        }
    }
}

impl Store {
    fn create_by_name(&self, name: &str) -> Result<Person, Status> {
        let (given, family) = name.rsplit_once(' ').unwrap_or((name, ""));
        self.create(given, family)
    }

    fn answer(&self, text: &str) -> String {
        let people = self.all().into_iter().map(User::from);
        let known = people
            .map(|user| user.name)
            .find(|name| text.contains(name.as_str()));
        match known {
            Some(name) => format!("I know {name}"),
            None => format!("I know nobody in \"{text}\""),
        }
    }
}

impl Users for Store {
    async fn get_user(&self, request: GetUserRequest) -> Result<User, Status> {
        self.get(request.id).map(User::from)
    }

    async fn create_user(&self, request: CreateUserRequest) -> Result<User, Status> {
        self.create_by_name(&request.name).map(User::from)
    }

    fn list_users(&self, _: ListUsersRequest) -> impl Stream<Item = Result<User, Status>> {
        stream::iter(self.all()).map(|person| Ok(person.into()))
    }

    async fn create_users(
        &self,
        mut requests: Streaming<CreateUserRequest>,
    ) -> Result<CreateUsersResponse, Status> {
        let mut response = CreateUsersResponse::default();
        while let Some(request) = requests.next().await {
            response.ids.push(self.create_by_name(&request?.name)?.id);
        }
        Ok(response)
    }

    fn chat(
        &self,
        requests: Streaming<ChatMessage>,
    ) -> impl Stream<Item = Result<ChatMessage, Status>> {
        requests.map(|message| {
            Ok(ChatMessage {
                text: self.answer(&message?.text),
                ..ChatMessage::default()
            })
        })
    }
}
