"""Checks a running `math` example server from Python: `python3 test_native.py HOST:PORT`.

Prints a line for each check, and ends with 1 if one of them failed.
"""
import asyncio
import re
import sys
import traceback

from rpc_client import TIMEOUT, Client, RpcError, field

ADD, DIVIDE, PRIMES, SUM = ("math.v1.Math/" + name for name in ("add", "divide", "primes", "sum"))


async def numbers(count):
    for number in range(1, count + 1):
        yield number


async def endless():
    yield 1
    await asyncio.Event().wait()


async def first_of(call):
    return await call.__aiter__().__anext__()


async def failure_of(awaitable):
    try:
        result = await awaitable
    except RpcError as error:
        return error
    raise AssertionError(f"expected an error, got {result!r}")


async def unary_call(client):
    assert await client.call(ADD, {"a": 2, "b": 3}) == 5
    # The second time by number, if the server gave one; and by position.
    assert await client.call(ADD, {"b": -3, "a": 2}) == -1
    assert await client.call(ADD, [2, 3]) == 5


async def many_calls_at_once(client):
    calls = [client.call(ADD, {"a": number, "b": 1}) for number in range(200)]
    assert await asyncio.gather(*calls) == list(range(1, 201))


async def metadata_is_accepted(client):
    assert await client.call(ADD, {"a": 2, "b": 3}, metadata=[("x-request-id", "7f3a")]) == 5


async def error_with_details(client):
    assert await client.call(DIVIDE, {"a": 1.0, "b": 4.0}) == 0.25
    error = await failure_of(client.call(DIVIDE, {"a": 1.0, "b": 0.0}))
    assert error.details is not None and error.text, vars(error)


async def wrong_arguments(client):
    error = await failure_of(client.call(ADD, {"a": 2}))
    assert error.code == 3 and re.search(r"\bb\b", error.text), vars(error)
    error = await failure_of(client.call(ADD, {"a": 2, "b": "three"}))
    assert error.code == 3, vars(error)


async def unknown_method(client):
    assert (await failure_of(client.call("math.v1.Math/nothing"))).code == 12
    assert (await failure_of(client.call("no.Such/add", {"a": 2, "b": 3}))).code == 12


async def server_stream(client):
    primes = client.start(PRIMES, {"up_to": 30})
    assert [prime async for prime in primes] == [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]
    assert primes.accepted
    assert [prime async for prime in client.start(PRIMES, {"up_to": 1})] == []


async def client_stream(client):
    assert await client.call(SUM, items=numbers(100)) == 5050
    assert await client.call(SUM, items=numbers(0)) == 0


async def long_client_stream(client):
    # Costs far more than any window: the server must give credit back.
    assert await client.call(SUM, items=numbers(50_000)) == 50_000 * 50_001 // 2


async def credit_limits_the_server(client):
    small = await Client.connect(*client.address, window=100)
    try:
        primes = small.start(PRIMES, {"up_to": 10_000})
        stream = primes.__aiter__()
        assert await stream.__anext__() == 2
        while primes.received.qsize() < 5:
            await small.ping(b"credit..")
        # Each of these costs 17; the sixth is begun with 15 left, the seventh may not be.
        for _ in range(5):
            await small.ping(b"credit..")
        assert primes.received.qsize() == 5, primes.received.qsize()
        rest = [prime async for prime in stream]
        assert len(rest) == 1228 and rest[-1] == 9973
    finally:
        await small.close()


async def cancel_leaves_the_connection_usable(client):
    primes = client.start(PRIMES, {"up_to": 10_000_000})
    async for prime in primes:
        if prime > 100:
            break
    primes.cancel()
    assert await client.call(ADD, {"a": 2, "b": 3}) == 5


async def timeout_ends_a_call(client):
    error = await failure_of(client.call(SUM, items=endless(), timeout=0.1))
    assert error.code == 4, vars(error)


async def server_keeps_the_timeout_too(client):
    # This client keeps no clock here: the error comes from the server.
    call = client.start(SUM, items=endless(), timeout=None, extra=field(TIMEOUT, 100_000))
    assert (await failure_of(first_of(call))).code == 4


async def fragments_are_joined(client):
    # A name that the method does not have is ignored; it makes four fragments of this one.
    long = client.call(ADD, {"a": 2, "padding": "x" * 200_000, "b": 3})
    assert await asyncio.gather(long, client.call(ADD, [1, 1])) == [5, 2]


async def unknown_frame_is_ignored(client):
    client.send(0x8F, 0x80, 0, b"\xca\xfe")
    client.send(0x8F, 0, 99_999, b"")
    assert await client.call(ADD, {"a": 2, "b": 3}) == 5


async def unknown_frame_fails_its_call_only(client):
    call = client.start(SUM, items=endless())
    client.send(0x0F, 0, call.id, b"\xca\xfe")
    error = await failure_of(first_of(call))
    assert error.code == 12, vars(error)
    assert await client.call(ADD, {"a": 2, "b": 3}) == 5


async def unknown_fields(client):
    arguments = {"a": 2, "b": 3}
    assert await client.call(ADD, arguments, extra=field(0xA0, b"\xca\xfe")) == 5
    error = await failure_of(client.call(ADD, arguments, extra=field(0x20, b"\xca\xfe")))
    assert error.code == 12 and error.not_started, vars(error)
    assert await client.call(ADD, arguments) == 5


async def ping_is_answered(client):
    await client.ping(b"\x00\x01\x02\x03\xfc\xfd\xfe\xff")


async def unknown_must_understand_frame_ends_the_connection(client):
    other = await Client.connect(*client.address)
    other.send(0x0F, 0, 0, b"")
    await other.reading
    assert other.gone is not None
    assert (await failure_of(other.call(ADD, [2, 3]))).code == 14
    assert await client.call(ADD, {"a": 2, "b": 3}) == 5


CHECKS = [
    unary_call,
    many_calls_at_once,
    metadata_is_accepted,
    error_with_details,
    wrong_arguments,
    unknown_method,
    server_stream,
    client_stream,
    long_client_stream,
    credit_limits_the_server,
    cancel_leaves_the_connection_usable,
    timeout_ends_a_call,
    server_keeps_the_timeout_too,
    fragments_are_joined,
    unknown_frame_is_ignored,
    unknown_frame_fails_its_call_only,
    unknown_fields,
    ping_is_answered,
    unknown_must_understand_frame_ends_the_connection,
]


async def main(address):
    host, port = address.rsplit(":", 1)
    failed = 0
    for check in CHECKS:
        # Each check has a connection of its own, so that one failure does not hide the next.
        client = await Client.connect(host.strip("[]"), int(port))
        client.address = (host.strip("[]"), int(port))
        try:
            await asyncio.wait_for(check(client), 30)
            print(f"ok      {check.__name__}")
        except Exception:
            failed += 1
            print(f"FAILED  {check.__name__}")
            traceback.print_exc()
        finally:
            await client.close()
    print(f"{len(CHECKS) - failed} of {len(CHECKS)} checks passed")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(asyncio.run(main(sys.argv[1])))
