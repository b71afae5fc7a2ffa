"""Calls every method of `users.v1.Users` with grpcio and the stubs that grpcio-tools makes of the schema.

    python -m grpc_tools.protoc -I examples/proto -I rpc-build/proto --python_out=STUBS --grpc_python_out=STUBS \\
        users/v1/users.proto rpc/v1/options.proto
    PYTHONPATH=STUBS python examples/clients/call_users.py 127.0.0.1:PORT
"""
import sys

import grpc
from users.v1.users_pb2 import ChatMessage, CreateUserRequest, GetUserRequest, ListUsersRequest
from users.v1.users_pb2_grpc import UsersStub

with grpc.insecure_channel(sys.argv[1]) as channel:
    users = UsersStub(channel)
    created = users.CreateUser(CreateUserRequest(name="Barbara Liskov"))
    print("CreateUser ", created.id, created.name)
    found = users.GetUser(GetUserRequest(id=created.id), timeout=20)
    print("GetUser    ", found.id, found.name)
    many = users.CreateUsers(CreateUserRequest(name=name) for name in ("Frances Allen", "Tony Hoare"))
    print("CreateUsers", list(many.ids))
    print("ListUsers  ", ", ".join(user.name for user in users.ListUsers(ListUsersRequest())))
    answers = users.Chat(ChatMessage(text=text) for text in ("is Tony Hoare here?", "and Zoe?"))
    print("Chat       ", "; ".join(answer.text for answer in answers))
    try:
        users.GetUser(GetUserRequest(id=99))
    except grpc.RpcError as error:
        print("GetUser     refused:", error.code().name, error.details())
    else:
        sys.exit("a user that nobody made was to be refused")
