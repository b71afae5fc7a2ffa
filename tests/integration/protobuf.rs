//! Services of protobuf messages: all patterns, over wires and in process, and by name.

use std::fmt;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, Stream, StreamExt as _};
use rpc_runtime::codec::{BinaryOutput, CodecError, DecodeLimits, Protobuf, ProtobufMessage};
use rpc_runtime::protobuf::Message as _;
use rpc_runtime::protobuf::well_known::{
    BytesValue, Empty, Int32Value, StringValue, Struct, Value,
};
use rpc_runtime::{
    CallError, Channel, Code, Encoding, RpcClient, RpcError, Server, Status, Streaming, rpc_service,
};
use rpc_tests::serving::serve;
use serde_json::json;

/// A message that is made of no other crate's traits: a large body, and an error.
#[derive(Debug, PartialEq, Clone, RpcError)]
#[rpc(error_code = NotFound)]
struct Missing(Bytes);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is nothing called {:?}", self.0)
    }
}

impl std::error::Error for Missing {}

/// The field 1, as a message `BytesValue` has it.
impl ProtobufMessage for Missing {
    fn encode_binary(&self, out: &mut BinaryOutput<'_>) -> Result<(), CodecError> {
        let length = u8::try_from(self.0.len())
            .map_err(|error| CodecError::encode(Encoding::PROTOBUF, error))?;
        out.put_slice(&[0x0A, length]);
        out.put_shared(self.0.clone());
        Ok(())
    }

    fn decode_binary(bytes: &Bytes, limits: DecodeLimits) -> Result<Self, CodecError> {
        let value = BytesValue::decode_binary(bytes, limits)?;
        Ok(Self(value.value.into()))
    }

    fn encode_json(&self, out: &mut BytesMut) -> Result<(), CodecError> {
        let value = BytesValue {
            value: self.0.to_vec(),
            ..Default::default()
        };
        value.encode_json(out)
    }

    fn decode_json(bytes: &Bytes, limits: DecodeLimits) -> Result<Self, CodecError> {
        let value = BytesValue::decode_json(bytes, limits)?;
        Ok(Self(value.value.into()))
    }
}

#[rpc_service(name = "protobuf.v1.Words", codec = Protobuf)]
trait Words {
    async fn upper(&self, word: StringValue) -> Result<StringValue, Status>;
    async fn find(&self, word: StringValue) -> Result<StringValue, Missing>;
    fn letters(&self, word: StringValue) -> impl Stream<Item = Result<StringValue, Missing>>;
    async fn join(&self, words: Streaming<StringValue>) -> StringValue;
    fn lengths(&self, words: Streaming<StringValue>) -> impl Stream<Item = Int32Value>;
    async fn same(&self, fields: Struct) -> Struct;
    async fn nothing(&self) -> Empty;
}

struct English;

impl Words for English {
    async fn upper(&self, word: StringValue) -> Result<StringValue, Status> {
        if word.value.is_empty() {
            return Err(Status::invalid_argument("no word"));
        }
        Ok(word.value.to_uppercase().into())
    }

    async fn find(&self, word: StringValue) -> Result<StringValue, Missing> {
        Err(Missing(word.value.into()))
    }

    fn letters(&self, word: StringValue) -> impl Stream<Item = Result<StringValue, Missing>> {
        let letters: Vec<_> = word
            .value
            .chars()
            .map(|letter| match letter {
                '!' => Err(Missing(Bytes::from_static(b"!"))),
                letter => Ok(letter.to_string().into()),
            })
            .collect();
        stream::iter(letters)
    }

    async fn join(&self, words: Streaming<StringValue>) -> StringValue {
        let words: Vec<String> = words.map(|it| it.unwrap_or_default().value).collect().await;
        words.join(" ").into()
    }

    fn lengths(&self, words: Streaming<StringValue>) -> impl Stream<Item = Int32Value> {
        words.map(|word| Int32Value::from(word.unwrap_or_default().value.len() as i32))
    }

    async fn same(&self, fields: Struct) -> Struct {
        fields
    }

    async fn nothing(&self) -> Empty {
        Empty::default()
    }
}

fn words(words: &[&str]) -> Vec<StringValue> {
    words.iter().copied().map(StringValue::from).collect()
}

async fn everything_works(client: &WordsClient, encoding: Encoding) {
    let upper = client.upper("ab".into()).encoding(encoding).await;
    assert_eq!(upper.unwrap().value, "AB");
    let status = client.upper("".into()).encoding(encoding).await;
    assert_eq!(status.unwrap_err().code(), Code::InvalidArgument);

    let error = client.find("x".into()).encoding(encoding).await;
    match error.unwrap_err() {
        CallError::App(missing) => assert_eq!(missing, Missing(Bytes::from_static(b"x"))),
        CallError::Status(status) => panic!("{encoding}: {status}"),
    }

    let letters = client.letters("ab!".into()).encoding(encoding);
    let letters: Vec<_> = letters.collect().await;
    assert_eq!(letters.len(), 3);
    assert_eq!(letters[1].as_ref().unwrap().value, "b");
    assert!(matches!(&letters[2], Err(CallError::App(Missing(it))) if it == "!"));

    let joined = client.join(stream::iter(words(&["a", "", "c"])));
    assert_eq!(joined.encoding(encoding).await.unwrap().value, "a  c");

    let lengths = client.lengths(stream::iter(words(&["ab", "", "c"])));
    let lengths = lengths.encoding(encoding).map(|it| it.unwrap().value);
    assert_eq!(lengths.collect::<Vec<_>>().await, [2, 0, 1]);

    let fields = Struct::from_fields([("name", "Ann"), ("empty", "")]);
    let same = client.same(fields.clone()).encoding(encoding).await;
    assert_eq!(same.unwrap(), fields);
    client.nothing().encoding(encoding).await.unwrap();
}

#[tokio::test]
async fn every_pattern_works_on_every_transport_and_in_process() {
    for encoding in [Encoding::PROTOBUF, Encoding::JSON] {
        for transport in ["tcp", "unix", "mem"] {
            let server = Server::new().add(WordsServer::new(English));
            let serving = serve(transport, server).await;
            let client = WordsClient::connect(&serving.url).await.unwrap();
            everything_works(&client, encoding).await;
        }
        let client = WordsClient::new(WordsServer::new(English));
        everything_works(&client, encoding).await;
    }
}

#[tokio::test]
async fn a_caller_by_name_uses_canonical_json() {
    let server = Server::new().add(WordsServer::new(English));
    let serving = serve("tcp", server).await;
    let channel = Channel::connect(&serving.url).await.unwrap();
    let json = channel.clone().with_encoding(Encoding::JSON);
    let upper = json
        .call::<_, String>("protobuf.v1.Words/upper", "ab")
        .await;
    assert_eq!(upper.unwrap(), "AB");
    let fields = json!({"a": [1.5, {"b": null}], "c": true});
    let same = json.call::<_, serde_json::Value>("protobuf.v1.Words/same", fields.clone());
    assert_eq!(same.await.unwrap(), fields);
    let nothing = json.call::<_, serde_json::Value>("protobuf.v1.Words/nothing", json!({}));
    assert_eq!(nothing.await.unwrap(), json!({}));

    let status = channel
        .call::<_, String>("protobuf.v1.Words/upper", "ab")
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    let expected = "does not accept the encoding `msgpack`, it has: protobuf, json";
    assert!(status.message().contains(expected), "{status}");

    // In process, where values travel that neither codec of the two sides has encoded yet.
    let channel = Channel::new(WordsServer::new(English)).with_encoding(Encoding::JSON);
    let upper = channel.call::<_, String>("protobuf.v1.Words/upper", "ab");
    assert_eq!(upper.await.unwrap(), "AB");
}

#[tokio::test]
async fn what_is_no_message_of_the_method_is_refused() {
    let server = Server::new().add(WordsServer::new(English));
    let serving = serve("tcp", server).await;
    let channel = Channel::connect(&serving.url).await.unwrap();
    let json = channel.with_encoding(Encoding::JSON);
    for wrong in [json!([1]), json!({"value": "ab"}), json!(7)] {
        let call = json.call::<_, String>("protobuf.v1.Words/upper", wrong.clone());
        let status = call.await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{wrong}");
        assert!(status.message().contains("cannot decode json"), "{status}");
    }
}

#[test]
fn the_methods_are_bare() {
    let methods = WordsClient::SERVICE.methods();
    let bare = methods.iter().filter(|it| it.is_bare());
    let bare: Vec<_> = bare.map(|it| it.name()).collect();
    assert_eq!(bare, ["upper", "find", "letters", "same"]);
}

#[test]
fn messages_can_be_made_and_read_without_a_call() {
    let value = Value::from("text");
    let bytes = value.encode_to_vec();
    assert_eq!(Value::decode_from_slice(&bytes).unwrap(), value);
}
