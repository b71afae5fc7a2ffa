//! One call as the generated glue sees it: arguments in, a reply out.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use super::ahead::{self, Room};
use super::blocking;
use super::items::{self, Items};
use crate::call::{
    Body, BodyFrame, Context, IntoMessage, Message, Request, Response, Streaming, check_encoding,
};
use crate::codec::{Codec, Encoding};
use crate::status::Status;
use crate::wire::budget::Budget;

use bytes::Bytes;

/// Reads arguments by their names.
type ReadArgs<A> = fn(&'static [&'static str], Message) -> Result<A, Status>;

/// Reads a value.
type Read<T> = fn(Message) -> Result<T, Status>;

/// One call on its way into a handler.
#[doc(hidden)]
pub struct ServerCall {
    names: &'static [&'static str],
    context: Context,
    encoding: Option<Encoding>,
    default_encoding: Encoding,
    check_encoding: fn(Encoding) -> Result<(), Status>,
    body: Body,
}

impl ServerCall {
    pub(super) fn new<C: Codec>(names: &'static [&'static str], request: Request) -> Self {
        let encoding = request.encoding();
        let (context, body) = request.into_context();
        Self {
            names,
            context,
            encoding,
            default_encoding: C::DEFAULT,
            check_encoding: check_encoding::<C>,
            body,
        }
    }

    /// Returns the context of the call.
    pub fn context(&self) -> Context {
        self.context.clone()
    }

    /// Reads the arguments of a method that takes no stream.
    pub async fn args<A>(&mut self, read: ReadArgs<A>) -> Result<A, Status> {
        let message = self.only_message().await?;
        read(self.names, message)
    }

    /// Reads the one argument of a bare method.
    pub async fn bare<T>(&mut self, read: Read<T>) -> Result<T, Status> {
        read(self.only_message().await?)
    }

    /// Reads the arguments beside a stream, if the method has any, and hands the stream over.
    pub async fn upload<A, T>(
        &mut self,
        read_args: ReadArgs<A>,
        read: Read<T>,
    ) -> Result<(A, Streaming<T>), Status> {
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
        let args = read_args(names, message)?;
        let body = std::mem::replace(&mut self.body, Body::empty());
        Ok((args, Streaming::reading(body, read)))
    }

    fn check_encoding(&self) -> Result<(), Status> {
        self.encoding.map_or(Ok(()), self.check_encoding)
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
        Message::encoded(Bytes::new(), self.encoding.unwrap_or(self.default_encoding))
    }

    /// Answers with a value or with the method's own error.
    pub fn reply(self, reply: Result<impl IntoMessage, Status>) -> Result<Response, Status> {
        self.reply_message(reply.map(IntoMessage::into_message))
    }

    fn reply_message(self, reply: Result<Message, Status>) -> Result<Response, Status> {
        match reply {
            Ok(message) => {
                let mut response = Response::new(Body::message(message));
                self.put_compression(&mut response);
                response.set_metadata(self.context.take_reply_metadata()?);
                response.set_trailers(self.context.take_trailers()?);
                Ok(response)
            }
            Err(mut status) => {
                let trailers = self.context.take_trailers_of_failure();
                status.metadata_mut().extend(trailers.into_map());
                Err(status)
            }
        }
    }

    /// Answers with a stream.
    pub async fn stream<F>(self, run: impl FnOnce(Items) -> F) -> Result<Response, Status>
    where
        F: Future<Output = Result<(), Status>> + Send + 'static,
    {
        let items = items::start(self.context.clone(), run).await?;
        let policy = self.context.slow_reader_policy();
        let mut response = Response::new(match policy.places() {
            None => Body::frames(items),
            Some(places) => {
                let budget = self.context.extension::<Arc<Budget>>().cloned();
                let encoding = self.encoding.unwrap_or(self.default_encoding);
                let bytes = budget.map(|budget| (budget, encoding));
                let room = Room {
                    policy,
                    places,
                    bytes,
                };
                ahead::body(items, room)
            }
        });
        self.put_compression(&mut response);
        response.set_metadata(self.context.take_reply_metadata()?);
        Ok(response)
    }

    fn put_compression(&self, response: &mut Response) {
        if let Some(is_compressed) = self.context.is_reply_compressed() {
            response.set_compressed(is_compressed);
        }
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

impl fmt::Debug for ServerCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerCall")
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}
