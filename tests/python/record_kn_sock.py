"""Records what kn-sock's own server answers: record_kn_sock.py > tests/golden/kn_sock.txt

Each line of CALLS is sent as it stands here; what comes back follows it, if anything does.
"""

import socket
import threading

from kn_sock import start_rpc_server

CALLS = r"""
{"method": "add", "params": [10, 20], "kwargs": {}}
{"method": "add", "params": [-10, 3], "kwargs": {}}
{"method": "add", "params": [10], "kwargs": {"b": 20}}
{"method": "add", "params": [], "kwargs": {"b": 20, "a": 10}}
{"method": "add", "params": [10, 20]}
{"method": "add", "kwargs": {"a": 1, "b": 2}}
{"method":"add","params":[1,2],"kwargs":{}}
{"kwargs": {}, "params": [4611686018427387904, 4611686018427387903], "method": "add"}
{"method": "divide", "params": [10, 4], "kwargs": {}}
{"method": "divide", "params": [10, 5], "kwargs": {}}
{"method": "divide", "params": [1, 3], "kwargs": {}}
{"method": "divide", "params": [10, 0], "kwargs": {}}
{"method": "x", "params": [], "kwargs": {}}
{"method": "é'\"😀", "params": [], "kwargs": {}}
{"method": "", "params": [], "kwargs": {}}
not JSON at all
{"method": "echo", "params": [null], "kwargs": {}}
{"method": "echo", "params": [true], "kwargs": {}}
{"method": "echo", "params": [[]], "kwargs": {}}
{"method": "echo", "params": [{}], "kwargs": {}}
{"method": "echo", "params": [{"a": [1, 2, {"b": null}], "c": "d: e, f"}], "kwargs": {}}
{"method": "echo", "params": ["\u00e9é\ud83d\ude00 \u007f"], "kwargs": {}}
{"method": "echo", "params": ["\"\\\/\b\f\n\r\t\u0000\u001f"], "kwargs": {}}
{"method": "echo", "params": [18446744073709551615], "kwargs": {}}
{"method": "echo", "params": [[-9223372036854775808, 0.1, 2.0, -1.5]], "kwargs": {}}
{"method": "echo", "params": [[1e22, 1e-7, 123456.789]], "kwargs": {}}
{"jsonrpc": "2.0", "method": "echo", "params": ["more"], "kwargs": {}, "id": 1}
""".strip()


def divide(a, b):
    if b == 0:
        raise ValueError("Division by zero is not allowed")
    return a / b


FUNCTIONS = {"add": lambda a, b: a + b, "divide": divide, "echo": lambda value: value}


def connect(port):
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except OSError:
            pass


def main():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    shutdown = threading.Event()
    serve = lambda: start_rpc_server(port, FUNCTIONS, "127.0.0.1", shutdown)
    threading.Thread(target=serve, daemon=True).start()
    for call in CALLS.split("\n"):
        with connect(port) as stream:
            stream.sendall(call.encode() + b"\n")
            stream.shutdown(socket.SHUT_WR)
            answer = stream.makefile("rb").read().decode()
        print(f"> {call}\n{answer}", end="")


main()
