//! From a name and parameters to a method and the message that it is called with.

use std::borrow::Cow;

use bytes::{BufMut, Bytes, BytesMut};
use serde_json::value::RawValue;

use super::envelope::items;
use super::failure::Failure;
use crate::call::{Method, MethodTable};
use crate::status::Status;

/// So many of the methods that a name may mean are shown.
const SHOWN: usize = 4;

/// What a call passes, each value as it stands in the text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arguments<'a> {
    /// An array, or an object.
    pub(crate) params: Option<&'a RawValue>,
    /// An object of more, beside an array.
    pub(crate) kwargs: Option<&'a RawValue>,
}

/// What a name means.
pub(super) struct Named {
    /// What nobody serves has the path that it would have, as there may be a fallback.
    pub(super) method: Method,
    pub(super) is_known: bool,
    /// The methods that it means as much as any other, if there are several.
    candidates: Vec<Method>,
}

impl Named {
    /// Finds what a name means: `service.method`, the path `service/method`, the name of a function,
    /// the name of a method of the `flat` service, or of one that only one service has.
    pub(super) fn find(methods: &dyn MethodTable, flat: Option<&str>, name: &str) -> Self {
        let path = path(name);
        let found = methods.resolve(&path).or_else(|| methods.resolve(name));
        let found = found.or_else(|| methods.resolve(&format!("{}/{name}", flat?)));
        let mut candidates = Vec::new();
        let found = found.or_else(|| {
            candidates = methods.find(name);
            match candidates.len() {
                1 => candidates.pop(),
                _ => None,
            }
        });
        Self {
            is_known: found.is_some(),
            method: found.unwrap_or_else(|| Method::named(path.as_ref())),
            candidates,
        }
    }

    /// Says why a service knows nothing of it.
    pub(super) fn not_found(&self, name: &str) -> Failure {
        if self.candidates.is_empty() {
            let method = name.to_owned();
            return Failure::NotFound { method };
        }
        let shown = self.candidates.iter().take(SHOWN);
        let shown = shown.map(|it| format!("`{}.{}`", it.service(), it.name()));
        let shown = shown.collect::<Vec<_>>().join(", ");
        Failure::Status(Status::unimplemented(format!(
            "several services have a method `{name}`, so it must be called by its full name, such as {shown}"
        )))
    }
}

/// Returns the path of `service.method`.
fn path(name: &str) -> Cow<'_, str> {
    match name.rsplit_once('.') {
        Some((service, method)) if !name.contains('/') => [service, "/", method].concat().into(),
        _ => name.into(),
    }
}

impl Arguments<'_> {
    /// Makes the message for a method; `text` is what the values stand in.
    ///
    /// # Errors
    ///
    /// Arguments that cannot be those of the method, whatever their types.
    pub(super) fn message(&self, method: &Method, text: &Bytes) -> Result<Bytes, Status> {
        let descriptor = method.descriptor();
        let kwargs = self.kwargs.filter(|it| !is_empty(it));
        let params = self.params.filter(|it| kwargs.is_none() || !is_empty(it));
        let message = match (params, kwargs) {
            (None, None) => return Ok(Bytes::new()),
            (Some(only), None) | (None, Some(only)) => text.slice_ref(only.get().as_bytes()),
            (Some(params), Some(kwargs)) => {
                let names = descriptor.map(|it| it.args()).unwrap_or_default();
                named(names, params, kwargs)?
            }
        };
        if descriptor.is_some_and(|it| it.is_bare()) && message.first() == Some(&b'[') {
            return the_only(&message);
        }
        Ok(message)
    }
}

fn is_empty(value: &RawValue) -> bool {
    let text = value.get().as_bytes();
    let inside = text.get(1..text.len().saturating_sub(1));
    inside.is_none_or(|it| it.trim_ascii().is_empty())
}

/// Gives arguments by position their names, beside those that have one.
fn named(names: &[&str], params: &RawValue, kwargs: &RawValue) -> Result<Bytes, Status> {
    let values = items(params.get().as_bytes(), names.len()).map_err(|_| {
        Status::invalid_argument("the method has no names for so many arguments by position")
    })?;
    let more = kwargs.get().strip_prefix('{').unwrap_or_default();
    let mut out = BytesMut::with_capacity(params.get().len() + more.len() + 16 * values.len());
    out.put_u8(b'{');
    for (name, value) in names.iter().zip(values) {
        // The names are those of Rust's arguments, in which nothing is escaped.
        out.put_u8(b'"');
        out.put_slice(name.as_bytes());
        out.put_slice(b"\":");
        out.put_slice(value.as_bytes());
        out.put_u8(b',');
    }
    out.put_slice(more.as_bytes());
    Ok(out.freeze())
}

/// Takes the one argument of a method that takes it for its whole message.
fn the_only(message: &Bytes) -> Result<Bytes, Status> {
    match items(message, 1).as_deref() {
        Ok([only]) => Ok(message.slice_ref(only.as_bytes())),
        _ => Err(Status::invalid_argument("the method takes one argument")),
    }
}
