//! Our MessagePack against rmp-serde: the same bytes, and the same values from the same bytes.

mod exact;
mod shapes;
mod traced;
mod types;

use std::marker::PhantomData;

use fastrand::Rng;
use serde::de::{DeserializeOwned, DeserializeSeed};

use super::hostile::{mutate, samples};
use super::*;
use crate::codec::appender::Appender;
use crate::codec::malformed::Problem;
use crate::codec::message_pack::{self, DecodeError};
use crate::codec::{LARGE, Pieces};

fn ours<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let (mut out, mut pieces) = (BytesMut::new(), Pieces::default());
    let mut appender = Appender {
        out: &mut out,
        large: &[],
        pieces: &mut pieces,
    };
    message_pack::encode(&value, &mut appender).unwrap();
    out.to_vec()
}

fn theirs<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    rmp_serde::to_vec_named(value).unwrap()
}

/// What came of reading.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outcome {
    Read,
    Trailing,
    Refused,
    TooDeep,
}

/// Reads with both, and compares. Values are compared as they are shown, for NaN.
#[track_caller]
fn compare<'de, S, T>(make: impl Fn() -> S, bytes: &'de [u8]) -> Outcome
where
    S: DeserializeSeed<'de, Value = T>,
    T: Debug,
{
    let mut rest = bytes;
    let expected = make().deserialize(&mut rmp_serde::Deserializer::new(&mut rest));
    let found = message_pack::decode(make(), bytes, DecodeLimits::default());
    let what = || format!("{bytes:02x?}");
    match (found, expected) {
        (Ok(found), Ok(expected)) => {
            assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{}", what());
            assert!(rest.is_empty(), "{}", what());
            Outcome::Read
        }
        (Err(DecodeError::Malformed(malformed)), expected) => match malformed.problem {
            Problem::Trailing { count } => {
                assert!(expected.is_ok() && rest.len() == count, "{}", what());
                Outcome::Trailing
            }
            Problem::TooDeep { .. } | Problem::NoStack { .. } | Problem::TooLarge { .. } => {
                Outcome::TooDeep
            }
            Problem::Truncated | Problem::Reserved => {
                assert!(expected.is_err(), "{malformed}: {}", what());
                Outcome::Refused
            }
        },
        (Err(DecodeError::Unfit(error)), Ok(expected)) => {
            panic!("{error}, but expected {expected:?} from {}", what())
        }
        (Err(DecodeError::Unfit(_)), Err(_)) => Outcome::Refused,
        (Ok(found), Err(error)) => panic!("{found:?}, but {error} from {}", what()),
    }
}

#[track_caller]
fn compare_as<T: DeserializeOwned + Debug>(bytes: &[u8]) -> Outcome {
    compare(|| PhantomData::<T>, bytes)
}
