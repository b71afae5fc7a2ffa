//! `schema.lock`: what of a schema was last released, as text that a person reads in a diff.
//!
//! ```text
//! # rpc-build schema lock, version 1
//! # What was last released. Accepting a change writes it: RPC_BUILD_ACCEPT_SCHEMA=1 cargo build
//! # Its last line is `# end`.
//!
//! file "users/v1/users.proto"
//!   syntax proto3
//!   package users.v1
//!   message User
//!     string name = 1
//!     optional string nickname = 4 [json_name = "nick"]
//!     map<string, .users.v1.Address> addresses = 5
//!     string email = 6 [oneof = contact]
//!     oneof contact
//!     reserved 2 to 3
//!     reserved "age"
//!   service Users
//!     rpc Get(.users.v1.GetRequest) returns (stream .users.v1.User) [idempotent]
//!   lines 5-8 10 9 14-15
//!
//! # end
//! ```
//!
//! It is sorted by name and number, so that moving an element changes nothing but the `lines` at the end of its file, which
//! say where every element stood, in the order in which they are listed. What a declaration does not say is as the file's
//! syntax has it: a scalar without a word before it has implicit presence, a message or a member of a oneof explicit one.
//! Google's files, which come with `rpc-build`, are in it by the names of their elements, because buf's rules ask for those.
//! `rpc/v1/options.proto` is not, nor what only that imports: who no longer needs an option takes nothing from anybody.

mod collect;
mod collect_field;
mod collect_file;
mod model;
mod parse;
mod parse_block;
mod parse_field;
mod tokens;
mod write;

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use crate::diagnostic::Diagnostic;
use crate::load::DESCRIPTOR;
use crate::schema::Schema;

pub(crate) use collect::source_lines;
pub(crate) use collect_field::is_message;
pub(crate) use model::*;
pub(crate) use write::*;

/// The name of the file, for messages and for [`Sources`](crate::source::Sources).
pub const FILE_NAME: &str = "schema.lock";

/// The environment variable that accepts the schema as it is, whatever it breaks, when it is `1`.
pub const ACCEPT_VARIABLE: &str = "RPC_BUILD_ACCEPT_SCHEMA";

/// The line that says that a lock has an end, which is the one after it.
pub(crate) const HAS_END: &str = "# Its last line is `# end`.";
pub(crate) const END: &str = "# end";

/// The version of the format that this release writes, and the only one that it reads.
pub(crate) const VERSION: u32 = 1;

/// What was last released.
///
/// A missing `schema.lock` means that nothing was released yet. A build only reads it; writing it is for
/// [`accept`](crate::breaking::accept).
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), Vec<rpc_build::diagnostic::Diagnostic>> {
/// use rpc_build::lock::Lock;
///
/// let text = "# rpc-build schema lock, version 1\n";
/// let lock = Lock::parse(text)?;
/// assert!(lock.to_string().starts_with(text));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Lock {
    pub(crate) files: BTreeMap<String, File>,
}

impl Lock {
    /// What releasing this schema would write: all its files, those that were imported too, but for `rpc/v1/options.proto`.
    pub fn of(schema: &Schema) -> Self {
        Self {
            files: collect::files(&schema.descriptors.file),
        }
    }

    /// The files that are compared with what is there now. Locks of earlier versions of this crate also have its options and, for
    /// them, `descriptor.proto`, which then nobody misses.
    pub(crate) fn compared<'a>(&'a self, now: &'a Self) -> impl Iterator<Item = &'a File> {
        let has_options = self.files.contains_key(OPTIONS);
        self.files.values().filter(move |file| {
            let is_for_options = [OPTIONS, DESCRIPTOR].contains(&file.name.as_str());
            !(has_options && is_for_options) || now.files.contains_key(&file.name)
        })
    }

    /// Reads a lock.
    ///
    /// # Errors
    ///
    /// What is wrong with it: the first line that cannot be read, a merge conflict, another version, a file that is no lock.
    /// It is one mistake, as those after it may come from it. Its place is in a file named [`FILE_NAME`]; put the text into
    /// [`Sources`](crate::source::Sources) under that name to have it shown.
    pub fn parse(text: &str) -> Result<Self, Vec<Diagnostic>> {
        parse::parse(text).map_err(|mistake| vec![*mistake])
    }
}

/// The text of `schema.lock`. The same schema gives the same bytes.
impl Display for Lock {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "# rpc-build schema lock, version {VERSION}")?;
        writeln!(
            f,
            "# What was last released. Accepting a change writes it: {ACCEPT_VARIABLE}=1 cargo build"
        )?;
        writeln!(f, "{HAS_END}")?;
        self.files
            .values()
            .try_for_each(|file| write::file(f, file))?;
        writeln!(f, "\n{END}")
    }
}
