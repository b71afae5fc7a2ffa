//! One call as the generated glue sees it: arguments in, a reply out.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;

use super::blocking;
use super::items::{self, Items};
use crate::call::{
    ArgsMessage, Body, BodyFrame, Context, ErrorCode, Message, MethodError, Request, Response,
    Returns, Streaming, ValueMessage, check_encoding,
};
use crate::codec::{Codec, Encodes, EncodesArgs, Encoding};
use crate::status::Status;

use bytes::Bytes;

/// One call on its way into a handler.
#[doc(hidden)]
pub struct ServerCall<C> {
    names: &'static [&'static str],
    context: Context,
    encoding: Option<Encoding>,
    body: Body,
    codec: PhantomData<fn() -> C>,
}

impl<C: Codec> ServerCall<C> {
    pub(super) fn new(names: &'static [&'static str], request: Request) -> Self {
        let encoding = request.encoding();
        let (context, body) = request.into_context();
        Self {
            names,
            context,
            encoding,
            body,
            codec: PhantomData,
        }
    }

    /// Returns the context of the call.
    pub fn context(&self) -> Context {
        self.context.clone()
    }

    /// Reads the arguments of a method that takes no stream.
    pub async fn args<A>(&mut self) -> Result<A, Status>
    where
        A: Send + 'static,
        C: EncodesArgs<A>,
    {
        let message = self.only_message().await?;
        ArgsMessage::<C, A>::unwrap(self.names, message)
    }

    /// Reads the one argument of a bare method.
    pub async fn bare<T>(&mut self) -> Result<T, Status>
    where
        T: Send + 'static,
        C: Encodes<T>,
    {
        let message = self.only_message().await?;
        ValueMessage::<C, T>::unwrap(message)
    }

    /// Reads the arguments beside a stream, if the method has any, and hands the stream over.
    pub async fn upload<A, T>(&mut self) -> Result<(A, Streaming<T>), Status>
    where
        A: Send + 'static,
        T: Send + 'static,
        C: EncodesArgs<A> + Encodes<T>,
    {
        self.check_encoding()?;
        let names = self.names;
        let head = if self.body.has_head() {
            next_message(&mut self.body).await?
        } else {
            None
        };
        // A peer may send a head that says nothing to a method without arguments.
        let message = match head {
            Some(head) if !names.is_empty() => head,
            _ => self.no_message(),
        };
        let args = ArgsMessage::<C, A>::unwrap(names, message)?;
        let body = std::mem::replace(&mut self.body, Body::empty());
        Ok((args, Streaming::decoding::<C>(body)))
    }

    fn check_encoding(&self) -> Result<(), Status> {
        self.encoding.map_or(Ok(()), check_encoding::<C>)
    }

    /// Reads the one message of the request, and refuses a second one.
    async fn only_message(&mut self) -> Result<Message, Status> {
        self.check_encoding()?;
        if let Some(message) = self.body.take_single() {
            return Ok(message);
        }
        let first = next_message(&mut self.body).await?;
        if next_message(&mut self.body).await?.is_some() {
            return Err(Status::invalid_argument(format!(
                "`{}` takes one message, not a stream",
                self.context.method().path()
            )));
        }
        Ok(first.unwrap_or_else(|| self.no_message()))
    }

    /// No message at all, which is how no arguments may be sent.
    fn no_message(&self) -> Message {
        Message::encoded(Bytes::new(), self.encoding.unwrap_or(C::DEFAULT))
    }

    /// Answers with a value.
    pub fn reply<T>(self, value: T) -> Result<Response, Status>
    where
        T: Send + 'static,
        C: Encodes<T>,
    {
        let mut response = Response::new(Body::message(ValueMessage::<C, T>::wrap(value)));
        *response.metadata_mut() = self.context.take_reply_metadata();
        *response.trailers_mut() = self.context.take_trailers();
        Ok(response)
    }

    /// Answers with a value or with the method's own error.
    pub fn reply_result<R>(
        self,
        result: R,
        code: impl ErrorCode<R::Err>,
    ) -> Result<Response, Status>
    where
        R: Returns<Ok: Send + 'static, Err: MethodError<C>>,
        C: Encodes<R::Ok>,
    {
        match result.into_result() {
            Ok(value) => self.reply(value),
            Err(error) => {
                let mut status = error.into_status(code.into_reader());
                status.metadata_mut().extend(self.context.take_trailers());
                Err(status)
            }
        }
    }

    /// Answers with a stream.
    pub async fn stream<F>(self, run: impl FnOnce(Items<C>) -> F) -> Result<Response, Status>
    where
        F: Future<Output = Result<(), Status>> + Send + 'static,
    {
        let items = items::start(self.context.clone(), run).await?;
        let mut response = Response::new(Body::frames(items));
        *response.metadata_mut() = self.context.take_reply_metadata();
        Ok(response)
    }

    /// Runs a blocking method off the reactor.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Status> {
        blocking::run(&self.context, work).await
    }
}

/// Returns the next message of a body; what is not a message is passed over.
async fn next_message(body: &mut Body) -> Result<Option<Message>, Status> {
    loop {
        match body.frame().await.transpose()? {
            None => return Ok(None),
            Some(BodyFrame::Message(message)) => return Ok(Some(message)),
            Some(BodyFrame::Trailers(_)) => {}
        }
    }
}

impl<C> fmt::Debug for ServerCall<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerCall")
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}
