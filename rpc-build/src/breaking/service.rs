//! Services that are there on both sides, and their methods.

use super::index::In;
use super::report::Break;
use super::{Pair, next_version};
use crate::lock::{Idempotency, Method, method_text};

/// A method as it was and as it is.
#[derive(Clone, Copy)]
struct Both<'a> {
    service: &'a str,
    old: In<'a, Method>,
    new: In<'a, Method>,
}

impl<'a> Both<'a> {
    /// A break that points at a part of the method.
    fn breaks(&self, rule: &'static str, what: &str, part: &[i32], was: &str) -> Break<'a> {
        let element = format!("{}.{}", self.service, self.old.it.name);
        let message = format!("method `{}` of `{}` {what}", self.old.it.name, self.service);
        Break::new(rule, element, message)
            .was(self.old.file, self.old.it.at.line, method_text(self.old.it))
            .at(self.new, &self.new.it.at, &[part], format!("was {was}"))
    }
}

pub(super) fn check<'a>(pair: &mut Pair<'a>) {
    for (name, old, new) in pair.services() {
        for it in &old.it.methods {
            let was = In { file: old.file, it };
            if let Some(it) = new.it.methods.iter().find(|method| method.name == it.name) {
                let new = In { file: new.file, it };
                check_method(
                    pair,
                    Both {
                        service: name,
                        old: was,
                        new,
                    },
                );
                continue;
            }
            let next = next_version(&old.file.package);
            let found = Break::new(
                "RPC_NO_DELETE",
                format!("{name}.{}", it.name),
                format!("method `{}` of `{name}` was deleted", it.name),
            )
            .was(old.file, it.at.line, method_text(it))
            .at(new, &new.it.at, &[], format!("had `{}`", it.name))
            .help(format!(
                "keep it, marked `option deprecated = true;`, and leave it out of {next}"
            ));
            pair.add(found);
        }
    }
}

fn check_method<'a>(pair: &mut Pair<'a>, both: Both<'a>) {
    check_streaming(pair, both);
    check_types(pair, both);
    let (old, new) = (both.old.it.idempotency, both.new.it.idempotency);
    if old != new {
        let name = |level| match level {
            Idempotency::Unknown => "IDEMPOTENCY_UNKNOWN",
            Idempotency::NoSideEffects => "NO_SIDE_EFFECTS",
            Idempotency::Idempotent => "IDEMPOTENT",
        };
        let (was, is) = (name(old), name(new));
        let found = both
            .breaks(
                "RPC_SAME_IDEMPOTENCY_LEVEL",
                &format!("is {is}, it was {was}"),
                &[4, 34],
                was,
            )
            .help(format!(
                "keep `option idempotency_level = {was};`, or add a method with another name"
            ));
        pair.add(found);
    }
}

fn check_streaming<'a>(pair: &mut Pair<'a>, both: Both<'a>) {
    const HELP: &str = "keep it as it was and add a method with another name";
    let (old, new) = (both.old.it, both.new.it);
    let word = |streaming| if streaming { "a stream" } else { "one message" };
    if old.client_streaming != new.client_streaming {
        let (was, is) = (word(old.client_streaming), word(new.client_streaming));
        let what = format!("takes {is}, it took {was}");
        pair.add(
            both.breaks("RPC_SAME_CLIENT_STREAMING", &what, &[1], was)
                .help(HELP),
        );
    }
    if old.server_streaming != new.server_streaming {
        let (was, is) = (word(old.server_streaming), word(new.server_streaming));
        let what = format!("returns {is}, it returned {was}");
        pair.add(
            both.breaks("RPC_SAME_SERVER_STREAMING", &what, &[1], was)
                .help(HELP),
        );
    }
}

fn check_types<'a>(pair: &mut Pair<'a>, both: Both<'a>) {
    let (old, new) = (both.old.it, both.new.it);
    let types = [
        ("RPC_SAME_REQUEST_TYPE", "takes", &old.input, &new.input, 2),
        (
            "RPC_SAME_RESPONSE_TYPE",
            "returns",
            &old.output,
            &new.output,
            3,
        ),
    ];
    for (rule, verb, old, new, part) in types {
        if old != new {
            let (was, is) = (old.trim_start_matches('.'), new.trim_start_matches('.'));
            let found = both
                .breaks(
                    rule,
                    &format!("{verb} `{is}` instead of `{was}`"),
                    &[part],
                    &format!("`{was}`"),
                )
                .help(format!(
                    "keep `{was}` and add fields to it, or add a method with another name"
                ));
            pair.add(found);
        }
    }
}
