//! serde's [`Serializer`](serde::Serializer) into a buffer.

use std::fmt::{Display, Write as _};
use std::mem;

use serde::Serialize;

use super::EXTENSION;
use super::containers::{Container, Fields};
use super::error::Error;
use super::read::{Reader, Token};
use super::write::{
    ARRAY, BINARY, MAP, Markers, NIL, STRING, put, put_extension, put_signed, put_unsigned,
};
use crate::codec::appender::Appender;
use crate::codec::limits::DecodeLimits;

const FALSE: u8 = 0xc2;
const TRUE: u8 = 0xc3;
const FLOAT_32: u8 = 0xca;
const FLOAT_64: u8 = 0xcb;
const MAP_OF_ONE: u8 = 0x81;
const EMPTY_ARRAY: u8 = 0x90;

/// Appends the values that serde shows.
pub(super) struct Serializer<'a, 'b> {
    pub(super) out: &'a mut Appender<'b>,
}

impl<'a, 'b> Serializer<'a, 'b> {
    #[inline]
    pub(super) fn new(out: &'a mut Appender<'b>) -> Self {
        Self { out }
    }

    #[inline]
    pub(super) fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        put(self.out.out, bytes);
    }

    #[inline]
    pub(super) fn put_head(&mut self, markers: &Markers, length: usize) -> Result<(), Error> {
        markers.put(length, self.out.out)
    }

    #[inline]
    pub(super) fn put_str(&mut self, text: &str) -> Result<(), Error> {
        self.put_head(&STRING, text.len())?;
        self.out.out.extend_from_slice(text.as_bytes());
        Ok(())
    }

    /// Begins a map of a variant's name to its data.
    #[inline]
    fn begin_variant(&mut self, name: &str) -> Result<(), Error> {
        self.put([MAP_OF_ONE]);
        self.put_str(name)
    }

    /// Writes what is a tuple of a type and bytes as an extension.
    fn put_extension<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
        let start = self.out.out.len();
        let large = mem::take(&mut self.out.large);
        value.serialize(&mut *self)?;
        self.out.large = large;
        let tuple = self.out.out.split_off(start);
        let (kind, data) = read_extension(&tuple)
            .ok_or_else(|| Error::new("an extension must be a tuple of an i8 and bytes"))?;
        put_extension(self.out.out, kind, data)
    }
}

fn read_extension(tuple: &[u8]) -> Option<(i8, &[u8])> {
    let mut reader = Reader::new(tuple, DecodeLimits::default());
    let Token::Array(2) = reader.token().ok()? else {
        return None;
    };
    let kind = match reader.token().ok()? {
        Token::U8(kind) => i8::try_from(kind).ok()?,
        Token::I8(kind) => kind,
        _ => return None,
    };
    let Token::Bin(data) = reader.token().ok()? else {
        return None;
    };
    reader.finish().ok()?;
    Some((kind, data))
}

macro_rules! serialize_integers {
    ($($method:ident: $type:ty as $wide:ty => $put:ident;)*) => {$(
        #[inline]
        fn $method(self, value: $type) -> Result<(), Error> {
            $put(self.out.out, <$wide>::from(value));
            Ok(())
        }
    )*};
}

impl<'s, 'a, 'b> serde::Serializer for &'s mut Serializer<'a, 'b> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Container<'s, 'a, 'b>;
    type SerializeTuple = Fields<'s, 'a, 'b>;
    type SerializeTupleStruct = Fields<'s, 'a, 'b>;
    type SerializeTupleVariant = Fields<'s, 'a, 'b>;
    type SerializeMap = Container<'s, 'a, 'b>;
    type SerializeStruct = Fields<'s, 'a, 'b>;
    type SerializeStructVariant = Fields<'s, 'a, 'b>;

    serialize_integers! {
        serialize_u8: u8 as u64 => put_unsigned;
        serialize_u16: u16 as u64 => put_unsigned;
        serialize_u32: u32 as u64 => put_unsigned;
        serialize_u64: u64 as u64 => put_unsigned;
        serialize_i8: i8 as i64 => put_signed;
        serialize_i16: i16 as i64 => put_signed;
        serialize_i32: i32 as i64 => put_signed;
        serialize_i64: i64 as i64 => put_signed;
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }

    #[inline]
    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        self.put([if value { TRUE } else { FALSE }]);
        Ok(())
    }

    fn serialize_i128(self, value: i128) -> Result<(), Error> {
        self.serialize_bytes(&value.to_be_bytes())
    }

    fn serialize_u128(self, value: u128) -> Result<(), Error> {
        self.serialize_bytes(&value.to_be_bytes())
    }

    #[inline]
    fn serialize_f32(self, value: f32) -> Result<(), Error> {
        let [a, b, c, d] = value.to_be_bytes();
        self.put([FLOAT_32, a, b, c, d]);
        Ok(())
    }

    #[inline]
    fn serialize_f64(self, value: f64) -> Result<(), Error> {
        let [a, b, c, d, e, f, g, h] = value.to_be_bytes();
        self.put([FLOAT_64, a, b, c, d, e, f, g, h]);
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        self.put_str(value.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Result<(), Error> {
        self.put_str(value)
    }

    #[inline]
    fn serialize_bytes(self, value: &[u8]) -> Result<(), Error> {
        self.put_head(&BINARY, value.len())?;
        self.out.append(value);
        Ok(())
    }

    #[inline]
    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    #[inline]
    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    #[inline]
    fn serialize_unit(self) -> Result<(), Error> {
        self.put([NIL]);
        Ok(())
    }

    #[inline]
    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), Error> {
        self.put([EMPTY_ARRAY]);
        Ok(())
    }

    #[inline]
    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<(), Error> {
        self.put_str(variant)
    }

    #[inline]
    fn serialize_newtype_struct<T: ?Sized + Serialize>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        if name == EXTENSION {
            return self.put_extension(value);
        }
        value.serialize(self)
    }

    #[inline]
    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.begin_variant(variant)?;
        value.serialize(self)
    }

    #[inline]
    fn serialize_seq(self, length: Option<usize>) -> Result<Container<'s, 'a, 'b>, Error> {
        Container::begin(self, &ARRAY, length)
    }

    #[inline]
    fn serialize_tuple(self, length: usize) -> Result<Fields<'s, 'a, 'b>, Error> {
        self.put_head(&ARRAY, length)?;
        Ok(Fields::new(self))
    }

    #[inline]
    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        length: usize,
    ) -> Result<Fields<'s, 'a, 'b>, Error> {
        self.serialize_tuple(length)
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Fields<'s, 'a, 'b>, Error> {
        self.begin_variant(variant)?;
        self.serialize_tuple(length)
    }

    #[inline]
    fn serialize_map(self, length: Option<usize>) -> Result<Container<'s, 'a, 'b>, Error> {
        Container::begin(self, &MAP, length)
    }

    #[inline]
    fn serialize_struct(
        self,
        _name: &'static str,
        length: usize,
    ) -> Result<Fields<'s, 'a, 'b>, Error> {
        self.put_head(&MAP, length)?;
        Ok(Fields::new(self))
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        name: &'static str,
        _index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Fields<'s, 'a, 'b>, Error> {
        self.begin_variant(variant)?;
        self.serialize_struct(name, length)
    }

    fn collect_str<T: ?Sized + Display>(self, value: &T) -> Result<(), Error> {
        let out = &mut *self.out.out;
        let start = out.len();
        put(out, [NIL]);
        write!(out, "{value}").map_err(|_| Error::new("a value could not be displayed"))?;
        let length = out.len() - start - 1;
        STRING.put_before(length, start, out)
    }
}
