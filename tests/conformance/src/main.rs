//! Answers Google's conformance runner: for each request a message is read from one form and
//! written in another.
//!
//! The messages go through the codec `Protobuf`; with the argument `--plain` they go through the
//! crate that they are made of, to tell its mistakes from ours.

mod messages;

use std::io::{self, Read as _, Write as _};

use buffa::json::{JsonParseOptions, with_json_parse_options};
use bytes::{Bytes, BytesMut};
use messages::conformance::__buffa::oneof::conformance_request::Payload;
use messages::conformance::__buffa::oneof::conformance_response::Result as Answer;
use messages::conformance::{ConformanceRequest, ConformanceResponse, TestCategory, WireFormat};
use messages::protobuf_test_messages as tested;
use rpc_runtime::Encoding;
use rpc_runtime::codec::{DecodeLimits, Encodes, Protobuf, ProtobufMessage};
use rpc_runtime::protobuf::{Message, type_registry};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The depth that protobuf recommends, and that the tests go to.
const MAX_DEPTH: usize = 100;

/// How a message is read and written.
trait Way {
    fn read<T: Tested>(bytes: &Bytes, encoding: Encoding) -> Result<T, String>;
    fn write<T: Tested>(message: &T, encoding: Encoding) -> Result<Bytes, String>;
}

/// What all tested messages are, for both ways.
trait Tested: ProtobufMessage + Message + Serialize + DeserializeOwned {}

impl<T: ProtobufMessage + Message + Serialize + DeserializeOwned> Tested for T {}

/// Through the codec.
enum Ours {}

impl Way for Ours {
    fn read<T: Tested>(bytes: &Bytes, encoding: Encoding) -> Result<T, String> {
        let limits = DecodeLimits::default().max_depth(MAX_DEPTH);
        Protobuf::decode(bytes, encoding, limits).map_err(|error| error.to_string())
    }

    fn write<T: Tested>(message: &T, encoding: Encoding) -> Result<Bytes, String> {
        let mut out = BytesMut::new();
        Protobuf::encode(message, encoding, &mut out).map_err(|error| error.to_string())?;
        Ok(out.freeze())
    }
}

/// Through `buffa` alone.
enum Plain {}

impl Way for Plain {
    fn read<T: Tested>(bytes: &Bytes, encoding: Encoding) -> Result<T, String> {
        if encoding == Encoding::JSON {
            return serde_json::from_slice(bytes).map_err(|error| error.to_string());
        }
        T::decode_from_slice(bytes).map_err(|error| error.to_string())
    }

    fn write<T: Tested>(message: &T, encoding: Encoding) -> Result<Bytes, String> {
        if encoding == Encoding::JSON {
            let json = serde_json::to_vec(message).map_err(|error| error.to_string())?;
            return Ok(json.into());
        }
        message
            .try_encode_to_bytes()
            .map_err(|error| error.to_string())
    }
}

fn main() -> io::Result<()> {
    register_types();
    let is_plain = std::env::args().any(|argument| argument == "--plain");
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let mut length = [0; 4];
    // The runner closes our input when it has no more tests.
    while input.read_exact(&mut length).is_ok() {
        let mut request = vec![0; u32::from_le_bytes(length) as usize];
        input.read_exact(&mut request)?;
        let request = ConformanceRequest::decode_from_slice(&request).map_err(io::Error::other)?;
        let answer = match is_plain {
            true => answer::<Plain>(&request),
            false => answer::<Ours>(&request),
        };
        let response = ConformanceResponse {
            result: Some(answer),
            ..Default::default()
        };
        let response = response.encode_to_vec();
        output.write_all(&(response.len() as u32).to_le_bytes())?;
        output.write_all(&response)?;
        output.flush()?;
    }
    Ok(())
}

/// An `Any` can be JSON only where its type is known.
fn register_types() {
    let mut registry = type_registry::TypeRegistry::new();
    buffa_types::register_wkt_types(&mut registry);
    tested::proto2::__buffa::register_types(&mut registry);
    tested::proto3::__buffa::register_types(&mut registry);
    tested::editions::__buffa::register_types(&mut registry);
    tested::editions::proto2::__buffa::register_types(&mut registry);
    tested::editions::proto3::__buffa::register_types(&mut registry);
    type_registry::set_type_registry(registry);
}

fn answer<W: Way>(request: &ConformanceRequest) -> Answer {
    match request.message_type.as_str() {
        "protobuf_test_messages.proto2.TestAllTypesProto2" => {
            convert::<W, tested::proto2::TestAllTypesProto2>(request)
        }
        "protobuf_test_messages.proto3.TestAllTypesProto3" => {
            convert::<W, tested::proto3::TestAllTypesProto3>(request)
        }
        "protobuf_test_messages.editions.TestAllTypesEdition2023" => {
            convert::<W, tested::editions::TestAllTypesEdition2023>(request)
        }
        "protobuf_test_messages.editions.proto2.TestAllTypesProto2" => {
            convert::<W, tested::editions::proto2::TestAllTypesProto2>(request)
        }
        "protobuf_test_messages.editions.proto3.TestAllTypesProto3" => {
            convert::<W, tested::editions::proto3::TestAllTypesProto3>(request)
        }
        unknown => Answer::RuntimeError(format!("there is no message {unknown}")),
    }
}

fn convert<W: Way, T: Tested>(request: &ConformanceRequest) -> Answer {
    let (bytes, encoding) = match &request.payload {
        Some(Payload::ProtobufPayload(bytes)) => (bytes.clone(), Encoding::PROTOBUF),
        Some(Payload::JsonPayload(text)) => (text.clone().into(), Encoding::JSON),
        _ => return Answer::Skipped("neither binary nor JSON".to_owned()),
    };
    let is_lenient = request.test_category == TestCategory::JSON_IGNORE_UNKNOWN_PARSING_TEST;
    let options = JsonParseOptions::new().ignore_unknown_enum_values(is_lenient);
    let message = match with_json_parse_options(&options, || W::read::<T>(&bytes, encoding)) {
        Ok(message) => message,
        Err(error) => return Answer::ParseError(error),
    };
    if request.requested_output_format == WireFormat::PROTOBUF {
        return match W::write(&message, Encoding::PROTOBUF) {
            Ok(bytes) => Answer::ProtobufPayload(bytes),
            Err(error) => Answer::SerializeError(error),
        };
    }
    if request.requested_output_format == WireFormat::JSON {
        return match W::write(&message, Encoding::JSON).map(|text| String::from_utf8(text.into())) {
            Ok(Ok(text)) => Answer::JsonPayload(text),
            Ok(Err(error)) => Answer::SerializeError(error.to_string()),
            Err(error) => Answer::SerializeError(error),
        };
    }
    Answer::Skipped("neither binary nor JSON".to_owned())
}
