//! Files: that they are there, their package, their syntax, their options.

use super::report::Break;
use super::{Pair, next_version};
use crate::lock::{FILE_OPTIONS, File, Syntax, quoted};

pub(super) fn check<'a>(pair: &mut Pair<'a>) {
    for (name, old) in &pair.old.files {
        match pair.new.files.get(name) {
            Some(new) => {
                check_head(pair, old, new);
                check_options(pair, old, new);
            }
            None => {
                let found = Break::new("FILE_NO_DELETE", *name, format!("file `{name}` was deleted"))
                    .was(old, 0, "")
                    .help("keep the file; one that only imports, with `import public`, what has moved away is enough for those who import it");
                pair.add(found);
            }
        }
    }
}

fn check_head<'a>(pair: &mut Pair<'a>, old: &'a File, new: &'a File) {
    if old.package != new.package {
        let (was, is) = (&old.package, &new.package);
        let next = next_version(was);
        let found = Break::new("FILE_SAME_PACKAGE", &old.name, format!("the package of `{}` is `{is}`, it was `{was}`", old.name))
            .was(old, 0, format!("package {was}"))
            .at_file(new, &[&[2]], format!("was `{was}`"))
            .help(format!("keep `package {was};`, and put what is new beside it, into {next}, in a file of its own"));
        pair.add(found);
    }
    let kind = |syntax| match syntax {
        Syntax::Proto2 => "proto2",
        Syntax::Proto3 => "proto3",
        Syntax::Edition(_) => "an edition",
    };
    let (was, is) = (kind(old.syntax), kind(new.syntax));
    if was != is {
        let found = Break::new(
            "FILE_SAME_SYNTAX",
            &old.name,
            format!("the syntax of `{}` is {is}, it was {was}", old.name),
        )
        .was(old, 0, format!("syntax {}", old.syntax))
        .at_file(new, &[&[12], &[14]], format!("was {was}"))
        .help("keep the syntax; a new file can have another one");
        pair.add(found);
    }
}

/// Options that name or shape generated code.
fn check_options<'a>(pair: &mut Pair<'a>, old: &'a File, new: &'a File) {
    for option in &FILE_OPTIONS {
        let value = |file: &'a File| {
            file.options
                .get(option.name)
                .map_or(option.default, String::as_str)
        };
        let (was, is) = (value(old), value(new));
        if was == is {
            continue;
        }
        let name = option.name;
        let found = Break::new(
            option.rule,
            &old.name,
            format!("`{name}` of `{}` is `{is}`, it was `{was}`", old.name),
        )
        .was(old, 0, format!("option {name} = {}", quoted(was)))
        .at_file(new, &[&[8, option.number]], format!("was `{was}`"))
        .help(match was {
            "" => format!("leave `option {name}` out"),
            _ => format!("keep `option {name}` at `{was}`"),
        });
        pair.add(found);
    }
}
