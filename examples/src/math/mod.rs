//! The services that the `math` program serves and calls.

mod calculator;
mod factorial;
mod functions;
mod users;

pub use calculator::{
    Calculator, Line, Math, MathClient, MathError, MathResult, MathServer, Named,
};
pub use functions::{get_time, hello};
use rpc_runtime::layer::auth::BearerAuth;
use rpc_runtime::{Identity, Router};
pub use users::{User, UserError, UserStore, Users, UsersClient, UsersServer};

/// The token that the examples use. A real server reads its tokens from a file or a key store.
pub const USER_TOKEN: &str = "example-token";

/// Returns everything that the `math` program serves.
pub fn router() -> Router {
    // A layer covers all that its router serves: only the users are for known callers.
    let users = Router::new()
        .add(UsersServer::new(UserStore::default()))
        .layer(BearerAuth::tokens([(USER_TOKEN, Identity::new("example"))]));
    Router::new()
        .add(MathServer::new(Calculator))
        .function("hello", hello)
        .function("get_time", get_time)
        .merge(users)
}
