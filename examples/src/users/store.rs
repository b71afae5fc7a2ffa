//! What the users are, whichever version of the schema shows them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use rpc_runtime::Status;

/// The most users that the store keeps: a server bounds what its callers can make it hold.
const MAX_USERS: usize = 10_000;

/// The longest name, in bytes.
const MAX_NAME: usize = 100;

/// Somebody in the store.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) id: i64,
    pub(super) given_name: String,
    pub(super) family_name: String,
    pub(super) created_at: SystemTime,
}

/// Users in memory.
#[derive(Debug, Default)]
pub struct Store {
    people: Mutex<BTreeMap<i64, Person>>,
}

impl Store {
    pub(super) fn get(&self, id: i64) -> Result<Person, Status> {
        let found = self.people().get(&id).cloned();
        found.ok_or_else(|| Status::not_found(format!("there is no user {id}")))
    }

    pub(super) fn all(&self) -> Vec<Person> {
        self.people().values().cloned().collect()
    }

    pub(super) fn create(&self, given_name: &str, family_name: &str) -> Result<Person, Status> {
        if given_name.is_empty() || given_name.len() + family_name.len() > MAX_NAME {
            return Err(Status::invalid_argument(format!(
                "a name has 1 to {MAX_NAME} bytes"
            )));
        }
        let mut people = self.people();
        if people.len() >= MAX_USERS {
            return Err(Status::resource_exhausted("the store is full"));
        }
        let id = people.last_key_value().map_or(1, |(last, _)| last + 1);
        let person = Person {
            id,
            given_name: given_name.to_owned(),
            family_name: family_name.to_owned(),
            created_at: SystemTime::now(),
        };
        people.insert(id, person.clone());
        Ok(person)
    }

    fn people(&self) -> MutexGuard<'_, BTreeMap<i64, Person>> {
        self.people.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
