//! `users get`, `create`, `list`, `create-many` and `chat`: the five methods of version 1, and two of version 2.

use clap::Subcommand;
use futures_util::stream;
use rpc_examples::users::{v1, v2};
use rpc_runtime::Channel;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::Failure;

/// One call.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Finds a user.
    Get {
        /// The server, such as `tcp://127.0.0.1:8080`.
        url: String,
        /// The user's number.
        id: i64,
        /// Asks version 2.
        #[arg(long)]
        v2: bool,
    },
    /// Adds a user.
    Create {
        /// The server.
        url: String,
        /// The user's name.
        name: String,
        /// Tells version 2, which keeps the family name by itself.
        #[arg(long, value_name = "FAMILY NAME")]
        v2: Option<String>,
    },
    /// Shows all users.
    List {
        /// The server.
        url: String,
    },
    /// Adds many users in one call.
    CreateMany {
        /// The server.
        url: String,
        /// Their names.
        names: Vec<String>,
    },
    /// Says the lines of standard input, and shows each answer.
    Chat {
        /// The server.
        url: String,
    },
}

/// Makes the call and prints what comes back.
pub(crate) async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Get { url, id, v2: false } => {
            let request = v1::GetUserRequest {
                id,
                ..Default::default()
            };
            println!("{:?}", v1(&url).await?.get_user(request).await?);
        }
        Command::Get { url, id, v2: true } => {
            let request = v2::GetUserRequest {
                id,
                ..Default::default()
            };
            println!("{:?}", *v2(&url).await?.get_user(request).await?.user);
        }
        Command::Create {
            url,
            name,
            v2: None,
        } => {
            println!("{:?}", v1(&url).await?.create_user(named(name)).await?);
        }
        Command::Create {
            url,
            name,
            v2: Some(family_name),
        } => {
            let request = v2::CreateUserRequest {
                given_name: name,
                family_name,
                ..Default::default()
            };
            println!("{:?}", *v2(&url).await?.create_user(request).await?.user);
        }
        Command::List { url } => {
            let mut users = v1(&url).await?.list_users(v1::ListUsersRequest::default());
            while let Some(user) = users.next().await {
                println!("{:?}", user?);
            }
        }
        Command::CreateMany { url, names } => {
            let requests = stream::iter(names.into_iter().map(named));
            println!("{:?}", v1(&url).await?.create_users(requests).await?);
        }
        Command::Chat { url } => chat(&v1(&url).await?).await?,
    }
    Ok(())
}

async fn v1(url: &str) -> Result<v1::UsersClient, Failure> {
    Ok(v1::UsersClient::new(Channel::connect(url).await?))
}

async fn v2(url: &str) -> Result<v2::UsersClient, Failure> {
    Ok(v2::UsersClient::new(Channel::connect(url).await?))
}

fn named(name: String) -> v1::CreateUserRequest {
    v1::CreateUserRequest {
        name,
        ..Default::default()
    }
}

/// Each line is sent as soon as it is there, and its answer shown as soon as that is.
async fn chat(users: &v1::UsersClient) -> Result<(), Failure> {
    let lines = BufReader::new(tokio::io::stdin()).lines();
    let messages = stream::unfold(lines, |mut lines| async {
        let text = lines.next_line().await.ok()??;
        Some((
            v1::ChatMessage {
                text,
                ..Default::default()
            },
            lines,
        ))
    });
    let mut answers = users.chat(messages);
    while let Some(answer) = answers.next().await {
        println!("{}", answer?.text);
    }
    Ok(())
}
