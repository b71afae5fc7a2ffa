//! The service in both of its forms: questions and answers.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use futures_core::Stream;

use super::descriptors::{Descriptors, FileIndex, Sent};
use super::v1::server_reflection_request::MessageRequest;
use super::v1::server_reflection_response::MessageResponse;
use super::v1::{
    ErrorResponse, ExtensionNumberResponse, FileDescriptorResponse, ListServiceResponse,
    ServerReflectionRequest, ServerReflectionResponse, ServiceResponse,
};
use super::{v1, v1alpha};
use crate::call::{ServiceDescriptor, Streaming};
use crate::status::{Code, Status};

/// Answers from what is known.
pub(super) struct Reflection(pub(super) Arc<Known>);

/// What a server serves.
pub(super) struct Known {
    services: Vec<&'static ServiceDescriptor>,
    descriptors: Descriptors,
}

impl v1::ServerReflection for Reflection {
    fn server_reflection_info(
        &self,
        requests: Streaming<ServerReflectionRequest>,
    ) -> impl Stream<Item = Result<ServerReflectionResponse, Status>> {
        Answers::new(&self.0, requests)
    }
}

impl v1alpha::ServerReflection for Reflection {
    fn server_reflection_info(
        &self,
        requests: Streaming<ServerReflectionRequest>,
    ) -> impl Stream<Item = Result<ServerReflectionResponse, Status>> {
        Answers::new(&self.0, requests)
    }
}

/// The answers of one stream.
struct Answers {
    known: Arc<Known>,
    requests: Streaming<ServerReflectionRequest>,
    sent: Sent,
}

impl Answers {
    fn new(known: &Arc<Known>, requests: Streaming<ServerReflectionRequest>) -> Self {
        Self {
            known: Arc::clone(known),
            requests,
            sent: Sent::default(),
        }
    }
}

impl Stream for Answers {
    type Item = Result<ServerReflectionResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let request = ready!(Pin::new(&mut this.requests).poll_next(cx));
        Poll::Ready(request.map(|request| {
            let request = request?;
            let answer = this.known.answer(&request, &mut this.sent);
            Ok(ServerReflectionResponse {
                valid_host: request.host.clone(),
                original_request: request.into(),
                message_response: Some(answer.unwrap_or_else(error)),
                ..ServerReflectionResponse::default()
            })
        }))
    }
}

/// A failure is an answer too: the stream goes on.
fn error(status: Status) -> MessageResponse {
    MessageResponse::from(ErrorResponse {
        error_code: status.code().number().into(),
        error_message: status.message().to_owned(),
        ..ErrorResponse::default()
    })
}

impl Known {
    pub(super) fn new(services: Vec<&'static ServiceDescriptor>) -> Self {
        Self {
            descriptors: Descriptors::new(&services),
            services,
        }
    }

    pub(super) fn answer(
        &self,
        request: &ServerReflectionRequest,
        sent: &mut Sent,
    ) -> Result<MessageResponse, Status> {
        let descriptors = &self.descriptors;
        match &request.message_request {
            Some(MessageRequest::ListServices(_)) => Ok(self.list()),
            Some(MessageRequest::FileByFilename(name)) => {
                let file = descriptors.file(name);
                let file =
                    file.ok_or_else(|| Status::not_found("there is no file of this name"))?;
                Ok(self.files(file, sent))
            }
            Some(MessageRequest::FileContainingSymbol(name)) => {
                let file = descriptors.file_of_symbol(name);
                Ok(self.files(file.ok_or_else(|| self.unknown(name))?, sent))
            }
            Some(MessageRequest::FileContainingExtension(extension)) => {
                let (message, number) = (&extension.containing_type, extension.extension_number);
                let file = descriptors.file_of_extension(message, number);
                let file = file.ok_or_else(|| Status::not_found("there is no such extension"))?;
                Ok(self.files(file, sent))
            }
            Some(MessageRequest::AllExtensionNumbersOfType(message)) => {
                let numbers = descriptors.extension_numbers(message);
                Ok(MessageResponse::from(ExtensionNumberResponse {
                    base_type_name: message.clone(),
                    extension_number: numbers.ok_or_else(|| self.unknown(message))?,
                    ..ExtensionNumberResponse::default()
                }))
            }
            None => Err(Status::invalid_argument("the request asks for nothing")),
        }
    }

    fn list(&self) -> MessageResponse {
        let mut names: Vec<&str> = self.services.iter().map(|it| it.name()).collect();
        names.sort_unstable();
        let services = names.into_iter().map(|name| ServiceResponse {
            name: name.to_owned(),
            ..ServiceResponse::default()
        });
        MessageResponse::from(ListServiceResponse {
            service: services.collect(),
            ..ListServiceResponse::default()
        })
    }

    fn files(&self, file: FileIndex, sent: &mut Sent) -> MessageResponse {
        MessageResponse::from(FileDescriptorResponse {
            file_descriptor_proto: self.descriptors.with_imports(file, sent),
            ..FileDescriptorResponse::default()
        })
    }

    /// Says why there is no description of something.
    fn unknown(&self, name: &str) -> Status {
        let is_part_of = |service: &str| {
            let rest = name.strip_prefix(service);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let service = self.services.iter().find(|it| is_part_of(it.name()));
        match service.filter(|it| it.descriptors().is_none()) {
            Some(service) => Status::new(
                Code::NotFound,
                format!(
                    "the service `{}` is declared as a trait and has no descriptor: only services \
                     that were generated from a schema can be described",
                    service.name()
                ),
            ),
            None => Status::not_found("nothing of this name is served here"),
        }
    }
}
