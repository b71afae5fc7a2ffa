"""Checks a server that speaks TLS and asks for certificates: `python3 test_tls.py HOST:PORT DIRECTORY`.

The directory holds authority.pem and client.pem. Prints a line for each check, and ends with 1 if one of them failed.
"""
import asyncio
import ssl
import sys
import traceback
from pathlib import Path

from rpc_client import Client

ADD, ECHO = "test.v1.Math/add", "test.v1.Math/echo"


def context(directory, version, certificate=True):
    made = ssl.create_default_context(cafile=directory / "authority.pem")
    made.minimum_version = made.maximum_version = version
    made.set_alpn_protocols(["h2", "rpc-native/1"])
    if certificate:
        made.load_cert_chain(directory / "client.pem")
    return made


async def calls(address, directory, version):
    made = context(directory, version)
    client = await Client.connect(*address, ssl=made, server_hostname="localhost")
    channel = client.writer.get_extra_info("ssl_object")
    assert channel.selected_alpn_protocol() == "rpc-native/1"
    assert channel.version() == {ssl.TLSVersion.TLSv1_2: "TLSv1.2", ssl.TLSVersion.TLSv1_3: "TLSv1.3"}[version]
    sums = await asyncio.gather(*(client.call(ADD, {"a": number, "b": 1}) for number in range(200)))
    assert sums == list(range(1, 201))
    large = [number % 256 for number in range(1 << 18)]
    assert await client.call(ECHO, large) == large
    await client.close()


async def without_a_certificate(address, directory, version):
    made = context(directory, version, certificate=False)
    try:
        client = await Client.connect(*address, ssl=made, server_hostname="localhost")
        answer = await client.call(ADD, {"a": 1, "b": 2})
    except Exception as error:
        assert "certificate required" in str(error) or "handshake failure" in str(error), str(error)
        return
    raise AssertionError(f"expected an error, got {answer!r}")


async def main(address, directory):
    host, port = address.rsplit(":", 1)
    failed = False
    for check in (calls, without_a_certificate):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            name = f"{check.__name__} over {version.name}"
            try:
                await asyncio.wait_for(check((host, int(port)), Path(directory), version), 30)
                print(f"ok     {name}")
            except Exception:
                failed = True
                print(f"FAILED {name}\n{traceback.format_exc()}")
    return failed

if __name__ == "__main__":
    sys.exit(asyncio.run(main(*sys.argv[1:3])))
