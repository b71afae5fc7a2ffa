#!/usr/bin/env python3
"""What protoc and buf say to the cases in the archives beside this file, as the table verdicts.tsv.

    bash tests/schemas.sh --write    # writes the table
    bash tests/schemas.sh            # fails if the table is not what they say

An archive holds cases: `== name` begins one, whose file is `name.proto`; `-- other.proto` begins another file of it.
A verdict is `ok`, or the places of the mistakes as `file:line`, several with a space between.
"""
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
TABLE = HERE / "verdicts.tsv"


def cases():
    for archive in sorted(HERE.glob("*.txt")):
        for case in re.split(r"(?m)^== ", archive.read_bytes().decode())[1:]:
            name, _, body = case.partition("\n")
            main, *others = re.split(r"(?m)^-- ", body)
            files = {f"{name}.proto": main}
            for other in others:
                other_name, _, text = other.partition("\n")
                files[other_name] = text
            yield f"{archive.stem}/{name}", files


def places(output, known):
    """`file:line:column: …`, or `file: …` where a tool has no line."""
    found = []
    for line in output.splitlines():
        match = re.match(r"(.+?\.proto):(?:(\d+):)?(?:\d+:)?(.*)", line)
        if not match or "warning:" in line or match[1] not in known:
            continue
        place = f"{match[1]}:{match[2] or 0}"
        # That an import has mistakes is said once more where it is imported.
        if "was not found or had errors" in line and any(name in line for name in known):
            continue
        if place not in found:
            found.append(place)
    return " ".join(found)


def run(case):
    name, files = case
    with tempfile.TemporaryDirectory() as folder:
        for path, text in files.items():
            target = Path(folder, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text.encode())
        main = next(iter(files))
        command = [sys.executable, "-m", "grpc_tools.protoc", "-I.", f"-I{include()}", f"-o{os.devnull}", main]
        protoc = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        command = ["buf", "build", "-o", os.devnull, "--path", main]
        buf = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        verdicts = [
            "ok" if tool.returncode == 0 else places(tool.stdout + tool.stderr, files) or "refused"
            for tool in (protoc, buf)
        ]
        return "\t".join([name, *verdicts])


def include():
    import grpc_tools

    return Path(grpc_tools.__file__).parent / "_proto"


def main():
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        rows = list(pool.map(run, cases()))
    table = "\n".join(["case\tprotoc\tbuf", *rows]) + "\n"
    if "--check" not in sys.argv:
        TABLE.write_text(table)
    elif TABLE.read_text() != table:
        sys.exit("verdicts.tsv is not what protoc and buf say: bash tests/schemas.sh --write")


main()
