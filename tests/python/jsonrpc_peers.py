"""JSON-RPC and kn-sock as others speak them, over TCP.

    jsonrpc_peers.py CASE PORT     CASE is kn-sock or jsonrpc: calls a server of ours
    jsonrpc_peers.py CASE          serves, prints its port, and ends with its standard input
"""

import json
import socket
import sys
import threading


def check(what, found, expected):
    assert found == expected, f"{what}: {found!r} is not {expected!r}"
    print("ok:", what)


def call_kn_sock(port):
    from kn_sock import RPCClient

    client = RPCClient("127.0.0.1", port)
    check("by position", client.call("subtract", 30, 10), 20)
    check("by name", client.call("subtract", minuend=30, subtrahend=10), 20)
    check("both", client.call("subtract", 30, subtrahend=10), 20)
    check("text", client.call("echo", "é😀\n\"\\"), "é😀\n\"\\")
    check("64 bits", client.call("big", 2**64 - 1), 2**64 - 1)
    for what, call, text in [
        ("an error", lambda: client.call("take", 11), "10 is left"),
        ("a missing method", lambda: client.call("x"), "Method 'x' not found"),
    ]:
        try:
            call()
        except Exception as error:
            check(what, str(error), text)
        else:
            raise AssertionError(f"{what} passed")
    check("many", [client.call("sum", n, 1, 1) for n in range(100)], list(range(2, 102)))
    client.close()


def functions():
    def divide(a, b):
        if b == 0:
            raise ValueError("Division by zero is not allowed")
        return a / b

    return {"add": lambda a, b: a + b, "divide": divide, "echo": lambda value: value}


def serve_kn_sock():
    from kn_sock import start_rpc_server

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    run = lambda: start_rpc_server(port, functions(), host="127.0.0.1")
    threading.Thread(target=run, daemon=True).start()
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return port
        except OSError:
            pass


def call_jsonrpc(port):
    from jsonrpcclient import Error, Ok, notification, parse, parse_json, request, request_uuid

    stream = socket.create_connection(("127.0.0.1", port)).makefile("rw", newline="\n")

    def call(message):
        stream.write(json.dumps(message) + "\n")
        stream.flush()
        return parse(json.loads(stream.readline()))

    check("by position", call(request("subtract", params=(5, 3), id=1)), Ok(2, 1))
    check("by name", call(request("subtract", params={"subtrahend": 3, "minuend": 5}, id=2)), Ok(2, 2))
    asked = request_uuid("test.v1.Example.big", params=[2**64 - 1])
    check("64 bits and an id of text", call(asked), Ok(2**64 - 1, asked["id"]))
    check("a missing method", call(request("x", id=3)), Error(-32601, "Method not found", None, 3))
    own = Error(-32011, "10 is left", {"TooMuch": {"left": 10}}, 4)
    check("an error", call(request("take", params=[11], id=4)), own)
    batch = [request("sum", params=[1, 2, 3], id=5), notification("notify_hello", params=[1]),
             request("sum", params=[2, 2, 3], id=6)]
    check("a batch", list(call(batch)), [Ok(6, 5), Ok(7, 6)])
    assert parse_json


def serve_jsonrpc():
    from jsonrpcserver import Error, Success, dispatch

    def wrapped(function):
        def run(*args, **kwargs):
            try:
                return Success(function(*args, **kwargs))
            except ValueError as error:
                return Error(7, str(error), {"Divided": args})
        return run

    methods = {name: wrapped(function) for name, function in functions().items()}
    server = socket.create_server(("127.0.0.1", 0))

    def run():
        while True:
            stream = server.accept()[0].makefile("rw", newline="\n")
            for line in stream:
                answer = dispatch(line, methods=methods)
                if answer:
                    stream.write(answer + "\n")
                    stream.flush()

    threading.Thread(target=run, daemon=True).start()
    return server.getsockname()[1]


CALL = {"kn-sock": call_kn_sock, "jsonrpc": call_jsonrpc}
SERVE = {"kn-sock": serve_kn_sock, "jsonrpc": serve_jsonrpc}

if len(sys.argv) > 2:
    CALL[sys.argv[1]](int(sys.argv[2]))
else:
    print("port", SERVE[sys.argv[1]](), flush=True)
    sys.stdin.read()
