"""JSON-RPC and kn-sock as others speak them, over TCP, HTTP and WebSocket.

    jsonrpc_peers.py CASE PORT     CASE is kn-sock, tcp, http or ws: calls a server of ours
    jsonrpc_peers.py CASE          serves, prints its port, and ends with its standard input
"""

import json
import socket
import sys
import threading
import time


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
    # From another address: a connection from the same one could be given this very port, be connected to itself,
    # and keep the server from it.
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), source_address=("127.0.0.2", 0)).close()
            return port
        except OSError:
            time.sleep(0.01)


def call_tcp(port):
    stream = socket.create_connection(("127.0.0.1", port)).makefile("rw", newline="\n")

    def exchange(message):
        stream.write(json.dumps(message) + "\n")
        stream.flush()
        return json.loads(stream.readline())

    call_jsonrpc(exchange)


def call_http(port):
    import requests

    session = requests.Session()

    def exchange(message):
        answer = session.post(f"http://127.0.0.1:{port}/", json=message, timeout=20)
        answer.raise_for_status()
        return answer.json()

    call_jsonrpc(exchange)
    silent = session.post(f"http://127.0.0.1:{port}/", json={"jsonrpc": "2.0", "method": "x"}, timeout=20)
    check("nothing for a notification", (silent.status_code, silent.content), (204, b""))


def call_jsonrpc(exchange):
    from jsonrpcclient import Error, Ok, notification, parse, request, request_uuid

    def call(message):
        return parse(exchange(message))

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


def call_ws(port):
    import asyncio

    from jsonrpc_base import ProtocolError
    from jsonrpc_websocket import Server

    async def run():
        server = Server(f"ws://127.0.0.1:{port}/")
        await server.ws_connect()
        check("by position", await server.subtract(5, 3), 2)
        check("by name", await server.subtract(subtrahend=3, minuend=5), 2)
        check("64 bits", await server.test.v1.Example.big(2**64 - 1), 2**64 - 1)
        check("many", await asyncio.gather(*(server.sum(n, 1, 1) for n in range(100))), list(range(2, 102)))
        try:
            await server.take(11)
        except ProtocolError as error:
            check("an error", error.args[0], -32011)
            check("its data", error.args[2]["error"]["data"], {"TooMuch": {"left": 10}})
        else:
            raise AssertionError("an error passed")
        await server.notify_hello(1, _notification=True)
        check("behind a notification", await server.sum(1, 2, 3), 6)
        await server.close()

    asyncio.run(run())


def answering():
    from jsonrpcserver import Error, Success, dispatch

    def wrapped(function):
        def run(*args, **kwargs):
            try:
                return Success(function(*args, **kwargs))
            except ValueError as error:
                return Error(7, str(error), {"Divided": args})
        return run

    methods = {name: wrapped(function) for name, function in functions().items()}
    return lambda text: dispatch(text, methods=methods)


def serve_http():
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    answer = answering()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            text = answer(self.rfile.read(int(self.headers["content-length"])).decode())
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


def serve_tcp():
    answer = answering()
    server = socket.create_server(("127.0.0.1", 0))

    def run():
        while True:
            stream = server.accept()[0].makefile("rw", newline="\n")
            for line in stream:
                text = answer(line)
                if text:
                    stream.write(text + "\n")
                    stream.flush()

    threading.Thread(target=run, daemon=True).start()
    return server.getsockname()[1]


CALL = {"kn-sock": call_kn_sock, "tcp": call_tcp, "http": call_http, "ws": call_ws}
SERVE = {"kn-sock": serve_kn_sock, "tcp": serve_tcp, "http": serve_http}

if len(sys.argv) > 2:
    CALL[sys.argv[1]](int(sys.argv[2]))
else:
    print("port", SERVE[sys.argv[1]](), flush=True)
    sys.stdin.read()
