#!/usr/bin/env python3
"""Compiles the .proto files of real packages (packages.txt) with protoc and with us, one by one, and compares.

    bash tests/schemas.sh          # the packages marked `ci`: under a minute
    bash tests/schemas.sh --all    # all of them: 9,000 files, 10 minutes on two cores

Every file that protoc accepts must be accepted, and its descriptors, with those of its imports, must mean the same. Not
compared are: source locations; Google's own files, which come with us and with protoc; options without content; how a
default number is written. Files with `edition = …` go the way we advise: protoc compiles them, and we take that.
Packages are kept in $RPC_PROTO_CACHE, or target/proto-packages.
"""
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections import Counter
from pathlib import Path

import grpc_tools
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_tools import protoc

HERE = Path(__file__).parent
WORKSPACE = HERE.parent.parent.parent
CACHE = Path(os.environ.get("RPC_PROTO_CACHE", WORKSPACE / "target/proto-packages"))
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", WORKSPACE / "target"))
OURS = os.environ.get("RPC_PROTO_CHECK", str(TARGET / "debug/examples/proto_check"))
COMMON = ("pypi", "googleapis-common-protos", "1.70.0")
GOOGLE = str(Path(grpc_tools.__file__).parent / "_proto")


def packages(wanted):
    for line in (HERE / "packages.txt").read_text().splitlines():
        words = line.split()
        if not words or line.startswith("#"):
            continue
        registry, name, version, *marks = words
        if "ci" in marks if wanted == ["--ci"] else wanted == ["--all"] or name in wanted:
            yield registry, name, version


def fetch(registry, name, version):
    folder = CACHE / f"{registry}-{name.replace('/', '-')}-{version}"
    if (folder / ".done").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as temporary:
        if registry == "npm":
            command = ["npm", "pack", "--silent", "--pack-destination", temporary, f"{name}@{version}"]
        else:
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check"]
            command = [*pip, "--dest", temporary, f"{name}=={version}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        for archive in Path(temporary).iterdir():
            unpack(archive, folder)
    (folder / ".done").touch()
    return folder


def unpack(archive, folder):
    """Only the .proto files, and no path that leaves the folder."""
    if archive.suffix in (".whl", ".zip"):
        with zipfile.ZipFile(archive) as opened:
            files = [(name, opened.read(name)) for name in opened.namelist() if name.endswith(".proto")]
    else:
        with tarfile.open(archive) as opened:
            members = [member for member in opened if member.isfile() and member.name.endswith(".proto")]
            files = [(member.name, opened.extractfile(member).read()) for member in members]
    for name, data in files:
        target = folder / name
        if ".." in target.parts or target.is_absolute() and folder not in target.parents:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def roots(folder, files):
    """The folders that imports are relative to, those that most imports need first."""
    by_end = {}
    for file in files:
        parts = file.relative_to(folder).parts
        for start in range(len(parts)):
            by_end.setdefault("/".join(parts[start:]), []).append("/".join(parts[:start]))
    found = Counter()
    for file in files:
        text = file.read_bytes().decode(errors="replace")
        for name in re.findall(r'(?m)^\s*import\s+(?:public\s+|weak\s+)?["\']([^"\']+)["\']', text):
            found.update(set(by_end.get(name, [])))
    return [root for root, _ in found.most_common()]


def plan(package):
    folder = fetch(*package)
    files = sorted(folder.rglob("*.proto"))
    found = roots(folder, files)
    for file in files:
        name = str(file.relative_to(folder))
        # The root of the file itself comes first: a package may carry two copies of another's files.
        own = [root for root in found if not root or name.startswith(f"{root}/")] or [str(Path(name).parent).strip(".")]
        order = [own[0], *(root for root in found if root != own[0])]
        yield package[1], str(folder), order, name[len(own[0]) :].lstrip("/")


def run_protoc(folder, includes, name, output):
    """In this process, as starting Python for each file takes longer than all else. Its messages go nowhere."""
    # Google's own files first, as we do: packages carry old ones, and half a set of them.
    arguments = ["protoc", f"-I{GOOGLE}", *(f"-I{root}" for root in includes)]
    return protoc.main([*arguments, "--include_imports", "--retain_options", f"-o{output}", name]) == 0


def compare(job):
    package, folder, order, name = job
    # protoc writes to the descriptor 2.
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    os.close(silence)
    includes = [os.path.join(folder, root) if root else folder for root in order]
    # Many packages expect Google's common files beside them.
    includes.append(str(fetch(*COMMON)))
    with tempfile.TemporaryDirectory() as temporary:
        theirs, ours = f"{temporary}/theirs", f"{temporary}/ours"
        accepted = run_protoc(folder, includes, name, theirs)
        command = [OURS, *(word for root in includes for word in ("-I", root)), "-o", ours]
        path = os.path.join(includes[0], name)
        ran = subprocess.run([*command, path], capture_output=True, text=True)
        is_edition = accepted and "cannot be read as text yet" in ran.stderr
        if is_edition:
            ran = subprocess.run([OURS, "-d", theirs, "-o", ours, name], capture_output=True, text=True)
        if "panicked" in ran.stderr or ran.returncode not in (0, 1):
            return package, name, "panic", ran.stderr
        if accepted != (ran.returncode == 0):
            return package, name, "refused" if accepted else "accepted", ran.stderr
        if not accepted:
            return package, name, "both refuse", ""
        kind = kind_of(theirs)
        difference = differ(read(theirs, kind), read(ours, kind))
        return package, name, "differs" if difference else "edition" if is_edition else "same", difference


def kind_of(path):
    """The class of file descriptors that knows the custom options in this set, so that these are compared by meaning."""
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(Path(path).read_bytes()).file:
        pool.Add(file)
    try:
        return message_factory.GetMessageClass(pool.FindMessageTypeByName("google.protobuf.FileDescriptorProto"))
    except KeyError:
        return descriptor_pb2.FileDescriptorProto


def read(path, kind):
    files = descriptor_pb2.FileDescriptorSet.FromString(Path(path).read_bytes()).file
    files = [file for file in files if not file.name.startswith("google/protobuf/")]
    return {file.name: plain(kind.FromString(file.SerializeToString())) for file in files}


def plain(file):
    file.ClearField("source_code_info")
    if file.syntax == "proto2":
        file.ClearField("syntax")
    visit(file)
    return file


def visit(message):
    for field, value in list(message.ListFields()):
        if field.name == "options":
            if not value.ByteSize():
                message.ClearField("options")
        elif field.type == field.TYPE_MESSAGE:
            for item in value if field.is_repeated else [value]:
                visit(item)
    if message.DESCRIPTOR.name == "FieldDescriptorProto" and message.type in (1, 2) and message.HasField("default_value"):
        message.default_value = repr(float(message.default_value))


def differ(theirs, ours):
    if sorted(theirs) != sorted(ours):
        return f"files: {sorted(theirs)} and {sorted(ours)}"
    for name in theirs:
        if theirs[name].SerializeToString(deterministic=True) != ours[name].SerializeToString(deterministic=True):
            left, right = str(theirs[name]).splitlines(), str(ours[name]).splitlines()
            pairs = [pair for pair in zip(left, right) if pair[0] != pair[1]]
            return f"{name}: {pairs[:3] or 'order or unknown fields'}"
    return ""


def main():
    begin = time.monotonic()
    jobs = [job for package in packages(sys.argv[1:]) for job in plan(package)]
    fetch(*COMMON)
    fetched = time.monotonic()
    by_package, bad = {}, []
    with multiprocessing.Pool(os.cpu_count()) as pool:
        for package, name, verdict, detail in pool.imap_unordered(compare, jobs, chunksize=8):
            by_package.setdefault(package, Counter())[verdict] += 1
            if verdict in ("panic", "refused", "accepted", "differs"):
                bad.append(f"{package} {name}: {verdict}\n    {detail.strip()[:1500]}")
    for package, counts in sorted(by_package.items()):
        print(f"{package}: {', '.join(f'{count} {verdict}' for verdict, count in sorted(counts.items()))}")
    total = sum(by_package.values(), Counter())
    print(f"all {len(jobs)} files: {dict(total)}; {fetched - begin:.0f} s to fetch, {time.monotonic() - fetched:.0f} s to compare")
    if bad:
        sys.exit("\n".join(sorted(bad)))


if __name__ == "__main__":
    main()
