//! Which wire a connection speaks, by its first bytes.

use super::native;

/// The most bytes that are looked at; every wire is known by fewer.
pub(super) const DETECT_BYTES: usize = 64;

/// A wire that a server can accept: see [`Server::accept`](crate::Server::accept).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Wire {
    /// The native wire, which is always accepted.
    Native,
    /// HTTP/1.1 and HTTP/2: gRPC, gRPC-Web and Connect, and with [`JsonRpc`](Self::JsonRpc) also that, as
    /// the bodies of POST requests.
    #[cfg(feature = "http")]
    Http,
    /// WebSocket, at every path: the native wire inside of it (`ws://` and, over TLS, `wss://`), and
    /// with [`JsonRpc`](Self::JsonRpc) also that, a text in each message.
    #[cfg(feature = "websocket")]
    WebSocket,
    /// JSON-RPC 2.0, each text on a line of its own; with [`Http`](Self::Http) also as the bodies of
    /// requests.
    #[cfg(feature = "jsonrpc")]
    JsonRpc,
    /// The lines of kn-sock, `{"method", "params", "kwargs"}`, for its clients in Python. Beside
    /// [`JsonRpc`](Self::JsonRpc) the first line of a connection says which of the two it is.
    #[cfg(feature = "jsonrpc")]
    KnSock,
    /// JSON with its length before it, as four bytes in network order: calls are
    /// `{"id", "method", "params", "meta": {"timeout_ms", "idempotent"}}`, answers
    /// `{"id", "ok", "result", "error": {"code", "message", "details"}}`.
    #[cfg(feature = "jsonrpc")]
    LengthPrefixedJson,
}

/// Whether the first bytes of a connection belong to a wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Detect {
    Yes,
    No,
    NeedMore,
}

/// Says whether the first bytes of a connection belong to a wire.
type Detector = fn(&[u8]) -> Detect;

impl Detect {
    /// Compares the bytes with the one beginning that a wire has.
    pub(crate) fn prefix(bytes: &[u8], beginning: &[u8]) -> Self {
        let agree = beginning
            .iter()
            .zip(bytes)
            .all(|(ours, theirs)| ours == theirs);
        match agree {
            false => Self::No,
            true if bytes.len() < beginning.len() => Self::NeedMore,
            true => Self::Yes,
        }
    }
}

/// The wires that a listener accepts.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Wires {
    #[cfg(feature = "http")]
    http: bool,
    #[cfg(feature = "websocket")]
    websocket: bool,
    #[cfg(feature = "jsonrpc")]
    json_rpc: bool,
    #[cfg(feature = "jsonrpc")]
    kn_sock: bool,
    #[cfg(feature = "jsonrpc")]
    length_prefixed: bool,
}

/// What the first bytes of a connection say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Detected {
    Wire(Wire),
    Nothing,
    NeedMore,
}

impl Extend<Wire> for Wires {
    fn extend<T: IntoIterator<Item = Wire>>(&mut self, wires: T) {
        for wire in wires {
            match wire {
                Wire::Native => {}
                #[cfg(feature = "http")]
                Wire::Http => self.http = true,
                #[cfg(feature = "websocket")]
                Wire::WebSocket => self.websocket = true,
                #[cfg(feature = "jsonrpc")]
                Wire::JsonRpc => self.json_rpc = true,
                #[cfg(feature = "jsonrpc")]
                Wire::KnSock => self.kn_sock = true,
                #[cfg(feature = "jsonrpc")]
                Wire::LengthPrefixedJson => self.length_prefixed = true,
            }
        }
    }
}

impl Wires {
    /// Says whether there is nothing to tell apart.
    pub(super) fn is_native_only(self) -> bool {
        self.others().next().is_none()
    }

    /// Returns those that HTTP requests of somebody else's server can speak.
    #[cfg(all(feature = "http", feature = "tower"))]
    pub(super) fn mounted(self) -> Self {
        Self {
            http: true,
            #[cfg(feature = "websocket")]
            websocket: false,
            #[cfg(feature = "jsonrpc")]
            json_rpc: self.json_rpc,
            #[cfg(feature = "jsonrpc")]
            kn_sock: false,
            #[cfg(feature = "jsonrpc")]
            length_prefixed: false,
        }
    }

    /// Says whether calls are taken as HTTP requests.
    #[cfg(feature = "websocket")]
    pub(super) fn has_http(self) -> bool {
        self.http
    }

    /// Says whether an HTTP request may become a WebSocket.
    #[cfg(feature = "http")]
    pub(super) fn has_websocket(self) -> bool {
        #[cfg(feature = "websocket")]
        let websocket = self.websocket;
        #[cfg(not(feature = "websocket"))]
        let websocket = false;
        websocket
    }

    /// Says whether a line without a version may be a call of kn-sock's dialect.
    #[cfg(feature = "jsonrpc")]
    pub(super) fn has_kn_sock(self) -> bool {
        self.kn_sock
    }

    /// Says whether JSON-RPC is spoken.
    #[cfg(any(feature = "websocket", all(feature = "http", feature = "jsonrpc")))]
    pub(super) fn has_json_rpc(self) -> bool {
        #[cfg(feature = "jsonrpc")]
        let json_rpc = self.json_rpc;
        #[cfg(not(feature = "jsonrpc"))]
        let json_rpc = false;
        json_rpc
    }

    fn others(self) -> impl Iterator<Item = (Wire, Detector)> {
        let others = [
            #[cfg(feature = "http")]
            (
                self.http || self.has_websocket(),
                Wire::Http,
                super::http::detect as Detector,
            ),
            #[cfg(feature = "jsonrpc")]
            (
                self.json_rpc,
                Wire::JsonRpc,
                super::jsonrpc::detect_lines as Detector,
            ),
            #[cfg(feature = "jsonrpc")]
            (
                self.kn_sock,
                Wire::KnSock,
                super::jsonrpc::detect_lines as Detector,
            ),
            #[cfg(feature = "jsonrpc")]
            (
                self.length_prefixed,
                Wire::LengthPrefixedJson,
                super::jsonrpc::detect_lengths as Detector,
            ),
        ];
        let others = others.into_iter();
        others.filter_map(|(is_accepted, wire, detect): (bool, Wire, Detector)| {
            is_accepted.then_some((wire, detect))
        })
    }

    /// The names of the wires in ALPN, the preferred one first.
    #[cfg(feature = "tls")]
    pub(crate) fn alpn(self) -> Vec<Vec<u8>> {
        #[cfg(feature = "http")]
        let http = [
            (super::http::ALPN_HTTP2, self.http),
            (super::http::ALPN_HTTP1, self.http || self.has_websocket()),
        ]
        .into_iter()
        .filter_map(|(name, is_spoken)| is_spoken.then_some(name));
        #[cfg(not(feature = "http"))]
        let http = std::iter::empty();
        let names = std::iter::once(native::ALPN).chain(http);
        names.map(<[u8]>::to_vec).collect()
    }

    /// Returns the wire that a connection speaks which begins with these bytes.
    pub(super) fn detect(self, bytes: &[u8]) -> Detected {
        let native = (Wire::Native, native::detect as Detector);
        let mut undecided = false;
        for (wire, detect) in std::iter::once(native).chain(self.others()) {
            match detect(bytes) {
                Detect::Yes => return Detected::Wire(wire),
                Detect::NeedMore => undecided = true,
                Detect::No => {}
            }
        }
        if undecided && bytes.len() < DETECT_BYTES {
            Detected::NeedMore
        } else {
            Detected::Nothing
        }
    }
}

#[cfg(all(test, feature = "http"))]
mod tests {
    use super::*;

    fn both() -> Wires {
        let mut wires = Wires::default();
        wires.extend([Wire::Native, Wire::Http]);
        wires
    }

    #[test]
    fn each_beginning_is_told_by_its_first_bytes_however_they_come() {
        let native = b"\xD3RPC\r\n\x1A\x01 and more".as_slice();
        let http2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n and more".as_slice();
        let http1 = b"POST /math.v1.Math/add HTTP/1.1\r\n".as_slice();
        for (bytes, wire) in [
            (native, Wire::Native),
            (http2, Wire::Http),
            (http1, Wire::Http),
        ] {
            let decided = (0..=bytes.len()).find(|length| {
                let detected = both().detect(&bytes[..*length]);
                assert_ne!(detected, Detected::Nothing, "{length} bytes of {bytes:?}");
                detected == Detected::Wire(wire)
            });
            assert!(
                decided.is_some_and(|it| (1..=24).contains(&it)),
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn what_nobody_speaks_is_noticed_at_the_first_wrong_byte() {
        for bytes in [
            b"\x16\x03\x01".as_slice(),
            b"{\"jsonrpc\"",
            b"GREET ",
            b"PRI * HTTP/3",
            b"\xD3RPX",
            b"get / HTTP/1.1",
        ] {
            assert_eq!(both().detect(bytes), Detected::Nothing, "{bytes:?}");
        }
    }

    #[test]
    fn a_wire_that_was_not_named_is_not_accepted() {
        let wires = Wires::default();
        assert!(wires.is_native_only());
        assert_eq!(wires.detect(b"PRI * HTTP/2.0\r\n"), Detected::Nothing);
    }
}
