//! serde's [`Deserializer`](serde::Deserializer) over a [`Reader`].

use serde::de::value::SeqDeserializer;
use serde::de::{Error as _, Visitor};

use super::EXTENSION;
use super::access::{Elements, Entries, Extension, UnitVariant, Variant};
use super::error::Error;
use super::read::{Reader, Token};
use super::text::{is_same, visit_string};
use super::write::NIL;

const EMPTY_ARRAY: u8 = 0x90;

/// Gives serde the values of a message.
///
/// Its methods have the common forms inline; what is left goes by the [`Token`] that comes next,
/// in code that there is only once for each visitor.
#[derive(Debug)]
pub(super) struct Deserializer<'de> {
    pub(super) reader: Reader<'de>,
    /// The fields that may come next, in the order of the type.
    pub(super) fields: Fields,
}

/// Whether values are part of the one that they are in, whose memory was counted: else they are of a list or a map.
const IN_PLACE: bool = true;
const LIST: bool = false;

/// The names of fields.
pub(super) type Fields = &'static [&'static str];

impl<'de> Deserializer<'de> {
    #[inline]
    pub(super) fn new(reader: Reader<'de>) -> Self {
        Self {
            reader,
            fields: &[],
        }
    }

    /// Visits what comes next, whatever it is.
    fn visit_next<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Error> {
        let start = self.reader.rest();
        match self.reader.token()? {
            Token::Map(count) => self.visit_map::<V, LIST>(count, start, &[], visitor),
            Token::Array(count) => self.visit_array::<V, LIST>(count, start, visitor),
            token => visit_scalar(token, visitor),
        }
    }

    /// Visits what comes next as a list, or `IN_PLACE` as a tuple or as a struct with these fields.
    fn visit_list<V: Visitor<'de>, const IN_PLACE: bool>(
        &mut self,
        fields: Fields,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let start = self.reader.rest();
        match self.reader.container_token()? {
            Token::Map(count) => self.visit_map::<V, IN_PLACE>(count, start, fields, visitor),
            Token::Array(count) => self.visit_array::<V, IN_PLACE>(count, start, visitor),
            Token::Bin(bytes) => visitor.visit_seq(SeqDeserializer::new(bytes.iter().copied())),
            token => visit_scalar(token, visitor),
        }
    }

    #[inline]
    fn visit_array<V: Visitor<'de>, const IN_PLACE: bool>(
        &mut self,
        count: u32,
        start: &'de [u8],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.reader.fill::<V::Value>()?;
        let outside = self.reader.enter(u64::from(count), start)?;
        let mut elements = Elements::<IN_PLACE>::new(self, count);
        let result = visitor.visit_seq(&mut elements);
        let left = elements.left();
        self.reader.leave(outside);
        let value = result?;
        if left == 0 {
            return Ok(value);
        }
        Err(too_many("values", count, left))
    }

    #[inline]
    fn visit_map<V: Visitor<'de>, const IN_PLACE: bool>(
        &mut self,
        count: u32,
        start: &'de [u8],
        fields: Fields,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.reader.fill::<V::Value>()?;
        let outside = self.reader.enter(u64::from(count) * 2, start)?;
        let mut entries = Entries::<IN_PLACE>::new(self, count, fields);
        let result = visitor.visit_map(&mut entries);
        let left = entries.left();
        self.reader.leave(outside);
        let value = result?;
        if left == 0 {
            return Ok(value);
        }
        Err(too_many("entries", count, left))
    }

    /// Visits a variant with data: a map of its name to it.
    fn visit_variant<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Error> {
        let start = self.reader.rest();
        let token = self.reader.token()?;
        let Token::Map(1) = token else {
            return Err(Error::new("a variant with data is a map with one entry"));
        };
        let outside = self.reader.enter(2, start)?;
        self.reader.take_owed(2);
        let result = visitor.visit_enum(Variant::new(self));
        self.reader.leave(outside);
        result
    }

    /// Returns the name of the field if it is one that may come next: it need not be checked to be
    /// UTF-8, as the type has the same text.
    #[inline]
    fn take_field(&mut self, name: &[u8]) -> Option<&'static str> {
        let (next, others) = self.fields.split_first()?;
        if is_same(next.as_bytes(), name) {
            self.fields = others;
            return Some(next);
        }
        None
    }
}

/// Visits what has no other values in it.
fn visit_scalar<'de, V: Visitor<'de>>(token: Token<'de>, visitor: V) -> Result<V::Value, Error> {
    match token {
        Token::Str(bytes) => visit_string(bytes, visitor),
        Token::Bin(bytes) => visitor.visit_borrowed_bytes(bytes),
        Token::U8(value) => visitor.visit_u8(value),
        Token::U16(value) => visitor.visit_u16(value),
        Token::U32(value) => visitor.visit_u32(value),
        Token::U64(value) => visitor.visit_u64(value),
        Token::I8(value) => visitor.visit_i8(value),
        Token::I16(value) => visitor.visit_i16(value),
        Token::I32(value) => visitor.visit_i32(value),
        Token::I64(value) => visitor.visit_i64(value),
        Token::F32(value) => visitor.visit_f32(value),
        Token::F64(value) => visitor.visit_f64(value),
        Token::Bool(value) => visitor.visit_bool(value),
        Token::Nil => visitor.visit_unit(),
        Token::Ext(kind, bytes) => visitor.visit_newtype_struct(Extension::new(kind, bytes)),
        // Whoever took the head of a container goes into it.
        Token::Map(_) | Token::Array(_) => Err(Error::new("a container without its values")),
    }
}

#[cold]
fn too_many(what: &str, count: u32, left: u32) -> Error {
    let expected = count - left;
    Error::new(format_args!(
        "too many {what}: expected {expected}, found {count}"
    ))
}

/// Numbers, of which those of 8 bits are the most common.
macro_rules! deserialize_numbers {
    ($($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self.reader.take_u8() {
                Some(value) => visitor.visit_u8(value),
                None => self.visit_next(visitor),
            }
        }
    )*};
}

/// Strings, of which those below 32 bytes are the most common.
macro_rules! deserialize_strings {
    ($($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self.reader.take_short_string() {
                Some(bytes) => visit_string(bytes, visitor),
                None => self.visit_next(visitor),
            }
        }
    )*};
}

/// What is read as what the message says it is.
macro_rules! deserialize_next {
    ($($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.visit_next(visitor)
        }
    )*};
}

impl<'de> serde::Deserializer<'de> for &mut Deserializer<'de> {
    type Error = Error;

    deserialize_numbers! {
        deserialize_u8 deserialize_u16 deserialize_u32
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
    }
    deserialize_strings! { deserialize_str deserialize_string }
    deserialize_next! {
        deserialize_any deserialize_bool deserialize_f32 deserialize_f64 deserialize_char
        deserialize_bytes deserialize_byte_buf deserialize_unit deserialize_map
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }

    #[inline]
    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.reader.take_unsigned() {
            Some(value) => visitor.visit_u64(value),
            None => self.visit_next(visitor),
        }
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_i128(match read_wide(self.reader.token()?)? {
            Wide::Integer(value) => value,
            Wide::Bytes(bytes) => i128::from_be_bytes(bytes),
        })
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_u128(match read_wide(self.reader.token()?)? {
            Wide::Integer(value) => value
                .try_into()
                .map_err(|_| Error::new("expected u128, found a negative integer"))?,
            Wide::Bytes(bytes) => u128::from_be_bytes(bytes),
        })
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.reader.take_if(NIL) {
            self.reader.fill::<V::Value>()?;
            return visitor.visit_none();
        }
        self.reader.enter_some()?;
        visitor.visit_some(self)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let start = self.reader.rest();
        if self.reader.take_if(EMPTY_ARRAY) {
            let outside = self.reader.enter(0, start)?;
            self.reader.leave(outside);
            return visitor.visit_unit();
        }
        self.visit_next(visitor)
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if name != EXTENSION {
            return visitor.visit_newtype_struct(self);
        }
        match self.reader.token()? {
            Token::Ext(kind, bytes) => visitor.visit_newtype_struct(Extension::new(kind, bytes)),
            _ => Err(Error::new("expected an extension")),
        }
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.visit_list::<V, LIST>(&[], visitor)
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.visit_list::<V, IN_PLACE>(&[], visitor)
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.visit_list::<V, IN_PLACE>(&[], visitor)
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: Fields,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.visit_list::<V, IN_PLACE>(fields, visitor)
    }

    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.reader.fill::<V::Value>()?;
        match self.reader.peek() {
            Some(0x80..=0x8f | 0xde | 0xdf) => self.visit_variant(visitor),
            _ => visitor.visit_enum(UnitVariant::new(self)),
        }
    }

    #[inline]
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Some(name) = self.reader.take_short_string() else {
            return self.visit_next(visitor);
        };
        match self.take_field(name) {
            Some(field) => visitor.visit_borrowed_str(field),
            None => visit_string(name, visitor),
        }
    }

    #[inline]
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.reader.skip()?;
        visitor.visit_unit()
    }
}

/// An integer that goes into 128 bits.
enum Wide {
    Integer(i128),
    /// What MessagePack has no integer for is written as its bytes.
    Bytes([u8; 16]),
}

fn read_wide(token: Token<'_>) -> Result<Wide, Error> {
    Ok(Wide::Integer(match token {
        Token::U8(value) => value.into(),
        Token::U16(value) => value.into(),
        Token::U32(value) => value.into(),
        Token::U64(value) => value.into(),
        Token::I8(value) => value.into(),
        Token::I16(value) => value.into(),
        Token::I32(value) => value.into(),
        Token::I64(value) => value.into(),
        Token::Bin(bytes) => match bytes.try_into() {
            Ok(bytes) => return Ok(Wide::Bytes(bytes)),
            Err(_) => return Err(Error::invalid_length(bytes.len(), &"16 bytes")),
        },
        _ => return Err(Error::new("expected an integer or the 16 bytes of one")),
    }))
}
