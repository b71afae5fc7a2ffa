"""grpcio, which knows nothing of this library, against a server that echoes bytes.

    python3 test_grpc.py 127.0.0.1:PORT

It prints a line for each check, and fails at the first that is not met. The methods are those of
`tests/integration/grpc_python.rs`: they take and give messages as bytes, so no schema is needed.
"""

import sys
import threading
import time

import grpc

ADDRESS = sys.argv[1]
OPTIONS = [("grpc.max_receive_message_length", 32 << 20), ("grpc.max_send_message_length", 64 << 20)]


def method(channel, kind, name):
    return getattr(channel, kind)(f"/echo.v1.Echo/{name}", request_serializer=None, response_deserializer=None)


def failure(call):
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise AssertionError("the call did not fail")


def check(name):
    print(f"ok {name}", flush=True)


def unary(channel):
    echo = method(channel, "unary_unary", "Echo")
    assert echo(b"hello") == b"hello"
    assert echo(b"") == b""
    check("unary")
    large = bytes(range(256)) * (4 << 12)
    assert echo(large) == large
    check("a large message")
    many = [echo.future(str(n).encode()) for n in range(500)]
    assert [it.result() for it in many] == [str(n).encode() for n in range(500)]
    check("many calls at once")
    error = failure(lambda: echo(b"x" * (17 << 20)))
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, error
    assert "`max_message` of 16777216 bytes" in error.details(), error
    check("a message over the limit")


def metadata(channel):
    echo = method(channel, "unary_unary", "Metadata")
    sent = [("tenant", "7"), ("tenant", "8"), ("trace-bin", b"\x00\x01\xfe\xff"), ("empty-bin", b"")]
    reply, call = echo.with_call(b"", metadata=sent)
    initial = call.initial_metadata()
    assert [v for k, v in initial if k == "tenant"] == ["7", "8"], initial
    assert [v for k, v in initial if k == "trace-bin"] == [b"\x00\x01\xfe\xff"], initial
    assert [v for k, v in initial if k == "empty-bin"] == [b""], initial
    trailing = call.trailing_metadata()
    assert ("seen-bin", b"\xff\x00") in [(k, v) for k, v in trailing], trailing
    check("metadata both ways, binary too")


def statuses(channel):
    fail = method(channel, "unary_unary", "Fail")
    for code in grpc.StatusCode:
        if code is grpc.StatusCode.OK:
            continue
        text = f"100 % of \u2603 and\nlines {code.value[0]}"
        error = failure(lambda: fail(bytes([code.value[0]]) + text.encode()))
        assert error.code() is code, (error.code(), code)
        assert error.details() == text, error.details()
        assert ("why", "asked") in [(k, v) for k, v in error.trailing_metadata()]
    check("every status, with any text")
    missing = method(channel, "unary_unary", "Missing")
    assert failure(lambda: missing(b"")).code() is grpc.StatusCode.UNIMPLEMENTED
    check("an unknown method")
    panics = method(channel, "unary_unary", "Panic")
    assert failure(lambda: panics(b"")).code() is grpc.StatusCode.INTERNAL
    check("a panic")


def streams(channel):
    count = method(channel, "unary_stream", "Count")
    assert list(count(b"1000")) == [str(n).encode() for n in range(1000)]
    assert list(count(b"0")) == []
    check("server streaming")
    join = method(channel, "stream_unary", "Join")
    assert join(iter(str(n).encode() for n in range(1000))) == b",".join(str(n).encode() for n in range(1000))
    assert join(iter([])) == b""
    check("client streaming")
    chat = method(channel, "stream_stream", "Chat")
    assert list(chat(iter([b"a", b"", b"c" * 100000]))) == [b"a", b"", b"c" * 100000]
    gate = threading.Semaphore(1)

    def one_by_one():
        for n in range(100):
            gate.acquire()
            yield str(n).encode()

    for n, reply in enumerate(chat(one_by_one())):
        assert reply == str(n).encode()
        gate.release()
    check("bidirectional, in step")
    half = method(channel, "unary_stream", "CountThenFail")
    seen = []
    error = failure(lambda: seen.extend(half(b"3")) or [seen.append(it) for it in half(b"3")])
    assert error.code() is grpc.StatusCode.DATA_LOSS, error
    check("a stream that fails")


def time_and_cancellation(channel):
    wait = method(channel, "unary_unary", "Wait")
    running = method(channel, "unary_unary", "Running")
    began = time.monotonic()
    error = failure(lambda: wait(b"", timeout=0.3))
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED, error
    assert time.monotonic() - began < 20
    left = method(channel, "unary_unary", "TimeLeft")
    seen = int(left(b"", timeout=10))
    assert 0 < seen <= 11000, seen
    check("deadlines")
    call = wait.future(b"")
    while running(b"") == b"0":
        time.sleep(0.01)
    call.cancel()
    began = time.monotonic()
    while running(b"") != b"0":
        assert time.monotonic() - began < 20, "the handler runs on"
        time.sleep(0.01)
    check("a call that is cancelled ends its handler")
    stream = method(channel, "unary_stream", "Forever")(b"")
    assert next(stream) and next(stream)
    stream.cancel()
    began = time.monotonic()
    while running(b"") != b"0":
        assert time.monotonic() - began < 20, "the stream runs on"
        time.sleep(0.01)
    check("a stream that is cancelled ends")


def slow_reader(channel):
    forever = method(channel, "unary_stream", "Forever")(b"")
    next(forever)
    echo = method(channel, "unary_unary", "Echo")
    for _ in range(100):
        assert echo(b"x" * 10000, timeout=10) == b"x" * 10000
    forever.cancel()
    check("a stream that nobody reads slows no other call")


def compressed(channel):
    echo = method(channel, "unary_unary", "Echo")
    text = b"compress me " * 10000
    assert echo(text, compression=grpc.Compression.Gzip) == text
    error = failure(lambda: echo(bytes(17 << 20), compression=grpc.Compression.Gzip))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED, error
    assert "`max_message`" in error.details(), error
    error = failure(lambda: echo(text, compression=grpc.Compression.Deflate))
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED, error
    check("gzip both ways, a bomb, and what is not supported")


with grpc.insecure_channel(ADDRESS, options=OPTIONS) as channel:
    for part in (unary, metadata, statuses, streams, time_and_cancellation, slow_reader, compressed):
        part(channel)
with grpc.insecure_channel(ADDRESS, options=OPTIONS, compression=grpc.Compression.Gzip) as channel:
    streams(channel)
print("done")
