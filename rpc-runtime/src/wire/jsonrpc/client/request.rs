//! A request as the text that goes out.

use bytes::{BufMut, Bytes, BytesMut};
use serde::Deserializer;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::call::{EXPECTED_KIND, Method, MethodKind, Request};
use crate::codec::Encoding;
use crate::status::Status;
use crate::wire::jsonrpc::dialect::{Dialect, Outgoing};

/// Writes a call.
///
/// # Errors
///
/// What the dialect has no form for, and a text over the limit.
pub(crate) fn text(
    dialect: &Dialect,
    request: &mut Request,
    id: u64,
    limit: usize,
) -> Result<BytesMut, Status> {
    let method = request.method().clone();
    let descriptor = method.descriptor();
    // One says what an answer of one message says too.
    let mut names = request.metadata().keys();
    if let Some(name) = names.find(|it| *it != EXPECTED_KIND) {
        let text = format!("{dialect:?} has no metadata, such as `{name}`, here");
        return Err(Status::invalid_argument(text));
    }
    let timeout = request.remaining();
    let message = match request.take_body().take_single() {
        Some(mut message) => message.bytes(Encoding::JSON)?,
        None => Bytes::new(),
    };
    let arguments = arguments(dialect, &method, message);
    let mut out = BytesMut::with_capacity(arguments.len() + 128);
    (dialect.write_call)(
        &mut out,
        &Outgoing {
            id,
            name: name(dialect, &method),
            arguments: &arguments,
            timeout,
            is_idempotent: descriptor.is_some_and(|it| it.is_idempotent()),
        },
    );
    if out.len() > limit {
        return Err(Status::resource_exhausted(format!(
            "a message is over the client's limit `max_message` of {limit} bytes"
        )));
    }
    Ok(out)
}

/// Returns the method that ends the stream which a call opens, if it opens one.
///
/// A call by its name alone opens one where the name says so: nobody could tell the id of a
/// subscription from a value.
///
/// # Errors
///
/// Streams that the dialect has no form for.
pub(crate) fn ending(dialect: &Dialect, request: &Request) -> Result<Option<String>, Status> {
    let method = request.method();
    let kind = method.descriptor().map(|it| it.kind());
    let is_download = match kind {
        Some(kind) => kind.is_download(),
        None => {
            let expected = request.metadata().get(EXPECTED_KIND);
            let expects = expected.is_some_and(|it| it == MethodKind::ServerStreaming.name());
            expects && method.name().contains("subscribe")
        }
    };
    let is_upload = request.body().is_stream();
    match dialect.ending.filter(|_| !is_upload) {
        _ if !is_download && !is_upload => Ok(None),
        Some(ending) => Ok(Some(ending(&name(dialect, method)))),
        None => {
            let text = format!("{dialect:?} has no such streams");
            Err(Status::unimplemented(text))
        }
    }
}

fn name<'a>(dialect: &Dialect, method: &'a Method) -> std::borrow::Cow<'a, str> {
    match method.service() {
        service if !service.is_empty() && !dialect.is_flat => {
            [service, ".", method.name()].concat().into()
        }
        _ => method.name().into(),
    }
}

/// Makes an array or an object of a message, or nothing if there are no arguments.
fn arguments(dialect: &Dialect, method: &Method, message: Bytes) -> Bytes {
    let descriptor = method.descriptor();
    let is_bare = descriptor.is_some_and(|it| it.is_bare());
    match message.first() {
        None => message,
        Some(b'n') if !is_bare => Bytes::new(),
        Some(b'{') if !is_bare && dialect.is_positional && descriptor.is_some() => {
            by_position(&message).unwrap_or(message)
        }
        Some(b'[' | b'{') if !is_bare => message,
        Some(_) => {
            let mut array = BytesMut::with_capacity(message.len() + 2);
            array.put_u8(b'[');
            array.put_slice(&message);
            array.put_u8(b']');
            array.freeze()
        }
    }
}

/// Takes the values of an object, which a client of ours has put in their order.
fn by_position(object: &[u8]) -> Option<Bytes> {
    let mut out = BytesMut::with_capacity(object.len());
    let mut deserializer = serde_json::Deserializer::from_slice(object);
    deserializer.deserialize_map(Values(&mut out)).ok()?;
    out.put_u8(b']');
    Some(out.freeze())
}

struct Values<'a>(&'a mut BytesMut);

impl<'de> Visitor<'de> for Values<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("arguments by name")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let mut before = b'[';
        while let Some((_, value)) = map.next_entry::<IgnoredAny, &RawValue>()? {
            self.0.put_u8(before);
            self.0.put_slice(value.get().as_bytes());
            before = b',';
        }
        if before == b'[' {
            self.0.put_u8(b'[');
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_by_name_become_arguments_by_position() {
        for (object, array) in [
            ("{}", "[]"),
            (r#"{"a":1}"#, "[1]"),
            (r#"{"a":[1,{}],"b":null,"c":"x"}"#, r#"[[1,{}],null,"x"]"#),
        ] {
            assert_eq!(by_position(object.as_bytes()).unwrap(), array);
        }
    }
}
