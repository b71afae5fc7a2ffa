//! What is inside lists, maps, variants and extensions.

use serde::de::value::{BorrowedBytesDeserializer, I8Deserializer};
use serde::de::{
    DeserializeSeed, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use serde::{Deserializer as _, forward_to_deserialize_any};

use super::deserializer::{Deserializer, Fields};
use super::error::Error;

/// The elements of an array: `IN_PLACE` if they are parts of the value that is read, such as fields, and else of a list.
pub(super) struct Elements<'a, 'de, const IN_PLACE: bool> {
    deserializer: &'a mut Deserializer<'de>,
    left: u32,
}

impl<'a, 'de, const IN_PLACE: bool> Elements<'a, 'de, IN_PLACE> {
    #[inline]
    pub(super) fn new(deserializer: &'a mut Deserializer<'de>, count: u32) -> Self {
        Self {
            deserializer,
            left: count,
        }
    }

    /// Returns how many have not been read.
    #[inline]
    pub(super) fn left(&self) -> u32 {
        self.left
    }
}

impl<'de, const IN_PLACE: bool> SeqAccess<'de> for Elements<'_, 'de, IN_PLACE> {
    type Error = Error;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        let Some(left) = self.left.checked_sub(1) else {
            return Ok(None);
        };
        self.left = left;
        self.deserializer.reader.take_owed(1);
        match IN_PLACE {
            true => self.deserializer.reader.put::<T::Value>(),
            false => self.deserializer.reader.add::<T::Value>()?,
        }
        seed.deserialize(&mut *self.deserializer).map(Some)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        usize::try_from(self.left).ok()
    }
}

/// The entries of a map, or `IN_PLACE` of a struct.
pub(super) struct Entries<'a, 'de, const IN_PLACE: bool> {
    deserializer: &'a mut Deserializer<'de>,
    left: u32,
    /// The fields of the struct that may come next.
    fields: Fields,
}

impl<'a, 'de, const IN_PLACE: bool> Entries<'a, 'de, IN_PLACE> {
    #[inline]
    pub(super) fn new(deserializer: &'a mut Deserializer<'de>, count: u32, fields: Fields) -> Self {
        Self {
            deserializer,
            left: count,
            fields,
        }
    }

    /// Returns how many have not been read.
    #[inline]
    pub(super) fn left(&self) -> u32 {
        self.left
    }
}

impl<'de, const IN_PLACE: bool> MapAccess<'de> for Entries<'_, 'de, IN_PLACE> {
    type Error = Error;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let Some(left) = self.left.checked_sub(1) else {
            return Ok(None);
        };
        self.left = left;
        self.deserializer.reader.take_owed(2);
        if !IN_PLACE {
            self.deserializer.reader.add::<K::Value>()?;
        }
        self.deserializer.fields = self.fields;
        let key = seed.deserialize(&mut *self.deserializer)?;
        self.fields = self.deserializer.fields;
        Ok(Some(key))
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        match IN_PLACE {
            true => self.deserializer.reader.put::<V::Value>(),
            false => self.deserializer.reader.add::<V::Value>()?,
        }
        seed.deserialize(&mut *self.deserializer)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        usize::try_from(self.left).ok()
    }
}

/// A variant that is only a name.
pub(super) struct UnitVariant<'a, 'de>(&'a mut Deserializer<'de>);

impl<'a, 'de> UnitVariant<'a, 'de> {
    #[inline]
    pub(super) fn new(deserializer: &'a mut Deserializer<'de>) -> Self {
        Self(deserializer)
    }
}

impl<'de> EnumAccess<'de> for UnitVariant<'_, 'de> {
    type Error = Error;
    type Variant = NoData;

    #[inline]
    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, NoData), Error> {
        Ok((seed.deserialize(self.0)?, NoData))
    }
}

/// What a variant has that is only a name.
pub(super) struct NoData;

impl NoData {
    #[cold]
    fn refuse<T>(expected: &'static str) -> Result<T, Error> {
        Err(Error::invalid_type(Unexpected::UnitVariant, &expected))
    }
}

impl<'de> VariantAccess<'de> for NoData {
    type Error = Error;

    #[inline]
    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _seed: T) -> Result<T::Value, Error> {
        Self::refuse("newtype variant")
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, _visitor: V) -> Result<V::Value, Error> {
        Self::refuse("tuple variant")
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: Fields,
        _visitor: V,
    ) -> Result<V::Value, Error> {
        Self::refuse("struct variant")
    }
}

/// A variant with data, in the map of its name to that.
pub(super) struct Variant<'a, 'de>(&'a mut Deserializer<'de>);

impl<'a, 'de> Variant<'a, 'de> {
    #[inline]
    pub(super) fn new(deserializer: &'a mut Deserializer<'de>) -> Self {
        Self(deserializer)
    }
}

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = Error;
    type Variant = Self;

    #[inline]
    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        Ok((seed.deserialize(&mut *self.0)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        serde::Deserialize::deserialize(self.0)
    }

    #[inline]
    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        self.0.reader.put::<T::Value>();
        seed.deserialize(self.0)
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        self.0.deserialize_tuple(len, visitor)
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: Fields,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.deserialize_struct("", fields, visitor)
    }
}

/// An extension, as a tuple of its type and its bytes.
pub(super) struct Extension<'de> {
    kind: Option<i8>,
    bytes: Option<&'de [u8]>,
}

impl<'de> Extension<'de> {
    pub(super) fn new(kind: i8, bytes: &'de [u8]) -> Self {
        Self {
            kind: Some(kind),
            bytes: Some(bytes),
        }
    }
}

impl<'de> serde::Deserializer<'de> for Extension<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

impl<'de> SeqAccess<'de> for Extension<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        if let Some(kind) = self.kind.take() {
            let kind: I8Deserializer<Error> = kind.into_deserializer();
            return seed.deserialize(kind).map(Some);
        }
        match self.bytes.take() {
            Some(bytes) => {
                let bytes = BorrowedBytesDeserializer::new(bytes);
                seed.deserialize(bytes).map(Some)
            }
            None => Ok(None),
        }
    }
}
