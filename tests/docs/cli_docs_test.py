#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/cli.md has every verb and option that the program has, and no other."""
import functools
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from process_test import BIN, SOURCE, ProcessTest, main  # noqa: E402

# Said once, for all verbs.
OF_ALL = {"--help", "--coordinator", "--state", "--output"}


@functools.lru_cache(maxsize=None)
def help_of(*verb):
    done = subprocess.run([BIN / "ridgeline", *verb, "--help"], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


def verbs_of(*prefix):
    """All verbs, those with verbs of their own by these: ("data", "prepare")."""
    section = re.search(r"^Subcommands:\n((?:  .*\n)+)", help_of(*prefix), re.MULTILINE)
    if not section:
        return [prefix]
    names = re.findall(r"^  (\S+)", section[1], re.MULTILINE)
    return [verb for name in names for verb in verbs_of(*prefix, name)]


def options_of(verb):
    """{long name: short name, or the long one again where it has none}"""
    found = re.findall(r"^  (-\w)?,?(--[a-z-]+)", help_of(*verb), re.MULTILINE)
    return {name: short or name for short, name in found if name not in OF_ALL}


def documented():
    """{verb: the options of its row, short names and long ones}; a row may have several verbs."""
    text = (SOURCE / "docs" / "cli.md").read_text(encoding="utf-8")
    table = re.search(r"^\| verb \| does \|\n\|---\|---\|\n((?:\|.*\n)+)", text, re.MULTILINE)[1]
    rows = {}
    for row in table.splitlines():
        usages = re.findall(r"`([^`]+)`", re.split(r"(?<!\\)\|", row)[1])
        options = set(re.findall(r"(?<![\w-])(?:--[a-z][a-z-]+|-\w)(?!\w)", row))
        for usage in usages:
            words = usage.split()
            verb = tuple(words[:next((i for i, word in enumerate(words) if not re.fullmatch(r"[a-z]+", word)), None)])
            rows.setdefault(verb, set()).update(options)
    return rows


class CliDocsTest(ProcessTest):
    def assert_none(self, problems):
        self.assertFalse(problems, "\n" + "\n".join(problems))

    def test_every_verb_is_documented_and_no_other(self):
        self.assertGreater(len(verbs_of()), 20)
        self.assertEqual(sorted(documented()), sorted(verbs_of()))

    def test_every_option_stands_in_the_row_of_its_verb(self):
        self.assertEqual(options_of(("submit",))["--file"], "-f")
        rows = documented()
        self.assert_none([f"docs/cli.md: {' '.join(verb)}: {name} is missing" for verb in verbs_of()
                          for name, short in options_of(verb).items()
                          if not {name, short} & rows.get(verb, set())])

    def test_no_row_has_an_option_that_no_verb_has(self):
        known = {"-o", *OF_ALL}
        for verb in verbs_of():
            known |= {*options_of(verb), *options_of(verb).values()}
        self.assert_none([f"docs/cli.md: {' '.join(verb)}: there is no {option}"
                          for verb, options in documented().items() for option in sorted(options - known)])


if __name__ == "__main__":
    main()
