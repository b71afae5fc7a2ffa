//! What JSON knows of an `Any` and of extensions: how the values that were put aside become messages.
//!
//! buffa has functions for it too, and would take as much of the stack as a peer likes: a message in an `Any` is read within
//! the reading of the one that has it. So generated code, which names buffa through the runtime, finds these in their place.

use std::cell::RefCell;
use std::rc::Rc;

use buffa::type_registry::{JsonAnyEntry, TypeRegistry};
use buffa::{Message, MessageName, UnknownField, UnknownFieldData};
use buffa_types::google::protobuf::{Any, ListValue, Struct, Value};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::codec::bounded::{Bounded, Bounds};

thread_local! {
    /// What the message that is being read may take.
    static WATCHED: RefCell<Option<Rc<Bounds>>> = const { RefCell::new(None) };
}

/// Has what is put aside while `read` runs be read within the same bounds.
pub(super) fn watched<T>(bounds: &Rc<Bounds>, read: impl FnOnce() -> T) -> T {
    struct Before(Option<Rc<Bounds>>);

    impl Drop for Before {
        fn drop(&mut self) {
            WATCHED.set(self.0.take());
        }
    }

    let _before = Before(WATCHED.replace(Some(Rc::clone(bounds))));
    read()
}

/// Reads a message from what was put aside, and writes it in binary form.
fn binary<M: Message + DeserializeOwned>(value: Json) -> Result<Vec<u8>, String> {
    let message: serde_json::Result<M> = match WATCHED.with_borrow(Option::clone) {
        Some(bounds) => M::deserialize(Bounded::new(value, &bounds)),
        // Somebody reads JSON without the codec.
        None => serde_json::from_value(value),
    };
    let message = message.map_err(|error| error.to_string())?;
    message
        .try_encode_to_vec()
        .map_err(|error| error.to_string())
}

/// Reads what an `Any` holds.
#[doc(hidden)]
pub fn any_from_json<M: Message + DeserializeOwned>(value: Json) -> Result<Vec<u8>, String> {
    binary::<M>(value)
}

/// Reads an extension that is a message.
#[doc(hidden)]
pub fn message_from_json<M: Message + DeserializeOwned>(
    value: Json,
    number: u32,
) -> Result<Vec<UnknownField>, String> {
    let bytes = binary::<M>(value).map_err(|error| format!("field {number}: {error}"))?;
    Ok(vec![UnknownField {
        number,
        data: UnknownFieldData::LengthDelimited(bytes),
    }])
}

/// Reads an extension that is a list of messages.
#[doc(hidden)]
pub fn repeated_message_from_json<M: Message + DeserializeOwned>(
    value: Json,
    number: u32,
) -> Result<Vec<UnknownField>, String> {
    let Json::Array(values) = value else {
        return Err(format!("field {number}: expected array"));
    };
    let mut fields = Vec::with_capacity(values.len());
    for value in values {
        fields.extend(message_from_json::<M>(value, number)?);
    }
    Ok(fields)
}

/// Adds the messages of `google.protobuf` to those of which JSON knows what an `Any` holds.
pub fn register_types(registry: &mut TypeRegistry) {
    buffa_types::register_wkt_types(registry);
    // Those that may hold others.
    registry.register_json_any(entry::<Any>());
    registry.register_json_any(entry::<Struct>());
    registry.register_json_any(entry::<Value>());
    registry.register_json_any(entry::<ListValue>());
}

fn entry<M: Message + MessageName + DeserializeOwned + serde::Serialize>() -> JsonAnyEntry {
    JsonAnyEntry {
        type_url: M::TYPE_URL,
        to_json: buffa::type_registry::any_to_json::<M>,
        from_json: any_from_json::<M>,
        is_wkt: true,
    }
}
