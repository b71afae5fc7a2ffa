//! Encodes or decodes the arguments of a call in W2, for callgrind to count the instructions of:
//! `codec encode|decode TIMES`.

use std::hint::black_box;

use anyhow::{Result, bail, ensure};
use bytes::BytesMut;
use counts::argument;
use harness::{Small, expected_checksum};
use rpc_runtime::codec::{DecodeLimits, EncodesArgs, Encoding, Serde};

const NAMES: &[&str] = &["message"];
/// An id that takes three bytes, as most of those in W2 do.
const ID: u64 = 5000;

fn main() -> Result<()> {
    let times: usize = argument(2, "1000").parse()?;
    let args = (Small::new(ID),);
    let mut out = BytesMut::with_capacity(1 << 10);
    match &*argument(1, "decode") {
        "encode" => {
            for _ in 0..times {
                out.clear();
                encode(black_box(&args), &mut out)?;
            }
        }
        "decode" => {
            encode(&args, &mut out)?;
            let bytes = out.freeze();
            for _ in 0..times {
                let limits = DecodeLimits::default();
                let (message,): (Small,) =
                    Serde::decode_args(NAMES, black_box(&bytes), Encoding::MESSAGE_PACK, limits)?;
                ensure!(
                    message.checksum() == expected_checksum(ID),
                    "not the message"
                );
            }
        }
        other => bail!("`{other}` is neither `encode` nor `decode`"),
    }
    Ok(())
}

fn encode(args: &(Small,), out: &mut BytesMut) -> Result<()> {
    Ok(Serde::encode_args(
        NAMES,
        args,
        Encoding::MESSAGE_PACK,
        out,
    )?)
}
