//! Version 2: a name has two parts.

use std::time::UNIX_EPOCH;

use rpc_runtime::Status;
use rpc_runtime::protobuf::well_known::Timestamp;

use super::store::{Person, Store};
use super::v2::{
    CreateUserRequest, CreateUserResponse, GetUserRequest, GetUserResponse, User, Users,
};

impl From<Person> for User {
    fn from(person: Person) -> Self {
        let since = person
            .created_at
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let created_at = Timestamp {
            seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
            ..Timestamp::default()
        };
        Self {
            id: person.id,
            given_name: person.given_name,
            family_name: person.family_name,
            created_at: created_at.into(),
            ..Self::default()
        }
    }
}

impl Users for Store {
    async fn get_user(&self, request: GetUserRequest) -> Result<GetUserResponse, Status> {
        let user = User::from(self.get(request.id)?);
        Ok(GetUserResponse {
            user: user.into(),
            ..GetUserResponse::default()
        })
    }

    async fn create_user(&self, request: CreateUserRequest) -> Result<CreateUserResponse, Status> {
        let user = User::from(self.create(&request.given_name, &request.family_name)?);
        Ok(CreateUserResponse {
            user: user.into(),
            ..CreateUserResponse::default()
        })
    }
}
