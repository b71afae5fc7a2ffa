//! What is inside lists, maps, structs and variants, as it is written.

use std::mem;

use bytes::Bytes;
use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use super::error::Error;
use super::serializer::Serializer;
use super::write::{ARRAY, MAP, Markers, NIL};

/// A list or a map.
pub(super) struct Container<'s, 'a, 'b> {
    serializer: &'s mut Serializer<'a, 'b>,
    unknown: Option<Unknown<'b>>,
}

/// What is kept of a list or a map whose length is known at its end.
struct Unknown<'b> {
    /// Where the byte for the head is.
    start: usize,
    /// How many values there are, keys among them.
    count: usize,
    /// What was shared instead of copied before it.
    large: &'b [Option<&'b Bytes>],
}

impl<'b> Unknown<'b> {
    /// Leaves a byte for a head that is known later. What is behind it may have to move, so nothing
    /// of that can be shared.
    fn begin(serializer: &mut Serializer<'_, 'b>) -> Self {
        let start = serializer.out.out.len();
        serializer.put([NIL]);
        Self {
            start,
            count: 0,
            large: mem::take(&mut serializer.out.large),
        }
    }
}

impl<'s, 'a, 'b> Container<'s, 'a, 'b> {
    #[inline]
    pub(super) fn begin(
        serializer: &'s mut Serializer<'a, 'b>,
        markers: &'static Markers,
        length: Option<usize>,
    ) -> Result<Self, Error> {
        let unknown = match length {
            Some(length) => {
                serializer.put_head(markers, length)?;
                None
            }
            None => Some(Unknown::begin(serializer)),
        };
        Ok(Self {
            serializer,
            unknown,
        })
    }

    #[inline]
    fn value<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
        if let Some(unknown) = &mut self.unknown {
            unknown.count += 1;
        }
        value.serialize(&mut *self.serializer)
    }

    #[inline]
    fn end(self, markers: &Markers, values_each: usize) -> Result<(), Error> {
        let Some(unknown) = self.unknown else {
            return Ok(());
        };
        let out = &mut *self.serializer.out;
        out.large = unknown.large;
        markers.put_before(unknown.count / values_each, unknown.start, out.out)
    }
}

impl SerializeSeq for Container<'_, '_, '_> {
    type Ok = ();
    type Error = Error;

    #[inline]
    fn serialize_element<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
        self.value(value)
    }

    #[inline]
    fn end(self) -> Result<(), Error> {
        self.end(&ARRAY, 1)
    }
}

impl SerializeMap for Container<'_, '_, '_> {
    type Ok = ();
    type Error = Error;

    #[inline]
    fn serialize_key<T: ?Sized + Serialize>(&mut self, key: &T) -> Result<(), Error> {
        self.value(key)
    }

    #[inline]
    fn serialize_value<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
        self.value(value)
    }

    #[inline]
    fn end(self) -> Result<(), Error> {
        self.end(&MAP, 2)
    }
}

/// The fields of a tuple, a struct or a variant.
pub(super) struct Fields<'s, 'a, 'b> {
    serializer: &'s mut Serializer<'a, 'b>,
}

impl<'s, 'a, 'b> Fields<'s, 'a, 'b> {
    #[inline]
    pub(super) fn new(serializer: &'s mut Serializer<'a, 'b>) -> Self {
        Self { serializer }
    }
}

/// Implements the traits of what has fields without names.
macro_rules! serialize_unnamed {
    ($($trait:ident::$method:ident)*) => {$(
        impl $trait for Fields<'_, '_, '_> {
            type Ok = ();
            type Error = Error;

            #[inline]
            fn $method<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
                value.serialize(&mut *self.serializer)
            }

            #[inline]
            fn end(self) -> Result<(), Error> {
                Ok(())
            }
        }
    )*};
}

serialize_unnamed! {
    SerializeTuple::serialize_element
    SerializeTupleStruct::serialize_field
    SerializeTupleVariant::serialize_field
}

/// Implements the traits of what has fields with names.
macro_rules! serialize_named {
    ($($trait:ident)*) => {$(
        impl $trait for Fields<'_, '_, '_> {
            type Ok = ();
            type Error = Error;

            #[inline]
            fn serialize_field<T: ?Sized + Serialize>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Error> {
                self.serializer.put_str(name)?;
                value.serialize(&mut *self.serializer)
            }

            #[inline]
            fn end(self) -> Result<(), Error> {
                Ok(())
            }
        }
    )*};
}

serialize_named! { SerializeStruct SerializeStructVariant }
