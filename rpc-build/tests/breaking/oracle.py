#!/usr/bin/env python3
"""Asks buf for its verdict on every pair in cases/, and writes verdicts/ and editions/.

    python3 rpc-build/tests/breaking/oracle.py              write them anew
    python3 rpc-build/tests/breaking/oracle.py --check      only say whether they are still what buf says
    python3 rpc-build/tests/breaking/oracle.py field enum   only these archives
    python3 rpc-build/tests/breaking/oracle.py --folder X   those of another folder, see mutate.py

Installs buf 1.75.0 from PyPI into target/buf if it is not there. Ordinary test runs need neither buf nor this script:
they read the tables.

A line of a table is a level, a rule and the place in the new schema: `FILE FIELD_NO_DELETE a.proto:4`. There is no place
where buf has none, and no line where buf only names the file (buf says 1:1 then). The level STABLE is FILE without what
lies in unstable packages, and ERROR stands where buf itself fails.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import venv

VERSION = "1.75.0"
LEVELS = {
    "WIRE": {"use": ["WIRE"]},
    "WIRE_JSON": {"use": ["WIRE_JSON"]},
    "PACKAGE": {"use": ["PACKAGE"]},
    "FILE": {"use": ["FILE"]},
    "STABLE": {"use": ["FILE"], "ignore_unstable_packages": True},
}


def install():
    """Puts the right buf first in the path."""
    def found():
        return shutil.which("buf") and run(["--version"], ".").stdout.strip() == VERSION

    if not found():
        folder = pathlib.Path(__file__).resolve().parents[3] / "target" / "buf"
        if not (folder / "bin" / "buf").exists():
            venv.create(folder, with_pip=True, clear=True)
            pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", f"buf-bin=={VERSION}"]
            subprocess.run(pip, check=True)
        os.environ["PATH"] = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    if not found():
        sys.exit(f"there is no buf {VERSION} here: pip install buf-bin=={VERSION}")


def read_cases(archive):
    """The cases of an archive: name -> {"old": {file: text}, "new": {file: text}}."""
    cases, sides, name = {}, [], None
    for line in archive.read_text().splitlines(keepends=True):
        if line.startswith("=== "):
            case = cases.setdefault(line[4:].strip(), {"old": {}, "new": {}})
            sides = []
        elif line.startswith("--- "):
            side, name = line[4:].split()
            sides = {"old": ["old"], "new": ["new"], "both": ["old", "new"]}[side]
            for side in sides:
                case[side][name] = ""
        else:
            for side in sides:
                case[side][name] += line
    return cases


def run(arguments, folder):
    return subprocess.run(["buf", *arguments], cwd=folder, capture_output=True, text=True)


def verdict(folder, level, breaking):
    config = json.dumps({"version": "v2", "breaking": breaking})
    result = run(["breaking", ".", "--against", "../old", "--error-format", "json", "--config", config], folder / "new")
    if result.returncode not in (0, 100):
        return [f"{level} ERROR"] if "expected" in result.stderr else sys.exit(f"{folder}: {result.stderr}{result.stdout}")
    lines = []
    for line in result.stdout.splitlines():
        found = json.loads(line)
        if found["type"] == "COMPILE":
            sys.exit(f"{folder}: {found}")
        place = found.get("path", "")
        one_to_one = (found["start_line"], found["start_column"], found["end_line"], found["end_column"]) == (1, 1, 1, 1)
        if place and not one_to_one:
            place += f":{found['start_line']}"
        lines.append(f"{level} {found['type']} {place}".rstrip())
    return sorted(lines)


def judge(archive, name, case):
    """What buf says of one pair at every level, and the descriptors where no Rust parser reads the syntax."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        for side, files in case.items():
            (folder / side).mkdir()
            for file, text in files.items():
                (folder / side / file).parent.mkdir(parents=True, exist_ok=True)
                (folder / side / file).write_text(text)
        lines = [line for level, breaking in LEVELS.items() for line in verdict(folder, level, breaking)]
        images = {}
        for side, files in case.items():
            if any("edition = " in text for text in files.values()):
                built = run(["build", ".", "--as-file-descriptor-set", "-o", "image.binpb"], folder / side)
                if built.returncode:
                    sys.exit(f"{archive}/{name}: {built.stderr}")
                images[f"{archive}.{name}.{side}.binpb"] = without_imports((folder / side / "image.binpb").read_bytes())
        return name, lines, images


def without_imports(image):
    """A descriptor set without Google's files. Both sides import the same ones, and they are large."""
    kept, at = b"", 0
    while at < len(image):
        size, shift, start = 0, 0, at
        at += 1  # the tag of `file`
        while True:
            byte = image[at]
            size |= (byte & 127) << shift
            at, shift = at + 1, shift + 7
            if byte < 128:
                break
        if b"google/protobuf/" not in image[at : at + 20]:
            kept += image[start : at + size]
        at += size
    return kept


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path(__file__).parent)
    parser.add_argument("archives", nargs="*")
    arguments = parser.parse_args()
    check, wanted, here = arguments.check, arguments.archives, arguments.folder
    install()
    different, pairs = [], 0
    for archive in sorted((here / "cases").glob("*.txt")):
        if wanted and archive.stem not in wanted:
            continue
        cases = read_cases(archive)
        pairs += len(cases)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            judged = list(pool.map(lambda item: judge(archive.stem, *item), cases.items()))
        table = "".join(f"=== {name}\n" + "".join(f"{line}\n" for line in lines) for name, lines, _ in judged)
        target = here / "verdicts" / archive.name
        if check:
            if target.read_text() != table:
                different.append(archive.stem)
            continue
        target.parent.mkdir(exist_ok=True)
        target.write_text(table)
        for _, _, images in judged:
            for file, image in images.items():
                (here / "editions").mkdir(exist_ok=True)
                (here / "editions" / file).write_bytes(image)
    if different:
        sys.exit(f"buf {VERSION} says otherwise: {', '.join(different)}")
    print(f"{pairs} pairs {'are as buf says' if check else 'judged'}")


if __name__ == "__main__":
    main()
