//! Names that go through what writes messages under other names, and come out as they are in Rust.
//!
//! buffa makes types, modules, constants and strings of one name. A name that Rust does not take is given to it as a stand-in,
//! such as `RpcStandIn7x`, which it treats as any other, and which is unlike anything else in its text. There it is replaced:
//! in code by what the element is called in Rust, and in strings and comments, which say what is on the wire, by the name in
//! the schema.

use std::borrow::Cow;

/// What an element is called in place of its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    /// The name in the schema.
    pub(crate) proto: String,
    /// In Rust as a type, or as the variant of a oneof.
    pub(crate) camel: String,
    /// In Rust as a module or a field, and in capitals as a constant.
    pub(crate) snake: String,
}

/// How stand-ins begin, in the forms that buffa makes of them. Between this and the last letter is their number.
const FORMS: [&str; 3] = ["RpcStandIn", "rpc_stand_in", "RPC_STAND_IN"];

/// The names that have a stand-in, by number.
#[derive(Clone, Debug, Default)]
pub(crate) struct StandIns(Vec<Name>);

impl StandIns {
    /// A stand-in for the name of a type.
    pub(crate) fn of_type(&mut self, name: Name) -> String {
        self.0.push(name);
        format!("RpcStandIn{}x", self.0.len() - 1)
    }

    /// A stand-in for the name of a field, a oneof, an extension or a value.
    pub(crate) fn of_item(&mut self, name: Name) -> String {
        self.0.push(name);
        format!("rpc_stand_in{}x", self.0.len() - 1)
    }

    /// Code, with what elements are called in Rust.
    pub(crate) fn in_code<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.replace(text, |form, name| match form {
            0 => name.camel.clone(),
            1 => name.snake.clone(),
            _ => name.snake.to_uppercase(),
        })
    }

    /// A string or a comment, with what elements are called in the schema.
    pub(crate) fn in_text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.replace(text, |_, name| name.proto.clone())
    }

    fn replace<'a>(&self, text: &'a str, with: impl Fn(usize, &Name) -> String) -> Cow<'a, str> {
        let mut replaced = Cow::Borrowed(text);
        if self.0.is_empty() {
            return replaced;
        }
        for (form, start) in FORMS.into_iter().enumerate() {
            let mut parts = replaced.split(start);
            let mut changed = parts.next().unwrap_or_default().to_owned();
            for part in parts {
                let digits = part.bytes().take_while(u8::is_ascii_digit).count();
                let (number, rest) = part.split_at(digits);
                let name = number
                    .parse()
                    .ok()
                    .and_then(|number: usize| self.0.get(number));
                match (name, rest.strip_prefix(['x', 'X'])) {
                    (Some(name), Some(rest)) => changed.extend([&with(form, name), rest]),
                    _ => changed.extend([start, part]),
                }
            }
            if changed != *replaced {
                replaced = Cow::Owned(changed);
            }
        }
        replaced
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_replaced_by_its_own() {
        let mut names = StandIns::default();
        let name = |proto: &str, camel: &str, snake: &str| Name {
            proto: proto.to_owned(),
            camel: camel.to_owned(),
            snake: snake.to_owned(),
        };
        assert_eq!(
            names.of_type(name("type", "type_", "type__")),
            "RpcStandIn0x"
        );
        assert_eq!(names.of_item(name("_", "___", "__")), "rpc_stand_in1x");
        assert_eq!(
            names.in_code(
                "__RPC_STAND_IN0X_ANY: rpc_stand_in0x::RpcStandIn0xView, a_rpc_stand_in1x"
            ),
            "__TYPE___ANY: type__::type_View, a___"
        );
        assert_eq!(
            names.in_text("\"a.v1.RpcStandIn0x.rpc_stand_in1x\""),
            "\"a.v1.type._\""
        );
        for other in [
            "RpcStandIn2x",
            "RpcStandIn",
            "rpc_stand_in0",
            "RpcStandIn0",
            "stand_in0x",
        ] {
            assert_eq!(names.in_code(other), other);
        }
    }
}
