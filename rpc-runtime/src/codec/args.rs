//! The arguments of a method as one value: a struct whose field names come at run time.
//!
//! No type is generated per method. A tuple and a list of names are written with
//! `serialize_struct` and read with `deserialize_struct`, as a derive would do.

use std::fmt;
use std::marker::PhantomData;

use bytes::{Bytes, BytesMut};
use serde::de::value::Error as PlainError;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess,
    Visitor,
};
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer, forward_to_deserialize_any};

#[cfg(feature = "postcard")]
use super::SerdeWithPostcard;
use super::serde_codec::{SerdeValue, decode_args, encode_args, encode_args_sharing};
use super::shared_bytes::{Pieces, SharingSeed, as_large_bytes};
use super::{CodecError, DecodeLimits, EncodesArgs, Encoding, Serde};

/// The names of a method's arguments, in order.
type Names = &'static [&'static str];

/// What the formats that show the name of a struct show.
const STRUCT_NAME: &str = "Arguments";

/// A tuple of arguments, the part of [`EncodesArgs`] that knows nothing of encodings.
pub(super) trait Arguments: Sized {
    /// Writes the arguments as a struct.
    fn write<S: Serializer>(&self, names: Names, serializer: S) -> Result<S::Ok, S::Error>;

    /// Lends the arguments that are large `Bytes`, which need not be copied.
    fn with_large_bytes<R>(&self, use_them: impl FnOnce(&[Option<&Bytes>]) -> R) -> R;

    /// Reads the arguments by position.
    fn read_seq<'de, S: SeqAccess<'de>>(reading: Reading<'_>, seq: S) -> Result<Self, S::Error>;

    /// Reads the arguments by name.
    fn read_map<'de, M: MapAccess<'de>>(reading: Reading<'_>, map: M) -> Result<Self, M::Error>;

    /// Returns what the arguments are when none was sent.
    fn absent(names: Names) -> Result<Self, PlainError>;
}

/// Serializes arguments.
pub(super) struct WriteArguments<'a, A> {
    pub(super) names: Names,
    pub(super) args: &'a A,
}

impl<A: Arguments> Serialize for WriteArguments<'_, A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.args.write(self.names, serializer)
    }
}

/// What the arguments are read from.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    names: Names,
    /// The encoded bytes, of which `Bytes` may be slices.
    source: &'a Bytes,
}

/// Deserializes one or more arguments.
pub(super) struct ReadArguments<'a, A> {
    reading: Reading<'a>,
    arguments: PhantomData<fn() -> A>,
}

impl<'a, A> ReadArguments<'a, A> {
    pub(super) fn new(names: Names, source: &'a Bytes) -> Self {
        Self {
            reading: Reading { names, source },
            arguments: PhantomData,
        }
    }
}

impl<'de, A: Arguments> DeserializeSeed<'de> for ReadArguments<'_, A> {
    type Value = A;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<A, D::Error> {
        deserializer.deserialize_struct(STRUCT_NAME, self.reading.names, self)
    }
}

impl<'de, A: Arguments> Visitor<'de> for ReadArguments<'_, A> {
    type Value = A;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a map or an array of the arguments `{}`",
            self.reading.names.join("`, `")
        )
    }

    fn visit_seq<S: SeqAccess<'de>>(self, seq: S) -> Result<A, S::Error> {
        A::read_seq(self.reading, seq)
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<A, M::Error> {
        A::read_map(self.reading, map)
    }
}

/// What a peer is told that sends an argument where there is none.
const UNEXPECTED_ARGUMENT: &str = "the method takes no arguments";

/// Deserializes what a peer may send in place of no arguments.
pub(super) struct ReadNoArguments;

impl<'de> DeserializeSeed<'de> for ReadNoArguments {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ReadNoArguments {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no arguments")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<(), S::Error> {
        match seq.next_element::<IgnoredAny>()? {
            None => Ok(()),
            Some(_) => Err(S::Error::custom(UNEXPECTED_ARGUMENT)),
        }
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        match map.next_key::<IgnoredAny>()? {
            None => Ok(()),
            Some(_) => Err(M::Error::custom(UNEXPECTED_ARGUMENT)),
        }
    }
}

/// Returns the name of the argument with this index.
fn name_of(names: Names, index: usize) -> &'static str {
    // Both lists come from one method, so there is a name; and if not, an empty one harms nobody.
    names.get(index).copied().unwrap_or_default()
}

/// Reads the next argument by position.
fn next<'de, T, S>(reading: Reading<'_>, index: usize, seq: &mut S) -> Result<T, S::Error>
where
    T: DeserializeOwned + 'static,
    S: SeqAccess<'de>,
{
    let names = reading.names;
    match seq.next_element_seed(SharingSeed::new(reading.source)) {
        Ok(Some(value)) => Ok(value),
        Ok(None) => absent(names, index).map_err(S::Error::custom),
        Err(error) => Err(in_argument(names, index, error)),
    }
}

/// Says which argument could not be read.
#[cold]
fn in_argument<E: serde::de::Error>(names: Names, index: usize, error: E) -> E {
    E::custom(format_args!(
        "argument `{}`: {error}",
        name_of(names, index)
    ))
}

/// Refuses elements after the last argument.
fn check_no_more<'de, S: SeqAccess<'de>>(expected: usize, seq: &mut S) -> Result<(), S::Error> {
    let mut found = expected;
    while seq.next_element::<IgnoredAny>()?.is_some() {
        found += 1;
    }
    if found == expected {
        return Ok(());
    }
    Err(S::Error::custom(format_args!(
        "too many arguments: expected {expected}, found {found}"
    )))
}

/// Reads the value of an argument that must not have one yet.
fn fill<'de, T, M>(
    slot: &mut Option<T>,
    reading: Reading<'_>,
    index: usize,
    map: &mut M,
) -> Result<(), M::Error>
where
    T: DeserializeOwned + 'static,
    M: MapAccess<'de>,
{
    let names = reading.names;
    if slot.is_some() {
        let name = name_of(names, index);
        return Err(M::Error::custom(format_args!(
            "argument `{name}` is there twice"
        )));
    }
    let value = map
        .next_value_seed(SharingSeed::new(reading.source))
        .map_err(|error| in_argument(names, index, error))?;
    *slot = Some(value);
    Ok(())
}

/// Returns what an argument is when it was not sent: `None` for an `Option`, else an error.
fn absent<T: DeserializeOwned>(names: Names, index: usize) -> Result<T, PlainError> {
    T::deserialize(MissingArgument {
        name: name_of(names, index),
    })
}

/// Deserializes nothing but an `Option`: what serde's derive does for a missing field, where only
/// the type itself knows whether it is an `Option`. The error is not generic, so that each type of
/// argument has only one copy of this.
struct MissingArgument {
    name: &'static str,
}

impl<'de> Deserializer<'de> for MissingArgument {
    type Error = PlainError;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, PlainError> {
        Err(PlainError::custom(format_args!(
            "missing argument `{}`",
            self.name
        )))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PlainError> {
        visitor.visit_none()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// Reads a key as the index of the argument with that name, if there is one.
struct ReadName(Names);

impl<'de> DeserializeSeed<'de> for ReadName {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for ReadName {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of an argument")
    }

    fn visit_str<E>(self, name: &str) -> Result<Option<usize>, E> {
        Ok(self.0.iter().position(|candidate| *candidate == name))
    }

    fn visit_bytes<E>(self, name: &[u8]) -> Result<Option<usize>, E> {
        Ok(self
            .0
            .iter()
            .position(|candidate| candidate.as_bytes() == name))
    }
}

/// Implements [`EncodesArgs`] for a tuple in a codec of serde types.
macro_rules! encodes_args {
    ($codec:ty: $($argument:ident)+) => {
        impl<$($argument: SerdeValue),+> EncodesArgs<($($argument,)+)> for $codec {
            fn encode_args(
                names: Names,
                args: &($($argument,)+),
                encoding: Encoding,
                out: &mut BytesMut,
            ) -> Result<(), CodecError> {
                encode_args::<Self, _>(names, args, encoding, out)
            }

            fn encode_args_sharing(
                names: Names,
                args: &($($argument,)+),
                encoding: Encoding,
                out: &mut BytesMut,
                pieces: &mut Pieces,
            ) -> Result<(), CodecError> {
                encode_args_sharing::<Self, _>(names, args, encoding, out, pieces)
            }

            fn decode_args(
                names: Names,
                bytes: &Bytes,
                encoding: Encoding,
                limits: DecodeLimits,
            ) -> Result<($($argument,)+), CodecError> {
                decode_args::<Self, _>(names, bytes, encoding, limits)
            }
        }
    };
}

/// Implements [`Arguments`] and [`EncodesArgs`] for a tuple.
macro_rules! arguments {
    ($count:literal: $($argument:ident $index:tt)+) => {
        impl<$($argument: SerdeValue),+> Arguments for ($($argument,)+) {
            fn write<S: Serializer>(&self, names: Names, serializer: S) -> Result<S::Ok, S::Error> {
                let mut fields = serializer.serialize_struct(STRUCT_NAME, $count)?;
                $(fields.serialize_field(name_of(names, $index), &self.$index)?;)+
                fields.end()
            }

            fn with_large_bytes<R>(&self, use_them: impl FnOnce(&[Option<&Bytes>]) -> R) -> R {
                use_them(&[$(as_large_bytes(&self.$index)),+])
            }

            fn read_seq<'de, S: SeqAccess<'de>>(
                reading: Reading<'_>,
                mut seq: S,
            ) -> Result<Self, S::Error> {
                let arguments = ($(next::<$argument, _>(reading, $index, &mut seq)?,)+);
                check_no_more($count, &mut seq)?;
                Ok(arguments)
            }

            fn read_map<'de, M: MapAccess<'de>>(
                reading: Reading<'_>,
                mut map: M,
            ) -> Result<Self, M::Error> {
                let names = reading.names;
                let mut found = ($(None::<$argument>,)+);
                while let Some(index) = map.next_key_seed(ReadName(names))? {
                    match index {
                        $(Some($index) => fill(&mut found.$index, reading, $index, &mut map)?,)+
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(($(match found.$index {
                    Some(value) => value,
                    None => absent(names, $index).map_err(M::Error::custom)?,
                },)+))
            }

            fn absent(names: Names) -> Result<Self, PlainError> {
                Ok(($(absent::<$argument>(names, $index)?,)+))
            }
        }

        encodes_args!(Serde: $($argument)+);
        #[cfg(feature = "postcard")]
        encodes_args!(SerdeWithPostcard: $($argument)+);
    };
}

arguments!(1: T0 0);
arguments!(2: T0 0 T1 1);
arguments!(3: T0 0 T1 1 T2 2);
arguments!(4: T0 0 T1 1 T2 2 T3 3);
arguments!(5: T0 0 T1 1 T2 2 T3 3 T4 4);
arguments!(6: T0 0 T1 1 T2 2 T3 3 T4 4 T5 5);
arguments!(7: T0 0 T1 1 T2 2 T3 3 T4 4 T5 5 T6 6);
arguments!(8: T0 0 T1 1 T2 2 T3 3 T4 4 T5 5 T6 6 T7 7);
arguments!(9: T0 0 T1 1 T2 2 T3 3 T4 4 T5 5 T6 6 T7 7 T8 8);
arguments!(10: T0 0 T1 1 T2 2 T3 3 T4 4 T5 5 T6 6 T7 7 T8 8 T9 9);
arguments!(11: T0 0 T1 1 T2 2 T3 3 T4 4 T5 5 T6 6 T7 7 T8 8 T9 9 T10 10);
arguments!(12: T0 0 T1 1 T2 2 T3 3 T4 4 T5 5 T6 6 T7 7 T8 8 T9 9 T10 10 T11 11);
arguments!(13: T0 0 T1 1 T2 2 T3 3 T4 4 T5 5 T6 6 T7 7 T8 8 T9 9 T10 10 T11 11 T12 12);
arguments!(14: T0 0 T1 1 T2 2 T3 3 T4 4 T5 5 T6 6 T7 7 T8 8 T9 9 T10 10 T11 11 T12 12 T13 13);
arguments!(15: T0 0 T1 1 T2 2 T3 3 T4 4 T5 5 T6 6 T7 7 T8 8 T9 9 T10 10
    T11 11 T12 12 T13 13 T14 14);
arguments!(16: T0 0 T1 1 T2 2 T3 3 T4 4 T5 5 T6 6 T7 7 T8 8 T9 9 T10 10
    T11 11 T12 12 T13 13 T14 14 T15 15);
