//! `users` without an argument: a server of both versions and a client of each, in one process, over a real connection.

use futures_util::{TryStreamExt as _, stream};
use rpc_examples::users::{self, v1, v2};
use rpc_runtime::{Channel, Server};

use crate::Failure;

/// Serves on a free port, calls everything, and ends the server in good order.
pub(crate) async fn run() -> Result<(), Failure> {
    let server = Server::new()
        .router(users::router())
        .listen("tcp://127.0.0.1:0")
        .bind()
        .await?;
    println!(
        "Serving users.v1.Users and users.v2.Users at {}",
        server.url()
    );
    let stop = server.shutdown_handle();
    let url = server.url().to_owned();
    let serving = tokio::spawn(server.serve());
    let channel = Channel::connect(&url).await?;
    show_v1(&v1::UsersClient::new(channel.clone())).await?;
    show_v2(&v2::UsersClient::new(channel)).await?;
    stop.shutdown();
    Ok(serving.await??)
}

async fn show_v1(users: &v1::UsersClient) -> Result<(), Failure> {
    println!("\nVersion 1");
    let named = |name: &str| v1::CreateUserRequest {
        name: name.to_owned(),
        ..Default::default()
    };
    let ada = users.create_user(named("Ada Lovelace")).await?;
    println!("  CreateUser   {ada:?}");
    let found = users
        .get_user(v1::GetUserRequest {
            id: ada.id,
            ..Default::default()
        })
        .await?;
    println!("  GetUser      {found:?}");
    let many = stream::iter([named("Alan Turing"), named("Grace Hopper")]);
    println!("  CreateUsers  {:?}", users.create_users(many).await?);
    let mut listed = users.list_users(v1::ListUsersRequest::default());
    while let Some(user) = listed.try_next().await? {
        println!("  ListUsers    {user:?}");
    }
    let said = ["do you know Alan Turing?", "and who is Bob?"];
    let messages = said.map(|text| v1::ChatMessage {
        text: text.to_owned(),
        ..Default::default()
    });
    let mut answers = users.chat(stream::iter(messages));
    while let Some(answer) = answers.try_next().await? {
        println!("  Chat         {}", answer.text);
    }
    match users
        .get_user(v1::GetUserRequest {
            id: 99,
            ..Default::default()
        })
        .await
    {
        Ok(user) => Err(format!("nobody made {user:?}").into()),
        Err(status) => {
            println!("  GetUser      refused: {status}");
            Ok(())
        }
    }
}

async fn show_v2(users: &v2::UsersClient) -> Result<(), Failure> {
    println!("\nVersion 2, over the same users");
    let found = users
        .get_user(v2::GetUserRequest {
            id: 1,
            ..Default::default()
        })
        .await?;
    println!("  GetUser      {:?}", *found.user);
    let request = v2::CreateUserRequest {
        given_name: "Edsger".to_owned(),
        family_name: "Dijkstra".to_owned(),
        ..Default::default()
    };
    println!(
        "  CreateUser   {:?}",
        *users.create_user(request).await?.user
    );
    Ok(())
}
