"""Calls a server of `Wire::LengthPrefixedJson`, many calls at once on one connection.

    python3 examples/python/lpjson.py 127.0.0.1 8080 math.v1.Math.add 10 20
"""

import itertools
import json
import socket
import struct
import sys
import threading
from concurrent.futures import Future


class RpcError(Exception):
    def __init__(self, code, message, details):
        super().__init__(f"{code}: {message}")
        self.code, self.details = code, details


class Client:
    def __init__(self, host, port):
        self._socket = socket.create_connection((host, port))
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self._waiting = {}
        threading.Thread(target=self._receive, daemon=True).start()

    def start(self, method, *args, timeout_ms=30_000, **kwargs):
        """Begins a call; the future it returns has the result."""
        future, id = Future(), next(self._ids)
        meta = {"timeout_ms": timeout_ms, "idempotent": False}
        call = {"id": id, "method": method, "params": kwargs or args, "meta": meta}
        text = json.dumps(call).encode()
        with self._lock:
            self._waiting[id] = future
            self._socket.sendall(struct.pack(">I", len(text)) + text)
        return future

    def call(self, method, *args, **kwargs):
        return self.start(method, *args, **kwargs).result()

    def _receive(self):
        stream = self._socket.makefile("rb")
        while len(prefix := stream.read(4)) == 4:
            answer = json.loads(stream.read(*struct.unpack(">I", prefix)))
            future = self._waiting.pop(answer["id"], None)
            if future is None:
                continue
            if answer["ok"]:
                future.set_result(answer["result"])
            else:
                future.set_exception(RpcError(**answer["error"]))
        for future in list(self._waiting.values()):
            future.set_exception(ConnectionError("the server closed the connection"))


if __name__ == "__main__":
    host, port, method, *arguments = sys.argv[1:]
    print(Client(host, int(port)).call(method, *map(json.loads, arguments)))
