//! The ten promises of the library, each on every transport. `patches/` has a change for each that
//! breaks it, and `prove.sh` shows that these tests notice.

mod probe;

/// Makes a test of each function on each transport, bounded in time.
macro_rules! on_every_transport {
    ($($name:ident)*) => {$(
        mod $name {
            use super::super::within;

            #[tokio::test]
            async fn tcp() {
                within(super::$name("tcp")).await;
            }

            #[tokio::test]
            async fn unix() {
                within(super::$name("unix")).await;
            }

            #[tokio::test]
            async fn mem() {
                within(super::$name("mem")).await;
            }

            #[tokio::test]
            async fn ws() {
                within(super::$name("ws")).await;
            }
        }
    )*};
}

/// Makes a test of each function on one transport, bounded in time.
macro_rules! over {
    ($transport:literal: $($name:ident)*) => {$(
        #[tokio::test]
        async fn $name() {
            crate::within(super::$name($transport)).await;
        }
    )*};
}

/// Makes a test of each function over gRPC, gRPC-Web, Connect and TLS: of those that speak
/// no frames of the native wire.
macro_rules! over_http_and_tls {
    ($($name:ident)*) => {
        over_http2_and_tls! { $($name)* }
        mod over_http1 {
            over!("connect+http1": $($name)*);
        }
    };
}

/// The same, but for HTTP/1.1, which has no credit.
macro_rules! over_http2_and_tls {
    ($($name:ident)*) => {
        mod over_grpc {
            over!("grpc": $($name)*);
        }
        mod over_grpc_web {
            over!("grpc-web+http": $($name)*);
        }
        mod over_connect {
            over!("connect+http": $($name)*);
        }
        mod over_tls {
            over!("tls": $($name)*);
        }
        mod over_grpc_and_tls {
            over!("grpcs": $($name)*);
        }
    };
}

/// Makes a test of each function over JSON-RPC on lines, and over JSON with its length before it.
macro_rules! over_json {
    ($($name:ident)*) => {
        mod over_json_rpc {
            over!("jsonrpc+tcp": $($name)*);
        }
        mod over_json_with_lengths {
            over!("lpjson": $($name)*);
        }
    };
}

mod p01_ends_once;
mod p02_good_ends;
mod p03_at_most_once;
mod p04_cancel;
mod p05_bounded;
mod p06_fails_itself;
mod p07_drain;
mod p08_limits;
mod p09_panics;
mod p10_errors_say_where;

/// No test takes longer than this.
async fn within(test: impl Future<Output = ()>) {
    let bound = std::time::Duration::from_secs(25);
    if tokio::time::timeout(bound, test).await.is_err() {
        panic!("the test hangs: not over within {bound:?}");
    }
}
