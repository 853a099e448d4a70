#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whether a text is fit for a study: study_corpus.py FILE prints the study's name for it, or what is wrong (exit 2).

A study trains by characters, holds out a tenth of them and scores 240 sequences of 128.
"""
import pathlib
import re
import sys

HELD_OUT = 240 * 128 + 1
LEAST = 10 * HELD_OUT


def fail(message: str) -> None:
    print(f"study: {message}", file=sys.stderr)
    sys.exit(2)


def read(path: pathlib.Path) -> str:
    if path.is_dir():
        fail(f"{path} is a folder; CORPUS wants one text file")
    try:
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        fail(f"{path}: {error.strerror}; CORPUS wants a text file")
    except UnicodeDecodeError as error:
        fail(f"{path}: byte {error.start} is not UTF-8; convert it, for instance with iconv -f LATIN1 -t UTF-8")


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    path = pathlib.Path(sys.argv[1])
    characters = len(read(path))
    if characters < LEAST:
        fail(f"{path} has {characters:,} characters and at least {LEAST:,} are wanted, of which a tenth is held out; "
             "give more text")
    print(re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).strip("-.") or "text")


if __name__ == "__main__":
    main()
