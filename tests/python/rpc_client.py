"""A small client of the native wire, written from docs/wire.md alone. Standard library only."""
import asyncio
import json
import struct

PREFACE, HEADER = b"\xd3RPC\r\n\x1a\x01", struct.Struct("<IBBHQ")
MAX_FRAME, MAX_MESSAGE, MAX_FIELDS, FRAGMENT, JSON = 1 << 20, 16 << 20, 1 << 14, 1 << 16, 2
SETTINGS, REQUEST, RESPONSE, MESSAGE, END, ERROR, CANCEL, CREDIT, PING, GO_AWAY = range(1, 11)
FLAG_END, FLAG_MORE, FLAG_BODY, FLAG_NOT_STARTED, FLAG_ACK = 1, 2, 4, 8, 16
METHOD, METHOD_NUMBER, TIMEOUT, ENCODING, _, METADATA, CODE, TEXT, DETAILS, LAST_CALL = range(1, 11)
STREAM_WINDOW, CALL_FIELDS, SETTINGS_FIELDS = 0x13, {*range(0x01, 0x0B), 0x8B}, {*range(0x10, 0x15)}


class RpcError(Exception):
    def __init__(self, code, text, details=None, not_started=False):
        super().__init__(f"{code}: {text}")
        self.code, self.text, self.details, self.not_started = code, text, details, not_started


def varint(value):
    return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80]) + varint(value >> 7)


def read_varint(data, start=0):
    """Returns the number and the offset after it."""
    value = 0
    for position, byte in enumerate(data[start:start + 10]):
        value |= (byte & 0x7F) << (7 * position)
        if byte < 0x80 and value < 1 << 64:
            return value, start + position + 1
    raise RpcError(13, "a number is malformed")


def field(kind, value):
    value = varint(value) if isinstance(value, int) else value
    return bytes([kind]) + varint(len(value)) + value


def read_fields(data, known=CALL_FIELDS):
    """Returns the fields by type; METADATA is a list of pairs."""
    fields, position = {METADATA: []}, 0
    while position < len(data):
        kind = data[position]
        length, start = read_varint(data, position + 1)
        value, position = data[start:start + length], start + length
        if position > len(data) or kind in fields and kind != METADATA:
            raise RpcError(13, f"field {kind:#x} is malformed")
        if kind not in known and kind < 0x80:
            raise RpcError(13, f"field {kind:#x} is unknown")
        if kind == METADATA:
            length, start = read_varint(value)
            fields[METADATA].append((value[start:start + length].decode(), value[start + length:]))
        elif kind in known:
            fields[kind] = value
    return fields


def number_of(fields, kind, default):
    return read_varint(fields[kind])[0] if kind in fields else default


class Call:
    """An open call. `async for` gives what the server answers; `cancel` gives the call up."""

    def __init__(self, client, call_id, method, timeout):
        self.client, self.id, self.method, self.received = client, call_id, method, asyncio.Queue()
        self.accepted, self.done, self.error, self.metadata, self.trailers = False, False, None, [], []
        self.partial, self.upload, self.due, self.credit, self.credit_came = None, None, 0, 0, asyncio.Event()
        late = f"{method} did not end within {timeout} s"
        self.timer = timeout and asyncio.get_running_loop().call_later(timeout, self.cancel, 4, late)

    async def __aiter__(self):
        while (message := await self.received.get()) is not None:
            self.due += len(message) + 16
            if not self.done and self.due * 2 >= self.client.window:
                self.client.send(CREDIT, 0, self.id, varint(self.due))
                self.due = 0
            yield json.loads(message)
        if self.error:
            raise self.error

    def cancel(self, code=1, text="cancelled"):
        if not self.done:
            self.client.send(CANCEL, 0, self.id, field(CODE, code))
            self.finish(RpcError(code, text))

    def finish(self, error=None):
        self.done, self.error = True, error
        self.client.calls.pop(self.id, None)
        for running in filter(None, (self.timer, self.upload)):
            running.cancel()
        self.received.put_nowait(None)

    async def send_items(self, items):
        await self.client.settings_came.wait()
        self.credit += self.client.peer_window
        async for item in items:
            message = json.dumps(item).encode()
            while self.credit <= 0:
                self.credit_came.clear()
                await self.credit_came.wait()
            self.credit -= len(message) + 16
            self.client.send_message(MESSAGE, 0, self.id, b"", message)
            await self.client.writer.drain()
        self.client.send(END, 0, self.id)

    def take(self, kind, flags, payload):
        """Handles a frame from the server; an RpcError from here fails the call."""
        if kind == CREDIT:
            self.credit += read_varint(payload)[0]
            return self.credit_came.set()
        if kind == ERROR:
            fields = read_fields(payload)
            details = json.loads(fields[DETAILS]) if DETAILS in fields else None
            code, text = number_of(fields, CODE, 2), fields.get(TEXT, b"").decode()
            return self.finish(RpcError(code, text, details, bool(flags & FLAG_NOT_STARTED)))
        if kind not in (RESPONSE, MESSAGE, END):
            raise RpcError(12, f"frame type {kind:#x} is unknown")
        if (kind == RESPONSE) == self.accepted or (kind == END and self.partial is not None):
            raise RpcError(13, f"frame type {kind:#x} is out of order")
        if kind == RESPONSE:
            length, start = read_varint(payload)
            fields, payload = read_fields(payload[start:start + length]), payload[start + length:]
            self.accepted, self.metadata = True, fields[METADATA]
            if METHOD_NUMBER in fields:
                self.client.numbers[self.method] = number_of(fields, METHOD_NUMBER, 0)
        if kind == END:
            self.trailers = read_fields(payload)[METADATA]
        elif kind == MESSAGE or flags & FLAG_BODY:
            self.partial = (self.partial or b"") + payload
            if len(self.partial) > MAX_MESSAGE:
                raise RpcError(8, "the answer is too long")
            if not flags & FLAG_MORE:
                self.received.put_nowait(self.partial)
                self.partial = None
        if kind == END or flags & FLAG_END:
            self.finish()


class Client:
    """One connection. Its methods must be called from its event loop."""

    @classmethod
    async def connect(cls, host, port, window=1 << 18, **tls):
        self = cls()
        self.reader, self.writer = await asyncio.open_connection(host, port, **tls)
        self.window, self.peer_window, self.settings_came = window, 1 << 16, asyncio.Event()
        self.calls, self.numbers, self.pings, self.last_id, self.gone = {}, {}, {}, -1, None
        self.writer.write(PREFACE)
        settings = enumerate((MAX_FRAME, MAX_MESSAGE, MAX_FIELDS, window, 0), 0x10)
        self.send(SETTINGS, 0, 0, b"".join(field(kind, value) for kind, value in settings))
        self.reading = asyncio.ensure_future(self.read())
        return self

    def send(self, kind, flags, call, payload=b""):
        self.writer.write(HEADER.pack(len(payload), kind, flags, 0, call) + payload)

    def send_message(self, kind, flags, call, block, message):
        """Sends a message in fragments. END goes with the last, the other flags with the first."""
        while True:
            piece, message = message[:FRAGMENT], message[FRAGMENT:]
            marks = flags & ~FLAG_END | FLAG_MORE if message else flags
            self.send(kind, marks, call, block + piece)
            if not message:
                return
            kind, flags, block = MESSAGE, flags & FLAG_END, b""

    def start(self, method, arguments=None, items=None, timeout=30.0, metadata=(), extra=b""):
        """Opens a call. `items` is an asynchronous iterator, for a method that takes a stream."""
        if self.gone:
            raise self.gone
        self.last_id += 2
        call = self.calls[self.last_id] = Call(self, self.last_id, method, timeout)
        number = self.numbers.get(method)
        block = field(METHOD, method.encode()) if number is None else field(METHOD_NUMBER, number)
        block += (field(TIMEOUT, int(timeout * 1_000_000)) if timeout else b"") + field(ENCODING, JSON) + extra
        block += b"".join(field(METADATA, varint(len(n)) + n.encode() + v.encode()) for n, v in metadata)
        message = b"" if arguments is None else json.dumps(arguments).encode()
        flags = FLAG_BODY if items else FLAG_BODY | FLAG_END
        self.send_message(REQUEST, flags, call.id, varint(len(block)) + block, message)
        call.upload = items and asyncio.ensure_future(call.send_items(items))
        return call

    async def call(self, method, arguments=None, **options):
        """Makes a call with a single reply, and returns the reply."""
        call = self.start(method, arguments, **options)
        try:
            replies = [reply async for reply in call]
        finally:
            call.cancel()
        if len(replies) != 1:
            raise RpcError(13, f"{method} has one reply, the server sent {len(replies)}")
        return replies[0]

    async def ping(self, payload):
        answer = self.pings[payload] = asyncio.get_running_loop().create_future()
        self.send(PING, 0, 0, payload)
        await answer

    async def read(self):
        try:
            if await self.reader.readexactly(len(PREFACE)) != PREFACE:
                raise RpcError(14, "the server speaks another protocol or version")
            while True:
                length, kind, flags, _, call = HEADER.unpack(await self.reader.readexactly(16))
                if length > MAX_FRAME:
                    raise RpcError(8, f"the server sent a frame of {length} bytes")
                self.take(kind, flags, call, await self.reader.readexactly(length))
        except (RpcError, OSError, EOFError) as error:
            self.gone = RpcError(14, f"the connection ended: {error}")
        finally:
            self.gone = self.gone or RpcError(14, "the client was closed")
            for call in list(self.calls.values()):
                call.finish(self.gone)
            for answer in self.pings.values():
                answer.cancel()
            self.writer.close()

    def take(self, kind, flags, call_id, payload):
        call = self.calls.get(call_id)
        if kind == SETTINGS:
            self.peer_window = number_of(read_fields(payload, SETTINGS_FIELDS), STREAM_WINDOW, 1 << 16)
            self.settings_came.set()
        elif kind == PING and flags & FLAG_ACK:
            answer = self.pings.pop(payload, None)
            answer and not answer.done() and answer.set_result(None)
        elif kind == PING:
            self.send(PING, FLAG_ACK, 0, payload)
        elif kind == GO_AWAY:
            fields = read_fields(payload)
            self.gone = RpcError(14, fields.get(TEXT, b"the server goes away").decode(), None, True)
            for other in [other for other in self.calls.values() if other.id > number_of(fields, LAST_CALL, 1 << 64)]:
                other.finish(self.gone)
        elif kind < 0x80 and call:
            try:
                call.take(kind, flags, payload)
            except (RpcError, ValueError) as error:
                call.cancel(getattr(error, "code", 13), str(error))
        elif GO_AWAY < kind < 0x80 and call_id == 0:
            raise RpcError(12, f"frame type {kind:#x} is unknown")

    async def close(self):
        self.reading.cancel()
        await asyncio.gather(self.reading, return_exceptions=True)
