//! `users interactive`: a prompt for calls by name, with history and completion.

use std::path::PathBuf;

use futures_util::stream;
use rpc_examples::users::{v1, v2};
use rpc_runtime::{Channel, Encoding, RpcClient as _, Status};
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::Validator;
use rustyline::{Context, Editor, Helper};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Failure;

const HELP: &str = "\
METHOD JSON          calls a method; Tab completes its name
METHOD JSON JSON ..  calls a method that takes a stream
methods              names all methods
help                 shows this
quit                 ends, as does Ctrl-D";

type Prompt = Editor<MethodNames, DefaultHistory>;

/// Reads calls and prints what comes back, until the input ends.
pub(crate) async fn run(url: &str) -> Result<(), Failure> {
    let channel = Channel::connect(url).await?.with_encoding(Encoding::JSON);
    let mut prompt = Prompt::new()?;
    prompt.set_helper(Some(MethodNames));
    if let Some(path) = history() {
        // There is none yet when the program is used for the first time.
        let _ = prompt.load_history(&path);
    }
    println!("connected to {url}\n{HELP}");
    loop {
        // Reading blocks, and connections want to be looked after meanwhile.
        let (back, line) = tokio::task::spawn_blocking(move || {
            let line = prompt.readline("users> ");
            (prompt, line)
        })
        .await?;
        prompt = back;
        let line = match line {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(error.into()),
        };
        prompt.add_history_entry(line.as_str())?;
        match line.trim() {
            "" => {}
            "quit" => break,
            "help" => println!("{HELP}"),
            "methods" => methods().for_each(|(path, doc)| println!("{path:<28} {doc}")),
            call => {
                if let Err(failure) = make(&channel, call).await {
                    println!("{failure}");
                }
            }
        }
    }
    if let Some(path) = history() {
        prompt.save_history(&path)?;
    }
    Ok(())
}

/// Makes one call: the name of a method and its messages.
async fn make(channel: &Channel, line: &str) -> Result<(), Failure> {
    let (method, messages) = line.split_once(' ').unwrap_or((line, ""));
    let users = v1::UsersClient::new(channel.clone());
    // What takes a stream needs its client; everything else is called by name alone.
    match method {
        "users.v1.Users/CreateUsers" => {
            let response = users.create_users(stream::iter(read(messages)?)).await?;
            println!("{}", serde_json::to_string(&response)?);
        }
        "users.v1.Users/Chat" => {
            let mut answers = users.chat(stream::iter(read(messages)?));
            while let Some(answer) = answers.next().await {
                println!("{}", serde_json::to_string(&answer?)?);
            }
        }
        _ => {
            let message = read::<Value>(messages)?.pop();
            let message = message.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
            let mut answer = channel.call_stream::<_, Value>(method, message);
            while let Some(value) = answer.next().await {
                println!("{}", value.map_err(|status: Status| status.to_string())?);
            }
        }
    }
    Ok(())
}

/// The JSON values in a text, one behind the other.
fn read<T: DeserializeOwned>(text: &str) -> Result<Vec<T>, Failure> {
    let values = serde_json::Deserializer::from_str(text).into_iter();
    Ok(values.collect::<Result<_, _>>()?)
}

/// All methods of both versions, and the first line of what is said of each.
fn methods() -> impl Iterator<Item = (&'static str, &'static str)> {
    let services = [v1::UsersClient::SERVICE, v2::UsersClient::SERVICE];
    let methods = services.into_iter().flat_map(|service| service.methods());
    methods.map(|method| {
        let doc = method.documentation().lines().next();
        (method.path(), doc.unwrap_or_default())
    })
}

fn history() -> Option<PathBuf> {
    std::env::home_dir().map(|home| home.join(".rpc_users_history"))
}

/// Completes the names of methods.
struct MethodNames;

impl Completer for MethodNames {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let typed = line.get(..position).unwrap_or_default();
        let names = methods()
            .map(|(path, _)| path)
            .chain(["methods", "help", "quit"]);
        // The last part of a name is enough.
        let fits = |name: &&str| {
            let short = name.rsplit_once('/').map_or(*name, |(_, short)| short);
            name.starts_with(typed) || short.starts_with(typed)
        };
        Ok((0, names.filter(fits).map(str::to_owned).collect()))
    }
}

impl Hinter for MethodNames {
    type Hint = String;
}

impl Highlighter for MethodNames {}

impl Validator for MethodNames {}

impl Helper for MethodNames {}
