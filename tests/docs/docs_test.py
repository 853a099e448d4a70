#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the documents name is there: files, headings, targets of make, labels of ctest."""
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from process_test import SOURCE, ProcessTest, main  # noqa: E402

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
QUOTED = re.compile(r"`([^`\n]+)`")


def documents():
    """All Markdown of the tree but what is built or downloaded."""
    made = re.compile(r"(build|out)[^/]*/|\.")
    names = (str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.md"))
    return [SOURCE / name for name in sorted(names) if not made.match(name)]


def prose(path):
    return FENCE.sub("", path.read_text(encoding="utf-8"))


def anchors(path):
    """Those that GitHub gives to headings, and those set by hand."""
    text = prose(path)
    found = set(re.findall(r'<a (?:id|name)="([^"]+)"', text))
    for heading in re.findall(r"^#+ +(.*)$", text, re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        repeats = (f"{slug}-{n}" for n in range(1, 99))
        found.add(slug if slug not in found else next(name for name in repeats if name not in found))
    return found


class DocsTest(ProcessTest):
    def assert_none(self, problems):
        self.assertFalse(problems, "\n" + "\n".join(problems))

    def test_there_are_documents_to_check(self):
        names = {str(path.relative_to(SOURCE)) for path in documents()}
        self.assertLessEqual({"README.md", "docs/results.md", "docs/cli.md", "docs/lab/README.md"}, names)

    def test_tests_that_the_fault_table_names_are_there(self):
        names = set(QUOTED.findall((SOURCE / "docs/robustness.md").read_text(encoding="utf-8")))
        sources = "\n".join(path.read_text(encoding="utf-8") for path in SOURCE.rglob("*_test.cc")
                            if not re.match(r"build|out|\.", str(path.relative_to(SOURCE))))
        here = set(re.findall(r"TEST(?:_F)?\((\w+), (\w+)\)", sources))
        problems = []
        for name in sorted(names):
            if re.fullmatch(r"[A-Z]\w+Test\.\w+", name) and tuple(name.split(".")) not in here:
                problems.append(f"docs/robustness.md: {name}: no such test")
            if re.fullmatch(r"\w+_test\.py", name) and not list((SOURCE / "tests").rglob(name)):
                problems.append(f"docs/robustness.md: {name}: no such file")
        self.assertGreaterEqual(len([name for name in names if "Test." in name]), 18)
        self.assert_none(problems)

    def test_links_lead_somewhere(self):
        problems = []
        for path in documents():
            for target in (a or b for a, b in LINK.findall(prose(path))):
                if re.match(r"[a-z]+:", target):
                    continue
                file, _, anchor = target.partition("#")
                to = (path.parent / file).resolve() if file else path
                if not to.exists():
                    problems.append(f"{path.relative_to(SOURCE)}: {target}: no such file")
                elif anchor and anchor not in anchors(to):
                    problems.append(f"{path.relative_to(SOURCE)}: {target}: no such heading")
        self.assert_none(problems)

    def test_files_that_documents_name_are_there(self):
        """In backquotes and in commands: a file, a folder or a pattern under a folder of the tree."""
        problems = []
        for path in documents():
            for name in {*QUOTED.findall(prose(path)), *words_of_commands(path)}:
                if not is_path_of_the_tree(name):
                    continue
                for one in expanded(name):
                    if not list(SOURCE.glob(one.rstrip("/"))):
                        problems.append(f"{path.relative_to(SOURCE)}: {name} is not there")
        self.assert_none(problems)

    def test_targets_of_make_are_those_of_the_makefile(self):
        targets = set(re.findall(r"^([a-z0-9-]+):", (SOURCE / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
        problems = []
        for path in documents():
            text = path.read_text(encoding="utf-8")
            for target in re.findall(r"(?:^ {4}|`|\$ )make ([a-z0-9-]+)", text, re.MULTILINE):
                if target not in targets:
                    problems.append(f"{path.relative_to(SOURCE)}: make {target}: no such target")
        self.assert_none(problems)

    def test_make_help_lists_every_target(self):
        makefile = (SOURCE / "Makefile").read_text(encoding="utf-8")
        described = set(re.findall(r"^([a-z0-9-]+):.*## ", makefile, re.MULTILINE))
        shown = subprocess.run(["make", "-s", "help"], cwd=SOURCE, capture_output=True, text=True, check=True).stdout
        self.assertEqual(described, set(re.findall(r"^ +make ([a-z0-9-]+) ", shown, re.MULTILINE)))

    def test_labels_of_ctest_in_the_readme_are_those_of_the_tests(self):
        said = re.search(r"# labels: ([a-z0-9 ]+)", (SOURCE / "README.md").read_text(encoding="utf-8"))[1].split()
        used = set()
        for path in [*SOURCE.glob("*/**/CMakeLists.txt"), *SOURCE.glob("cmake/*.cmake"), SOURCE / "CMakeLists.txt"]:
            if path.is_relative_to(SOURCE / "build"):
                continue
            text = path.read_text(encoding="utf-8")
            used |= set(re.findall(r"ridgeline_process_test\(\S+ (\w+) \d+", text))
            used |= set(re.findall(r"LABELS? \"?([a-z0-9]+)", text))
        self.assertEqual(set(said), used)


def words_of_commands(path):
    """Of indented and of fenced blocks."""
    text = path.read_text(encoding="utf-8")
    blocks = [*re.findall(r"^    .*$", prose(path), re.MULTILINE), *FENCE.findall(text)]
    return {word for block in blocks for word in re.split(r"[\s\"'=;()]+", block)}


def is_path_of_the_tree(word):
    """Begins with a folder of ours that is neither built nor downloaded, and has no place-holder such as NAME.cc."""
    first, slash, rest = word.partition("/")
    ours = re.fullmatch(r"[a-z]+", first) and first not in ("build", "out") and (SOURCE / first).is_dir()
    place_holder = re.search(r"\b(?!README|CMakeLists)[A-Z]{3,}\b", word)
    return bool(slash and rest and ours and not place_holder and re.fullmatch(r"[\w./*{},-]+", word))


def expanded(name):
    """Braces as a shell has them: a/{b,c} is a/b and a/c."""
    match = re.search(r"\{([^{}]*)\}", name)
    if not match:
        return [name]
    return [one for part in match[1].split(",") for one in expanded(name[:match.start()] + part + name[match.end():])]


if __name__ == "__main__":
    main()
