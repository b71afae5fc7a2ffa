"""gRPC's interoperability cases with grpcio.

    python3 interop.py client 127.0.0.1:PORT    makes all cases, and prints `passed CASE` for each
    python3 interop.py server                   serves at a free port, which it prints
"""
import concurrent.futures
import queue
import sys
import traceback
from pathlib import Path

import grpc

sys.path.insert(0, str(Path(__file__).parent / "proto"))
pb, services = grpc.protos_and_services("test.proto")

INITIAL, TRAILING = "x-grpc-test-echo-initial", "x-grpc-test-echo-trailing-bin"
UPLOADS, DOWNLOADS = [27182, 8, 1828, 45904], [31415, 9, 2653, 58979]
LARGE_REQUEST, LARGE_RESPONSE = 271828, 314159


def zeros(size):
    return pb.Payload(body=bytes(size))


class Service(services.TestServiceServicer):
    def EmptyCall(self, request, context):
        return pb.Empty()

    def UnaryCall(self, request, context):
        echo_metadata(context)
        fail_if_asked(request, context)
        if request.response_compressed.value:
            context.set_compression(grpc.Compression.Gzip)
        return pb.SimpleResponse(payload=zeros(request.response_size))

    def StreamingOutputCall(self, request, context):
        fail_if_asked(request, context)
        if any(wanted.compressed.value for wanted in request.response_parameters):
            context.set_compression(grpc.Compression.Gzip)
        for wanted in request.response_parameters:
            if not wanted.compressed.value:
                context.disable_next_message_compression()
            yield pb.StreamingOutputCallResponse(payload=zeros(wanted.size))

    def StreamingInputCall(self, requests, context):
        return pb.StreamingInputCallResponse(aggregated_payload_size=sum(len(it.payload.body) for it in requests))

    def FullDuplexCall(self, requests, context):
        echo_metadata(context)
        for request in requests:
            yield from self.StreamingOutputCall(request, context)


def echo_metadata(context):
    came = dict(context.invocation_metadata())
    if INITIAL in came:
        context.send_initial_metadata([(INITIAL, came[INITIAL])])
    if TRAILING in came:
        context.set_trailing_metadata([(TRAILING, came[TRAILING])])


def fail_if_asked(request, context):
    if request.HasField("response_status"):
        codes = {code.value[0]: code for code in grpc.StatusCode}
        context.abort(codes[request.response_status.code], request.response_status.message)


def serve():
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=16))
    services.add_TestServiceServicer_to_server(Service(), server)
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    server.wait_for_termination()


def exchange(size, wanted):
    parameters = [pb.ResponseParameters(size=size) for size in wanted]
    return pb.StreamingOutputCallRequest(payload=zeros(size), response_parameters=parameters)


def failure(call):
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise AssertionError("the call did not fail")


class Cases:
    def __init__(self, channel):
        self.channel = channel
        self.stub = services.TestServiceStub(channel)

    def empty_unary(self):
        assert self.stub.EmptyCall(pb.Empty()) == pb.Empty()

    def large_unary(self):
        request = pb.SimpleRequest(response_size=LARGE_RESPONSE, payload=zeros(LARGE_REQUEST))
        assert self.stub.UnaryCall(request).payload.body == bytes(LARGE_RESPONSE)

    def client_streaming(self):
        requests = (pb.StreamingInputCallRequest(payload=zeros(size)) for size in UPLOADS)
        assert self.stub.StreamingInputCall(requests).aggregated_payload_size == 74922

    def server_streaming(self):
        answers = self.stub.StreamingOutputCall(exchange(0, DOWNLOADS))
        assert [len(it.payload.body) for it in answers] == DOWNLOADS

    def ping_pong(self):
        requests = queue.Queue()
        answers = self.stub.FullDuplexCall(iter(requests.get, None))
        for up, down in zip(UPLOADS, DOWNLOADS):
            requests.put(exchange(up, [down]))
            assert len(next(answers).payload.body) == down
        requests.put(None)
        assert not list(answers)

    def empty_stream(self):
        assert not list(self.stub.FullDuplexCall(iter([])))

    def custom_metadata(self):
        sent = [(INITIAL, "test_initial_metadata_value"), (TRAILING, b"\x0a\x0b\x0a\x0b\x0a\x0b")]
        request = pb.SimpleRequest(response_size=LARGE_RESPONSE, payload=zeros(LARGE_REQUEST))
        _, unary = self.stub.UnaryCall.with_call(request, metadata=sent)
        duplex = self.stub.FullDuplexCall(iter([exchange(LARGE_REQUEST, [LARGE_RESPONSE])]), metadata=sent)
        assert len(list(duplex)) == 1
        for call in (unary, duplex):
            assert sent[0] in [tuple(it) for it in call.initial_metadata()]
            assert sent[1] in [tuple(it) for it in call.trailing_metadata()]

    def status_code_and_message(self, text="test status message"):
        status = pb.EchoStatus(code=2, message=text)
        unary = failure(lambda: self.stub.UnaryCall(pb.SimpleRequest(response_status=status)))
        request = pb.StreamingOutputCallRequest(response_status=status)
        duplex = failure(lambda: list(self.stub.FullDuplexCall(iter([request]))))
        for error in (unary, duplex):
            assert (error.code(), error.details()) == (grpc.StatusCode.UNKNOWN, text), error

    def special_status_message(self):
        self.status_code_and_message("\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n")

    def unimplemented_method(self, service="TestService"):
        call = self.channel.unary_unary(f"/grpc.testing.{service}/UnimplementedCall")
        assert failure(lambda: call(b"")).code() is grpc.StatusCode.UNIMPLEMENTED

    def unimplemented_service(self):
        self.unimplemented_method("UnimplementedService")

    def cancel_after_begin(self):
        call = self.stub.StreamingInputCall.future(iter(queue.Queue().get, None))
        assert call.cancel()
        assert call.code() is grpc.StatusCode.CANCELLED

    def cancel_after_first_response(self):
        requests = queue.Queue()
        requests.put(exchange(UPLOADS[0], [DOWNLOADS[0]]))
        answers = self.stub.FullDuplexCall(iter(requests.get, None))
        assert len(next(answers).payload.body) == DOWNLOADS[0]
        answers.cancel()
        requests.put(None)
        assert failure(lambda: next(answers)).code() is grpc.StatusCode.CANCELLED

    def timeout_on_sleeping_server(self):
        requests = queue.Queue()
        requests.put(exchange(UPLOADS[0], []))
        answers = self.stub.FullDuplexCall(iter(requests.get, None), timeout=0.3)
        assert failure(lambda: next(answers)).code() is grpc.StatusCode.DEADLINE_EXCEEDED
        requests.put(None)

    def client_compressed_unary(self):
        def request(expected):
            return pb.SimpleRequest(
                response_size=LARGE_RESPONSE,
                payload=zeros(LARGE_REQUEST),
                expect_compressed=pb.BoolValue(value=expected),
            )

        refused = failure(lambda: self.stub.UnaryCall(request(True)))
        assert refused.code() is grpc.StatusCode.INVALID_ARGUMENT, refused
        for expected, compression in [(True, grpc.Compression.Gzip), (False, grpc.Compression.NoCompression)]:
            answer = self.stub.UnaryCall(request(expected), compression=compression)
            assert answer.payload.body == bytes(LARGE_RESPONSE)

    # Whether it came compressed is not told; that it could be read is.

    def server_compressed_unary(self):
        for compressed in (True, False):
            request = pb.SimpleRequest(
                response_size=LARGE_RESPONSE, response_compressed=pb.BoolValue(value=compressed)
            )
            assert self.stub.UnaryCall(request).payload.body == bytes(LARGE_RESPONSE)

    def server_compressed_streaming(self):
        parameters = [
            pb.ResponseParameters(size=31415, compressed=pb.BoolValue(value=True)),
            pb.ResponseParameters(size=92653, compressed=pb.BoolValue(value=False)),
        ]
        answers = self.stub.StreamingOutputCall(pb.StreamingOutputCallRequest(response_parameters=parameters))
        assert [len(it.payload.body) for it in answers] == [31415, 92653]


CASES = [name for name in vars(Cases) if not name.startswith("_")]


def call(address):
    with grpc.insecure_channel(address) as channel:
        cases = Cases(channel)
        for name in CASES:
            try:
                getattr(cases, name)()
            except Exception:
                print(f"failed {name}", traceback.format_exc(), flush=True)
            else:
                print(f"passed {name}", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "server":
        serve()
    else:
        call(sys.argv[2])
