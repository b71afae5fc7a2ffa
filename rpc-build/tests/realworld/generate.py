#!/usr/bin/env python3
"""Generates Rust for the .proto files of real packages (packages.txt), some hundred at a time, and compiles it with rustc.

    bash tests/schemas.sh               # among others, the packages marked `ci`
    bash tests/schemas.sh --rust --all  # all of them: 9,000 files, hours on two cores
    bash tests/schemas.sh --rust etcd3  # these
    SAMPLE=100 bash tests/schemas.sh --rust --all    # at most so many of each package, and what they import

Every file that protoc accepts must generate, and what is generated must compile without a warning. Files that cannot be
generated together, as two of them declare one name, are parted until they can.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from compare import COMMON, OURS, TARGET, fetch, packages, plan, run_protoc

# How many files are generated together: what they import comes along, and is compiled again for each such group.
TOGETHER = 250
SAMPLE = int(os.environ.get("SAMPLE", sys.maxsize))
LIBRARY = """#![deny(warnings, missing_docs)]
//! What was generated.
/// All packages.
pub mod schema {
    #[path = "FOLDER/all-packages.rs"]
    mod all;
    pub use self::all::*;
}
"""


def groups(package):
    """The files of a package that are found from one folder, in portions."""
    by_order = {}
    for name, folder, order, file in plan(package):
        by_order.setdefault((name, folder, tuple(order)), []).append(file)
    for (name, folder, order), files in by_order.items():
        includes = [os.path.join(folder, root) if root else folder for root in order]
        includes.append(str(fetch(*COMMON)))
        files = files[:: len(files) // SAMPLE + 1]
        for start in range(0, len(files), TOGETHER):
            yield name, includes, files[start : start + TOGETHER]


def generate(job):
    """The outcomes of the files of a group: how many, which, and what was said."""
    name, includes, files = job
    with tempfile.TemporaryDirectory() as temporary:
        words = [word for root in includes for word in ("-I", root)]
        paths = [os.path.join(includes[0], file) for file in files]
        ran = run(OURS, *words, "--rust", f"{temporary}/rust", *paths)
        is_edition = "cannot be read as text yet" in ran.stderr
        if ran.returncode != 0 and len(files) > 1 and "panicked" not in ran.stderr:
            middle = len(files) // 2
            return [*generate((name, includes, files[:middle])), *generate((name, includes, files[middle:]))]
        if ran.returncode != 0:
            descriptors = f"{temporary}/theirs"
            if not run_protoc(None, includes, files[0], descriptors):
                return [(len(files), "both refuse", files[0], "")]
            if is_edition:
                ran = run(OURS, "-d", descriptors, "--rust", f"{temporary}/rust", files[0])
        if ran.returncode != 0:
            return [(len(files), "refused", files[0], ran.stderr)]
        ran = compile_library(temporary)
        outcome = "compiles" if ran.returncode == 0 else "does not compile"
        if ran.returncode != 0 and os.environ.get("KEEP"):
            shutil.copytree(temporary, os.environ["KEEP"], dirs_exist_ok=True)
        return [(len(files), outcome, files[0], ran.stderr)]


def compile_library(folder):
    library = Path(folder, "lib.rs")
    library.write_text(LIBRARY.replace("FOLDER", f"{folder}/rust"))
    rustc = os.environ.get("RUSTC", "rustc")
    build = TARGET / "debug"
    return run(
        *(rustc, "--edition=2024", "--crate-type=lib", "--emit=metadata", "--out-dir", folder, "--color=never"),
        *("--extern", f"rpc_runtime={build}/librpc_runtime.rlib", "-L", f"dependency={build}/deps", str(library)),
    )


def run(*command):
    return subprocess.run(command, capture_output=True, text=True)


def main():
    # protoc writes to the descriptor 2; what is said here goes to the other.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    begin = time.monotonic()
    chosen = [package for package in packages(sys.argv[1:])]
    jobs = [job for package in chosen for job in groups(package)]
    counts, bad = Counter(), []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for job, outcomes in zip(jobs, pool.map(generate, jobs)):
            found = Counter()
            for files, outcome, first, text in outcomes:
                found[outcome] += files
                if outcome in ("refused", "does not compile"):
                    bad.append(f"{job[0]} {first} and {files - 1} more: {outcome}\n{text[:4000]}")
            counts += found
            print(f"{job[0]} {job[2][0]}…: {', '.join(f'{count} {outcome}' for outcome, count in found.items())}", flush=True)
    print("\n".join(bad))
    print(f"all {sum(counts.values())} files: {dict(counts)}; {time.monotonic() - begin:.0f} s")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
