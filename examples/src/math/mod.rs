//! The services that the `math` program serves and calls.

mod auth;
mod calculator;
mod factorial;
mod functions;
mod users;

pub use auth::{USER_TOKEN, token_required, with_token};
pub use calculator::{
    Calculator, Line, Math, MathClient, MathError, MathResult, MathServer, Named,
};
pub use functions::{get_time, hello};
use rpc_runtime::Router;
pub use users::{User, UserError, UserStore, Users, UsersClient, UsersServer};

/// Returns everything that the `math` program serves.
pub fn router() -> Router {
    Router::new()
        // A layer is around what was added before it: only the users are for known callers.
        .add(UsersServer::new(UserStore::default()))
        .layer(token_required(USER_TOKEN))
        .add(MathServer::new(Calculator))
        .function("hello", hello)
        .function("get_time", get_time)
}
