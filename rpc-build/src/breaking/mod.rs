//! What a change of a schema breaks, by the rules of `buf breaking`, against what was last released.
//!
//! All 64 rules of buf 1.75 are here, with its names and its levels; `tests/breaking` holds them to buf's verdicts. The
//! elements of both sides are compared as a [`Lock`] has them, so that nothing counts that a lock does not carry.

mod deleted;
mod enumeration;
mod field;
mod field_cardinality;
mod field_default;
mod field_type;
mod file;
mod index;
mod message;
mod package;
mod policy;
mod ranges;
mod report;
mod rules;
mod service;
mod unstable;

pub use policy::{Level, Policy};

use crate::diagnostic::Diagnostic;
use crate::lock::{Enum, Field, Lock, Message, Service};
use crate::schema::Schema;

use index::{In, Index};
use report::{Break, Teller};
use rules::rule;

/// Says what the schema breaks of what was released, and which exemptions of the policy are wrong or of no use any more.
///
/// The diagnostics are sorted by file and line. They point at the new files; of what is gone, at what was around it.
///
/// # Examples
///
/// A build checks, and only reads the lock:
///
/// ```
/// # use std::path::Path;
/// # use rpc_build::{breaking::{self, Policy}, diagnostic::Diagnostic, lock::Lock, schema::Schema};
/// fn check(schema: &Schema, folder: &Path) -> Result<(), Vec<Diagnostic>> {
///     let Ok(text) = std::fs::read_to_string(folder.join("schema.lock")) else {
///         return Ok(()); // Nothing was released yet.
///     };
///     let policy = Policy::new().allow("FIELD_SAME_TYPE", "users.v1.User.age", "no client read it, see the audit of May");
///     let broken = breaking::compare(&Lock::parse(&text)?, schema, &policy);
///     if broken.is_empty() { Ok(()) } else { Err(broken) }
/// }
/// ```
pub fn compare(lock: &Lock, schema: &Schema, policy: &Policy) -> Vec<Diagnostic> {
    let mut compared = compare_all(lock, schema, policy);
    compared.broken.append(&mut compared.mistakes);
    compared.broken
}

/// What is broken, and what is wrong with the exemptions.
struct Compared {
    broken: Vec<Diagnostic>,
    /// With the reasons that were given.
    allowed: Vec<(Diagnostic, String)>,
    mistakes: Vec<Diagnostic>,
}

fn compare_all(lock: &Lock, schema: &Schema, policy: &Policy) -> Compared {
    let now = Lock::of(schema);
    let (old, new) = (
        Index::of(lock.compared(&now)),
        Index::of(now.files.values()),
    );
    let mut pair = Pair {
        old: &old,
        new: &new,
        breaks: Vec::new(),
    };
    pair.check();
    let mut teller = Teller::new(schema);
    let counting = policy.counting(&pair.breaks);
    let mut ordered: Vec<_> = counting
        .into_iter()
        .map(|found| (teller.order(found), found))
        .collect();
    ordered.sort_by_key(|(order, _)| *order);
    let breaks: Vec<_> = ordered.into_iter().map(|(_, found)| found).collect();
    let mut compared = Compared {
        mistakes: policy.mistakes(&breaks),
        broken: Vec::new(),
        allowed: Vec::new(),
    };
    for found in breaks {
        let Some(rule) = rule(found.rule) else {
            continue;
        };
        let diagnostic = teller.tell(rule, found);
        match policy.reason(found) {
            Some(reason) => compared.allowed.push((diagnostic, reason.to_owned())),
            None => compared.broken.push(diagnostic),
        }
    }
    compared
}

/// What accepting a schema means: the lock to write, and what it breaks of the one that was there.
#[derive(Clone, Debug)]
#[must_use]
pub struct Accepted {
    /// What is released from now on; its text is to be written to `schema.lock`.
    pub lock: Lock,
    /// What is broken knowingly, to be shown to the user.
    pub broken: Vec<Diagnostic>,
    /// What is broken under an exemption of the policy, and the reason that it gives.
    pub allowed: Vec<(Diagnostic, String)>,
}

/// Releases the schema as it is. This is never a part of an ordinary build: it belongs behind a call that says so, or
/// behind the environment variable [`ACCEPT_VARIABLE`](crate::lock::ACCEPT_VARIABLE).
///
/// Without a lock this is the first release. Exemptions end with it, because what they allowed is released now: the next
/// build asks to remove them.
///
/// # Examples
///
/// ```
/// # use std::path::Path;
/// # use rpc_build::{breaking::{self, Policy}, diagnostic::Diagnostic, lock::Lock, schema::Schema};
/// fn release(schema: &Schema, path: &Path) -> Result<Vec<Diagnostic>, Vec<Diagnostic>> {
///     let old = match std::fs::read_to_string(path) {
///         Ok(text) => Some(Lock::parse(&text)?),
///         Err(_) => None,
///     };
///     let accepted = breaking::accept(old.as_ref(), schema, &Policy::new());
///     std::fs::write(path, accepted.lock.to_string()).map_err(|error| vec![Diagnostic::error(error.to_string())])?;
///     Ok(accepted.broken)
/// }
/// ```
pub fn accept(old: Option<&Lock>, schema: &Schema, policy: &Policy) -> Accepted {
    let compared = old.map(|old| compare_all(old, schema, policy));
    let (broken, allowed) = compared.map_or_else(Default::default, |it| (it.broken, it.allowed));
    Accepted {
        lock: Lock::of(schema),
        broken,
        allowed,
    }
}

/// What was and what is.
struct Pair<'a> {
    old: &'a Index<'a>,
    new: &'a Index<'a>,
    breaks: Vec<Break<'a>>,
}

impl<'a> Pair<'a> {
    fn check(&mut self) {
        file::check(self);
        package::check(self);
        deleted::check(self);
        message::check(self);
        enumeration::check(self);
        service::check(self);
        field::check(self);
    }

    fn add(&mut self, found: Break<'a>) {
        self.breaks.push(found);
    }

    /// Messages that are there on both sides, in whichever file.
    fn messages(
        &self,
    ) -> impl Iterator<Item = (&'a str, In<'a, Message>, In<'a, Message>)> + use<'a> {
        let new = self.new;
        self.old
            .messages
            .iter()
            .filter_map(move |(name, old)| Some((name.as_str(), *old, *new.messages.get(name)?)))
    }

    fn enums(&self) -> impl Iterator<Item = (&'a str, In<'a, Enum>, In<'a, Enum>)> + use<'a> {
        let new = self.new;
        self.old
            .enums
            .iter()
            .filter_map(move |(name, old)| Some((name.as_str(), *old, *new.enums.get(name)?)))
    }

    fn services(
        &self,
    ) -> impl Iterator<Item = (&'a str, In<'a, Service>, In<'a, Service>)> + use<'a> {
        let new = self.new;
        self.old
            .services
            .iter()
            .filter_map(move |(name, old)| Some((name.as_str(), *old, *new.services.get(name)?)))
    }

    /// The map field of the old schema that has this entry, and the full name of its message.
    fn map_field(&self, entry: &str) -> Option<(&'a Field, &'a str)> {
        let (message, _) = entry.rsplit_once('.')?;
        let (name, message) = self.old.messages.get_key_value(message)?;
        let is_of = |field: &&Field| field.type_name.strip_prefix('.') == Some(entry);
        Some((message.it.fields.iter().find(is_of)?, name.as_str()))
    }

    /// What keeps a number and a name from being used again.
    fn reserve_hint(&self, field: &Field) -> String {
        match field.extendee {
            Some(_) => format!("never use number {} again", field.number),
            None => format!(
                "reserve its number and its name: `reserved {}; reserved \"{}\";`",
                field.number, field.name
            ),
        }
    }
}

/// The package in which everything may be different: `users.v2` after `users.v1`.
fn next_version(package: &str) -> String {
    let (before, last) = match package.rsplit_once('.') {
        Some((before, last)) => (format!("{before}."), last),
        None => (String::new(), package),
    };
    let digits = last
        .strip_prefix('v')
        .map(|last| last.split(|c: char| !c.is_ascii_digit()).next());
    match digits
        .flatten()
        .and_then(|digits| digits.parse::<u32>().ok())
    {
        Some(version) => format!("`{before}v{}`", version.saturating_add(1)),
        None => "a package with a version, such as `users.v2`".to_owned(),
    }
}
