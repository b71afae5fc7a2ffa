//! A store of users in memory.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rpc_runtime::{RpcError, rpc_service};
use serde::{Deserialize, Serialize};

/// The most users that the store keeps: a server bounds what its callers can make it hold.
const MAX_USERS: usize = 10_000;

/// The longest name, in bytes.
const MAX_NAME: usize = 100;

/// Somebody in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The number that the store gave.
    pub id: u64,
    /// The name that the caller gave.
    pub name: String,
}

/// What the store cannot do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize, RpcError)]
pub enum UserError {
    /// There is no such user.
    #[error("there is no user {id}")]
    #[rpc(error_code = NotFound)]
    NotFound {
        /// The number that was asked for.
        id: u64,
    },
    /// A name is empty or too long.
    #[error("a name has 1 to {max} bytes")]
    #[rpc(error_code = InvalidArgument)]
    InvalidName {
        /// The most bytes of a name.
        max: usize,
    },
    /// The store is full.
    #[error("the store is full")]
    #[rpc(error_code = ResourceExhausted)]
    Full,
}

/// Keeps users.
#[rpc_service(name = "users.v1.Users")]
pub trait Users {
    /// Adds a user.
    async fn create(&self, name: String) -> Result<User, UserError>;

    /// Returns a user.
    #[rpc(read_only)]
    async fn get(&self, id: u64) -> Result<User, UserError>;

    /// Returns all users, by number.
    #[rpc(read_only)]
    async fn list(&self) -> Vec<User>;

    /// Removes a user, and returns who that was.
    async fn delete(&self, id: u64) -> Result<User, UserError>;
}

/// Users in memory.
#[derive(Debug, Default)]
pub struct UserStore {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    users: BTreeMap<u64, User>,
    last_id: u64,
}

impl UserStore {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Users for UserStore {
    async fn create(&self, name: String) -> Result<User, UserError> {
        if name.is_empty() || name.len() > MAX_NAME {
            return Err(UserError::InvalidName { max: MAX_NAME });
        }
        let mut table = self.table();
        if table.users.len() >= MAX_USERS {
            return Err(UserError::Full);
        }
        table.last_id += 1;
        let id = table.last_id;
        let user = User { id, name };
        table.users.insert(id, user.clone());
        Ok(user)
    }

    async fn get(&self, id: u64) -> Result<User, UserError> {
        let user = self.table().users.get(&id).cloned();
        user.ok_or(UserError::NotFound { id })
    }

    async fn list(&self) -> Vec<User> {
        self.table().users.values().cloned().collect()
    }

    async fn delete(&self, id: u64) -> Result<User, UserError> {
        let user = self.table().users.remove(&id);
        user.ok_or(UserError::NotFound { id })
    }
}
