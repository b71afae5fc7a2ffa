//! Functions that are served by name, without a trait.

use std::future::{Future, ready};
use std::marker::PhantomData;
use std::sync::Arc;

use super::boundary::boxed_in;
use super::dispatch::{HandlerFuture, check_kind};
use super::in_process;
use super::on_wire::OnWire;
use super::server_call::ServerCall;
use crate::call::{MethodError, MethodKind, NoCode, Request};
use crate::codec::{Encodes, EncodesArgs, Serde};
use crate::service::BoxFuture;

/// The names of the arguments of a function, which has none of its own: their positions.
const POSITIONS: &[&str] = &["0", "1", "2", "3", "4", "5", "6", "7"];

/// An async function or closure of up to eight arguments.
///
/// Arguments are matched by position. `A` is the tuple of their types, `T` what the function
/// returns.
pub trait Function<A, T>: Send + Sync + 'static {
    /// Calls the function.
    #[doc(hidden)]
    fn run(&self, args: A) -> BoxFuture<'static, T>;

    /// Returns the names that stand for the arguments.
    #[doc(hidden)]
    fn names(&self) -> &'static [&'static str];
}

macro_rules! functions {
    ($($count:literal: $($arg:ident)*;)*) => {$(
        impl<F, Fut, $($arg,)*> Function<($($arg,)*), Fut::Output> for F
        where
            F: Fn($($arg,)*) -> Fut + Send + Sync + 'static,
            Fut: Future + Send + 'static,
        {
            #[allow(non_snake_case, reason = "an argument is named like its type")]
            fn run(&self, ($($arg,)*): ($($arg,)*)) -> BoxFuture<'static, Fut::Output> {
                Box::pin(self($($arg,)*))
            }

            fn names(&self) -> &'static [&'static str] {
                POSITIONS.get(..$count).unwrap_or(POSITIONS)
            }
        }
    )*};
}

functions! {
    0: ;
    1: A;
    2: A B;
    3: A B C;
    4: A B C D;
    5: A B C D E;
    6: A B C D E G;
    7: A B C D E G H;
    8: A B C D E G H I;
}

/// A function as the router keeps it.
pub(super) trait Callable: Send + Sync + 'static {
    fn call(&self, request: Request) -> HandlerFuture;
}

/// The types of a function, as a marker that is always `Send + Sync`.
type Signature<A, T> = PhantomData<fn(A) -> T>;

/// A function that returns a value.
struct Plain<F, A, T>(Arc<F>, Signature<A, T>);

/// A function that returns a `Result`.
struct Fallible<F, A, T>(Arc<F>, Signature<A, T>);

pub(super) fn plain<F, A, T>(function: F) -> impl Callable
where
    F: Function<A, T>,
    A: Send + 'static,
    T: Send + 'static,
    Serde: EncodesArgs<A> + Encodes<T>,
{
    Plain(Arc::new(function), PhantomData)
}

pub(super) fn fallible<F, A, T, E>(function: F) -> impl Callable
where
    F: Function<A, Result<T, E>>,
    A: Send + 'static,
    T: Send + 'static,
    E: MethodError<Serde> + Send + 'static,
    Serde: EncodesArgs<A> + Encodes<T>,
{
    Fallible(Arc::new(function), PhantomData)
}

impl<F, A, T> Callable for Plain<F, A, T>
where
    F: Function<A, T>,
    A: Send + 'static,
    T: Send + 'static,
    Serde: EncodesArgs<A> + Encodes<T>,
{
    fn call(&self, mut request: Request) -> HandlerFuture {
        if let Err(status) = check_kind(&mut request, MethodKind::Unary) {
            return Box::pin(ready(Err(status)));
        }
        let function = Arc::clone(&self.0);
        in_process::guard(request, |request| {
            let mut call = ServerCall::new::<Serde>(function.names(), request);
            boxed_in(call.context(), async move {
                let args = call.args(OnWire::<Serde, A>::args).await?;
                let value = function.run(args).await;
                call.reply(OnWire::<Serde, T>::value(value))
            })
        })
    }
}

impl<F, A, T, E> Callable for Fallible<F, A, Result<T, E>>
where
    F: Function<A, Result<T, E>>,
    A: Send + 'static,
    T: Send + 'static,
    E: MethodError<Serde> + Send + 'static,
    Serde: EncodesArgs<A> + Encodes<T>,
{
    fn call(&self, mut request: Request) -> HandlerFuture {
        if let Err(status) = check_kind(&mut request, MethodKind::Unary) {
            return Box::pin(ready(Err(status)));
        }
        let function = Arc::clone(&self.0);
        in_process::guard(request, |request| {
            let mut call = ServerCall::new::<Serde>(function.names(), request);
            boxed_in(call.context(), async move {
                let args = call.args(OnWire::<Serde, A>::args).await?;
                let result = function.run(args).await;
                call.reply(OnWire::<Serde, Result<T, E>>::result(result, NoCode))
            })
        })
    }
}
