//! Packages that are gone.

use super::Pair;
use super::report::Break;

pub(super) fn check(pair: &mut Pair<'_>) {
    for (name, files) in &pair.old.packages {
        let (Some(first), false) = (files.first(), pair.new.packages.contains_key(name)) else {
            continue;
        };
        let found = Break::new(
            "PACKAGE_NO_DELETE",
            *name,
            format!("package `{name}` was deleted"),
        )
        .was(first, 0, format!("package {name}"))
        .help(
            "keep the package as long as anybody uses it: several versions can be served at once",
        );
        pair.add(found);
    }
}
