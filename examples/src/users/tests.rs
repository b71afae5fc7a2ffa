//! Both versions see the same users.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use rpc_runtime::{Channel, Code};

use super::{router, v1, v2};

fn named(name: &str) -> v1::CreateUserRequest {
    v1::CreateUserRequest {
        name: name.to_owned(),
        ..v1::CreateUserRequest::default()
    }
}

#[tokio::test]
async fn what_one_version_adds_the_other_finds() {
    let channel = Channel::new(router());
    let (old, new) = (
        v1::UsersClient::new(channel.clone()),
        v2::UsersClient::new(channel),
    );
    let ada = old
        .create_user(named("Ada Lovelace"))
        .await
        .expect("the name is good");
    let request = v2::GetUserRequest {
        id: ada.id,
        ..v2::GetUserRequest::default()
    };
    let user = new.get_user(request).await.expect("she is there").user;
    assert_eq!(
        (user.given_name.as_str(), user.family_name.as_str()),
        ("Ada", "Lovelace")
    );
    assert!(user.created_at.seconds > 0);

    let request = v2::CreateUserRequest {
        given_name: "Alan".to_owned(),
        ..v2::CreateUserRequest::default()
    };
    let alan = new
        .create_user(request)
        .await
        .expect("the name is good")
        .user;
    let request = v1::GetUserRequest {
        id: alan.id,
        ..v1::GetUserRequest::default()
    };
    assert_eq!(
        old.get_user(request)
            .await
            .map(|user| user.name)
            .ok()
            .as_deref(),
        Some("Alan")
    );
    let nobody = old
        .get_user(v1::GetUserRequest {
            id: 99,
            ..v1::GetUserRequest::default()
        })
        .await;
    assert_eq!(nobody.expect_err("there are two").code(), Code::NotFound);
}

#[tokio::test]
async fn streams_go_both_ways() {
    let users = v1::UsersClient::new(router());
    let created = users
        .create_users(stream::iter([named("Ada"), named("Bo")]))
        .await;
    assert_eq!(created.expect("the names are good").ids, [1, 2]);
    let refused = users.create_users(stream::iter([named("")])).await;
    assert_eq!(
        refused.expect_err("there is no name").code(),
        Code::InvalidArgument
    );
    let listed: Vec<v1::User> = users
        .list_users(v1::ListUsersRequest::default())
        .try_collect()
        .await
        .expect("all are there");
    assert_eq!(listed.len(), 2);
    let message = v1::ChatMessage {
        text: "is Bo here?".to_owned(),
        ..v1::ChatMessage::default()
    };
    let answers: Vec<_> = users.chat(stream::iter([message])).collect().await;
    assert_eq!(
        answers[0].as_ref().map(|answer| answer.text.as_str()).ok(),
        Some("I know Bo")
    );
}
