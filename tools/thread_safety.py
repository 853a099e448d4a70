#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the annotations of locks say, held by clang: tools/thread_safety.py BUILD_FOLDER

Sources that take annotated locks, and those whose own header has annotations, are compiled as the build folder says,
without output, by a compiler that knows -Wthread-safety. GCC does not. The folder has to be built: headers are
generated there."""
import json
import re
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMPILER = "clang++-14"
ANNOTATED = re.compile(r"GUARDED_BY|LOCKS_REQUIRED|LOCKS_EXCLUDED|MutexLock")
DROPPED = re.compile(r"-Winvalid-pch|-fmax-errors.*|-fopenmp")


def sources():
    """Those that are to be looked at, by their names in the tree."""
    listed = subprocess.run(["git", "ls-files", "*.cc", "*.h"], cwd=ROOT, capture_output=True, text=True, check=True)
    names = listed.stdout.split()
    annotated = {name for name in names if ANNOTATED.search((ROOT / name).read_text(encoding="utf-8"))}
    own = {name[:-2] + ".cc" for name in annotated if name.endswith(".h")}
    return sorted(name for name in names if name.endswith(".cc") and (name in annotated or name in own))


def command_of(entry):
    words, kept = shlex.split(entry["command"]), []
    while words:
        word = words.pop(0)
        if word in ("-o", "-include", "-c"):
            words.pop(0)
        elif not DROPPED.fullmatch(word):
            kept.append(word)
    start = next(i for i, word in enumerate(kept) if word.startswith("-"))
    return [COMPILER, *kept[start:], "-fsyntax-only", "-Wno-everything", "-Werror=thread-safety", entry["file"]]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if shutil.which(COMPILER) is None:
        sys.exit(f"thread_safety: {COMPILER} is missing; make test-deps installs it")
    build = Path(sys.argv[1]).resolve()
    entries = json.loads((build / "compile_commands.json").read_text(encoding="utf-8"))
    by_name = {str(Path(entry["file"]).resolve()): entry for entry in entries}
    names = sources()
    missing = [name for name in names if str(ROOT / name) not in by_name]
    if missing or not names:
        sys.exit(f"thread_safety: not compiled in {build.name} by themselves: {', '.join(missing) or 'all'}")

    def look(name):
        entry = by_name[str(ROOT / name)]
        done = subprocess.run(command_of(entry), cwd=entry["directory"], capture_output=True, text=True, check=False)
        return name, done.returncode, done.stderr

    with ThreadPoolExecutor(cpu_count()) as pool:
        results = list(pool.map(look, names))
    for name, code, text in results:
        if code != 0:
            print(f"thread_safety: {name}\n{text}", file=sys.stderr)
    failed = sum(code != 0 for _, code, _ in results)
    print(f"thread_safety: {len(names)} sources, {failed} with faults")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
