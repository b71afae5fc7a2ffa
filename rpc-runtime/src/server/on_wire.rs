//! A type as a server's glue reads and writes it, or as it would if it could be sent.
//!
//! What a method takes and returns has to be named in the client and in the server. A type that
//! cannot be sent is reported where the client names it; here it is passed over, so that the user
//! sees a mistake once.

use std::marker::PhantomData;

use crate::call::{ArgsMessage, ErrorCode, Message, MethodError, NoCode, RpcError, ValueMessage};
use crate::codec::{Codec, Encodes, EncodesArgs};
use crate::status::{Code, Status};

/// The type `T` under the codec `C`.
///
/// Its inherent functions and constants shadow those of [`NotOnWire`], which hold for every type.
/// It works for types that are written out, which is what a macro needs, and needs the trait in
/// scope.
#[doc(hidden)]
#[derive(Debug)]
pub struct OnWire<C, T>(PhantomData<fn() -> (C, T)>);

impl<C: EncodesArgs<A>, A: Send + 'static> OnWire<C, A> {
    /// Reads arguments.
    pub fn args(names: &'static [&'static str], message: Message) -> Result<A, Status> {
        ArgsMessage::<C, A>::unwrap(names, message)
    }
}

impl<C: Encodes<T>, T: Send + 'static> OnWire<C, T> {
    /// Reads a value.
    pub fn read(message: Message) -> Result<T, Status> {
        ValueMessage::<C, T>::unwrap(message)
    }

    /// Writes a value.
    pub fn value(value: T) -> Result<ValueMessage<C, T>, Status> {
        Ok(ValueMessage::of(value))
    }
}

impl<C, T, E> OnWire<C, Result<T, E>>
where
    C: Encodes<T>,
    T: Send + 'static,
    E: MethodError<C>,
{
    /// Writes a value or the method's own error.
    pub fn result(
        result: Result<T, E>,
        code: impl ErrorCode<E>,
    ) -> Result<ValueMessage<C, T>, Status> {
        match result {
            Ok(value) => Ok(ValueMessage::of(value)),
            Err(error) => Err(error.into_status(code.into_reader())),
        }
    }
}

impl<C: Codec> OnWire<C, ()> {
    /// Whether the one argument of a method is the whole message.
    pub const IS_BARE: bool = C::IS_BARE;
}

impl<C, T, E> OnWire<C, Result<T, E>> {
    /// Whether the type is a `Result`.
    pub const IS_RESULT: bool = true;
}

impl<C, T, E: RpcError> OnWire<C, Result<T, E>> {
    /// Reads the code of the error.
    pub const CODE: fn(&E) -> Code = E::code;
}

/// What holds for a type where [`OnWire`] knows nothing better.
///
/// The functions stand in for its own where a type cannot be sent. They never run, because the
/// client of the same service does not compile.
#[doc(hidden)]
pub trait NotOnWire {
    /// The type.
    type Value;
    /// Whether the type is a `Result`.
    const IS_RESULT: bool = false;
    /// Whether the one argument of a method is the whole message.
    const IS_BARE: bool = false;
    /// Says that the error, if there is one, has no code of its own.
    const CODE: NoCode = NoCode;

    /// Stands in for reading arguments.
    fn args(_: &'static [&'static str], _: Message) -> Result<Self::Value, Status> {
        Err(not_on_wire())
    }

    /// Stands in for reading a value.
    fn read(_: Message) -> Result<Self::Value, Status> {
        Err(not_on_wire())
    }

    /// Stands in for writing a value.
    fn value(_: Self::Value) -> Result<Message, Status> {
        Err(not_on_wire())
    }

    /// Stands in for writing a result.
    fn result<K>(_: Self::Value, _: K) -> Result<Message, Status> {
        Err(not_on_wire())
    }
}

impl<C, T> NotOnWire for OnWire<C, T> {
    type Value = T;
}

fn not_on_wire() -> Status {
    Status::internal("a type of this method cannot cross the wire")
}
