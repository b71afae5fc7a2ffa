//! Reflection as its generated client sees it, in both forms.

use buffa::Message as _;
use buffa_descriptor::generated::descriptor::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet,
};

use super::v1::server_reflection_request::MessageRequest;
use super::v1::server_reflection_response::MessageResponse;
use super::v1::{ExtensionRequest, ServerReflectionRequest, ServerReflectionResponse};
use super::*;
use crate::{Channel, Code, Status, rpc_service};

/// A service without a descriptor.
#[rpc_service(name = "code.v1.First", crate = crate)]
trait First {
    async fn call(&self);
}

struct Implementation;

impl First for Implementation {
    async fn call(&self) {}
}

/// Imports another file, and extends a message of it.
const EXTENDING: &ServiceDescriptor = &ServiceDescriptor::new("two.Service", &[]);

fn file(name: &str, package: &str) -> FileDescriptorProto {
    FileDescriptorProto {
        name: Some(name.to_owned()),
        package: Some(package.to_owned()),
        ..FileDescriptorProto::default()
    }
}

fn extended() -> Vec<u8> {
    let mut one = file("one.proto", "one");
    one.message_type.push(DescriptorProto {
        name: Some("Outer".to_owned()),
        nested_type: vec![DescriptorProto {
            name: Some("Inner".to_owned()),
            ..DescriptorProto::default()
        }],
        ..DescriptorProto::default()
    });
    let mut two = file("two.proto", "two");
    two.dependency.push("one.proto".to_owned());
    two.extension.push(FieldDescriptorProto {
        name: Some("note".to_owned()),
        extendee: Some(".one.Outer".to_owned()),
        number: Some(100),
        ..FieldDescriptorProto::default()
    });
    let set = FileDescriptorSet {
        file: vec![one, two],
        ..FileDescriptorSet::default()
    };
    set.encode_to_vec()
}

fn router() -> Router {
    add_to(Router::new().add(FirstServer::new(Implementation)))
}

fn ask(request: MessageRequest) -> ServerReflectionRequest {
    ServerReflectionRequest {
        host: "here".to_owned(),
        message_request: Some(request),
        ..ServerReflectionRequest::default()
    }
}

/// What is answered to a stream of requests.
async fn answers(requests: Vec<MessageRequest>) -> Vec<MessageResponse> {
    let requests: Vec<_> = requests.into_iter().map(ask).collect();
    let client = v1::ServerReflectionClient::new(Channel::new(router()));
    let stream = futures_util::stream::iter(requests.clone());
    let mut answers = client.server_reflection_info(stream);
    let mut all = Vec::new();
    for request in requests {
        let answer = answers.next().await.expect("an answer").unwrap();
        assert_eq!(answer.valid_host, "here");
        assert_eq!(*answer.original_request, request);
        all.push(answer.message_response.expect("an answer"));
    }
    assert!(answers.next().await.is_none());
    all
}

fn names(answer: &MessageResponse) -> Vec<String> {
    let MessageResponse::FileDescriptorResponse(files) = answer else {
        panic!("{answer:?}");
    };
    let files = files.file_descriptor_proto.iter();
    let files = files.map(|it| FileDescriptorProto::decode_from_slice(it).unwrap());
    files.filter_map(|it| it.name).collect()
}

fn error(answer: &MessageResponse) -> (Code, &str) {
    let MessageResponse::ErrorResponse(error) = answer else {
        panic!("{answer:?}");
    };
    let number = u8::try_from(error.error_code).unwrap();
    (Code::from_number(number), &error.error_message)
}

#[tokio::test]
async fn all_services_are_listed_and_those_with_descriptors_described() {
    const FILE: &str = "grpc/reflection/v1/reflection.proto";
    let symbol = |name: &str| MessageRequest::FileContainingSymbol(name.to_owned());
    let answers = answers(vec![
        MessageRequest::ListServices("*".to_owned()),
        symbol("grpc.reflection.v1.ServerReflection"),
        symbol("grpc.reflection.v1.ServerReflection.ServerReflectionInfo"),
        symbol("grpc.reflection.v1.ErrorResponse.error_code"),
        MessageRequest::FileByFilename(FILE.to_owned()),
        symbol("code.v1.First.call"),
        symbol("code.v1.Firsts"),
        MessageRequest::FileByFilename("missing.proto".to_owned()),
        MessageRequest::AllExtensionNumbersOfType("missing.Message".to_owned()),
    ])
    .await;
    let MessageResponse::ListServicesResponse(list) = &answers[0] else {
        panic!("{answers:?}");
    };
    let listed: Vec<&str> = list.service.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(
        listed,
        [
            "code.v1.First",
            "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection",
        ]
    );
    for described in &answers[1..5] {
        assert_eq!(names(described), [FILE]);
    }
    let (code, text) = error(&answers[5]);
    assert_eq!(code, Code::NotFound);
    assert!(
        text.contains("`code.v1.First` is declared as a trait"),
        "{text}"
    );
    for unknown in &answers[6..] {
        assert_eq!(error(unknown).0, Code::NotFound);
    }
}

#[tokio::test]
async fn the_older_form_answers_the_same() {
    let client = v1alpha::ServerReflectionClient::new(router());
    let name = "grpc.reflection.v1alpha.ServerReflection".to_owned();
    let requests = vec![
        ask(MessageRequest::FileContainingSymbol(name)),
        ServerReflectionRequest::default(),
    ];
    let mut answers = client.server_reflection_info(futures_util::stream::iter(requests));
    let first: Result<ServerReflectionResponse, Status> = answers.next().await.unwrap();
    let first = first.unwrap().message_response.unwrap();
    assert_eq!(names(&first), ["grpc/reflection/v1alpha/reflection.proto"]);
    let second = answers.next().await.unwrap().unwrap();
    let (code, _) = error(second.message_response.as_ref().unwrap());
    assert_eq!(code, Code::InvalidArgument);
}

#[test]
fn imports_come_along_once_and_extensions_are_found() {
    let set: &'static [u8] = Box::leak(extended().into_boxed_slice());
    let service: &'static ServiceDescriptor = Box::leak(Box::new(
        ServiceDescriptor::new("two.Service", &[]).with_descriptors(set),
    ));
    let known = Known::new(vec![service, EXTENDING]);
    let mut sent = descriptors::Sent::default();
    let mut answer = |request| known.answer(&ask(request), &mut sent).unwrap();
    let extension = ExtensionRequest {
        containing_type: "one.Outer".to_owned(),
        extension_number: 100,
        ..ExtensionRequest::default()
    };
    let first = answer(MessageRequest::from(extension));
    assert_eq!(names(&first), ["two.proto", "one.proto"]);
    let again = answer(MessageRequest::FileContainingSymbol("two.note".to_owned()));
    assert_eq!(names(&again), ["two.proto"]);
    for (message, expected) in [("one.Outer", vec![100]), ("one.Outer.Inner", vec![])] {
        let numbers = answer(MessageRequest::AllExtensionNumbersOfType(
            message.to_owned(),
        ));
        let MessageResponse::AllExtensionNumbersResponse(numbers) = numbers else {
            panic!("{numbers:?}");
        };
        assert_eq!(numbers.base_type_name, message);
        assert_eq!(numbers.extension_number, expected);
    }
    let unknown = ExtensionRequest {
        containing_type: "one.Outer".to_owned(),
        extension_number: 101,
        ..ExtensionRequest::default()
    };
    let unknown = known.answer(&ask(MessageRequest::from(unknown)), &mut sent);
    assert_eq!(unknown.unwrap_err().code(), Code::NotFound);
}
