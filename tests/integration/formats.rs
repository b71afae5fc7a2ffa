//! Encodings: a user's own, and one that the service does not have.

use std::error::Error;

use rpc_runtime::codec::{AnySeed, AnyValue, Format};
use rpc_runtime::{Code, Encoding, Server};
use rpc_tests::math::{Calculator, MathClient, MathServer};
use rpc_tests::serving::serve;
use serde::Serialize;
use serde::de::DeserializeSeed;

/// JSON with its bytes turned over, which no other format reads.
struct Inverted;

impl Format for Inverted {
    fn name(&self) -> &'static str {
        "inverted-json"
    }

    fn serialize(
        &self,
        value: AnyValue<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        let mut json = Vec::new();
        value.serialize(&mut serde_json::Serializer::new(&mut json))?;
        out.extend(json.into_iter().map(|byte| !byte));
        Ok(())
    }

    fn deserialize<'de>(
        &self,
        bytes: &'de [u8],
        seed: AnySeed<'_, 'de>,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        let json: Vec<u8> = bytes.iter().map(|byte| !byte).collect();
        seed.deserialize(&mut serde_json::Deserializer::from_reader(&json[..]))?;
        Ok(())
    }
}

#[tokio::test]
async fn a_users_own_format_travels() {
    let encoding = Encoding::register(Inverted).unwrap();
    let serving = serve("tcp", Server::new().add(MathServer::new(Calculator::new()))).await;
    let math = MathClient::connect(&serving.url).await.unwrap();
    assert_eq!(math.add(2, 3).encoding(encoding).await.unwrap(), 5);
    let error = math.divide(1.0, 0.0).encoding(encoding).await.unwrap_err();
    assert!(error.app().is_some(), "{error}");
    let mut count = math.count(2).encoding(encoding);
    assert_eq!(count.next().await.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn an_encoding_that_the_service_lacks_is_refused_with_those_it_has() {
    let math = MathClient::new(MathServer::new(Calculator::new()));
    let status = math
        .add(2, 3)
        .encoding(Encoding::POSTCARD)
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    assert!(status.message().contains("postcard"), "{status}");
    assert!(status.message().contains("msgpack, json"), "{status}");
}
