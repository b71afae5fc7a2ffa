//! What keeps serde within the [`Stack`] and the [`Memory`] when a format that is not ours calls it: [`Bounded`].

use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::DecodeLimits;
use super::memory::Memory;
use super::stack::Stack;

/// What decoding one message may take.
#[derive(Debug)]
pub(super) struct Bounds {
    pub(super) stack: Stack,
    pub(super) memory: Memory,
}

impl Bounds {
    /// Begins at the caller.
    #[inline]
    pub(super) fn new(limits: DecodeLimits, message_length: usize) -> Self {
        Self {
            stack: Stack::new(limits),
            memory: Memory::new(limits, message_length),
        }
    }
}

/// A deserializer, and whatever it hands on, that goes into no value for which stack or memory does not suffice.
///
/// What serde has put aside first, as for an untagged enum, comes from its own memory: there the length of the message and
/// its depth alone bound what it becomes.
pub(super) struct Bounded<'b, T> {
    inner: T,
    bounds: &'b Bounds,
    /// Of a visitor, and the accesses and seeds that it comes by: the values are parts of the one that it makes, such as
    /// fields, and were counted with it.
    is_in_place: bool,
}

impl<'b, T> Bounded<'b, T> {
    #[inline]
    pub(super) fn new(inner: T, bounds: &'b Bounds) -> Self {
        Self {
            inner,
            bounds,
            is_in_place: false,
        }
    }

    #[inline]
    fn in_place(inner: T, bounds: &'b Bounds) -> Self {
        Self {
            inner,
            bounds,
            is_in_place: true,
        }
    }

    /// Wraps what goes on where this was.
    #[inline]
    fn same<U>(&self, inner: U) -> Bounded<'b, U> {
        Bounded {
            inner,
            bounds: self.bounds,
            is_in_place: self.is_in_place,
        }
    }

    /// Goes into a value of type `V`.
    #[inline]
    fn enter<V, E: Error>(&self) -> Result<(), E> {
        if self.bounds.stack.ends_here() {
            return Err(E::custom("there is no stack left"));
        }
        enough(self.bounds.memory.fill::<V>())
    }

    /// Counts the value that a seed makes.
    #[inline]
    fn begin<V, E: Error>(&self) -> Result<(), E> {
        if self.is_in_place {
            self.bounds.memory.put::<V>();
            return Ok(());
        }
        enough(self.bounds.memory.add::<V>())
    }
}

#[inline]
fn enough<E: Error>(is_enough: bool) -> Result<(), E> {
    match is_enough {
        true => Ok(()),
        false => Err(E::custom("there is no memory left")),
    }
}

/// Values that hold no others go to their visitor as they are.
macro_rules! simple {
    ($($method:ident)*) => {
        $(#[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method(visitor)
        })*
    };
}

/// Those that may hold others, in a list or in place.
macro_rules! nested {
    ($is_in_place:literal: $($method:ident($($arg:ident: $type:ty),*))*) => {
        $(#[inline]
        fn $method<V: Visitor<'de>>(
            self,
            $($arg: $type,)*
            visitor: V,
        ) -> Result<V::Value, D::Error> {
            self.enter::<V::Value, D::Error>()?;
            let visitor = Bounded {
                inner: visitor,
                bounds: self.bounds,
                is_in_place: $is_in_place,
            };
            self.inner.$method($($arg,)* visitor)
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Bounded<'_, D> {
    type Error = D::Error;

    simple! {
        deserialize_bool
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64
        deserialize_char deserialize_str deserialize_string deserialize_identifier
        deserialize_unit deserialize_ignored_any
    }

    nested! {
        false:
        deserialize_any()
        deserialize_bytes()
        deserialize_byte_buf()
        deserialize_option()
        deserialize_newtype_struct(name: &'static str)
        deserialize_seq()
        deserialize_map()
    }

    nested! {
        true:
        deserialize_unit_struct(name: &'static str)
        deserialize_tuple(len: usize)
        deserialize_tuple_struct(name: &'static str, len: usize)
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! values {
    ($($method:ident($type:ty))*) => {
        $(#[inline]
        fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.inner.$method(value)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Bounded<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    values! {
        visit_bool(bool)
        visit_i8(i8) visit_i16(i16) visit_i32(i32) visit_i64(i64) visit_i128(i128)
        visit_u8(u8) visit_u16(u16) visit_u32(u32) visit_u64(u64) visit_u128(u128)
        visit_f32(f32) visit_f64(f64)
        visit_char(char) visit_str(&str) visit_borrowed_str(&'de str) visit_string(String)
        visit_bytes(&[u8]) visit_borrowed_bytes(&'de [u8]) visit_byte_buf(Vec<u8>)
    }

    #[inline]
    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    #[inline]
    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    #[inline]
    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.inner.visit_some(Bounded::new(inner, self.bounds))
    }

    #[inline]
    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.inner
            .visit_newtype_struct(Bounded::new(inner, self.bounds))
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let access = self.same(access);
        self.inner.visit_seq(access)
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let access = self.same(access);
        self.inner.visit_map(access)
    }

    #[inline]
    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let access = self.same(access);
        self.inner.visit_enum(access)
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Bounded<'_, S> {
    type Value = S::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        self.begin::<S::Value, D::Error>()?;
        self.inner.deserialize(Bounded::new(inner, self.bounds))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Bounded<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let seed = self.same(seed);
        self.inner.next_element_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Bounded<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        // The names of fields are no part of what is made.
        if self.is_in_place {
            return self.inner.next_key_seed(seed);
        }
        let seed = self.same(seed);
        self.inner.next_key_seed(seed)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        let seed = self.same(seed);
        self.inner.next_value_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, 'b, A: EnumAccess<'de>> EnumAccess<'de> for Bounded<'b, A> {
    type Error = A::Error;
    type Variant = Bounded<'b, A::Variant>;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), A::Error> {
        let bounds = self.bounds;
        let (value, variant) = self.inner.variant_seed(seed)?;
        Ok((value, Bounded::new(variant, bounds)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Bounded<'_, A> {
    type Error = A::Error;

    #[inline]
    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    #[inline]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        let seed = Bounded::in_place(seed, self.bounds);
        self.inner.newtype_variant_seed(seed)
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.enter::<V::Value, A::Error>()?;
        let visitor = Bounded::in_place(visitor, self.bounds);
        self.inner.tuple_variant(len, visitor)
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.enter::<V::Value, A::Error>()?;
        let visitor = Bounded::in_place(visitor, self.bounds);
        self.inner.struct_variant(fields, visitor)
    }
}
