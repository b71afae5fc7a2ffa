//! Decoders. What is read can be written, and is then read as the same.

use bytes::{Bytes, BytesMut};
use rpc_runtime::Encoding;
use rpc_runtime::codec::{DecodeLimits, Encodes, EncodesArgs, Protobuf, SerdeWithPostcard};
use rpc_runtime::protobuf::well_known::{Any, Struct, Timestamp};

use super::service::Shape;

const NAMES: &[&str] = &["shape", "times"];

type Arguments = (Shape, Option<u8>);

fn read(bytes: &[u8], encoding: Encoding) {
    let bytes = Bytes::copy_from_slice(bytes);
    let limits = DecodeLimits::default();
    let read = <SerdeWithPostcard as Encodes<Shape>>::decode(&bytes, encoding, limits);
    if let Ok(shape) = read {
        let mut written = BytesMut::new();
        <SerdeWithPostcard as Encodes<Shape>>::encode(&shape, encoding, &mut written)
            .expect("what was read can be written");
        let again =
            <SerdeWithPostcard as Encodes<Shape>>::decode(&written.freeze(), encoding, limits);
        let again = again.expect("what was written can be read");
        // As text, because a number that is none is not equal to itself.
        assert_eq!(format!("{shape:?}"), format!("{again:?}"));
    }
    let read = <SerdeWithPostcard as EncodesArgs<Arguments>>::decode_args;
    let _ = read(NAMES, &bytes, encoding, limits);
    let _ = <SerdeWithPostcard as Encodes<serde_json::Value>>::decode(&bytes, encoding, limits);
    let _ = <SerdeWithPostcard as Encodes<Vec<(u16, String)>>>::decode(&bytes, encoding, limits);
}

/// MessagePack.
pub(crate) fn message_pack(bytes: &[u8]) {
    read(bytes, Encoding::MESSAGE_PACK);
}

/// JSON.
pub(crate) fn json(bytes: &[u8]) {
    read(bytes, Encoding::JSON);
}

/// Postcard.
pub(crate) fn postcard(bytes: &[u8]) {
    read(bytes, Encoding::POSTCARD);
}

/// Messages of protobuf that hold others and themselves: binary, and as JSON behind a byte that is odd.
pub(crate) fn protobuf(bytes: &[u8]) {
    let Some((first, bytes)) = bytes.split_first() else {
        return;
    };
    let encoding = match first & 1 {
        0 => Encoding::PROTOBUF,
        _ => Encoding::JSON,
    };
    let bytes = Bytes::copy_from_slice(bytes);
    message::<Struct>(&bytes, encoding);
    message::<Any>(&bytes, encoding);
    message::<Timestamp>(&bytes, encoding);
}

fn message<T>(bytes: &Bytes, encoding: Encoding)
where
    Protobuf: Encodes<T>,
{
    let limits = DecodeLimits::default();
    if let Ok(message) = <Protobuf as Encodes<T>>::decode(bytes, encoding, limits) {
        let mut written = BytesMut::new();
        <Protobuf as Encodes<T>>::encode(&message, encoding, &mut written)
            .expect("what was read can be written");
    }
}
