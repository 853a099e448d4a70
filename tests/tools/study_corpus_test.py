#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What `make study-small CORPUS=FILE` says of a file before it builds or trains anything."""
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from process_test import SOURCE, ProcessTest, main  # noqa: E402

LEAST = 10 * (240 * 128 + 1)


class StudyCorpusTest(ProcessTest):
    def write(self, content, name="book.txt"):
        path = self.folder / name
        path.write_bytes(content)
        return path

    def study(self, corpus, extent="small"):
        """A study without programs: it ends at the corpus, or where it would call the first of them."""
        bin_folder = self.folder / "bin"
        bin_folder.mkdir(exist_ok=True)
        return subprocess.run([SOURCE / "tools" / "study.sh", bin_folder, self.folder / "study", extent],
                              env={**os.environ, "CORPUS": str(corpus)}, capture_output=True, text=True, timeout=60)

    def assert_refused(self, done, what):
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn(what, done.stderr)
        self.assertFalse(list(self.folder.glob("study*")))

    def test_a_file_that_is_not_there_is_named(self):
        self.assert_refused(self.study(self.folder / "none.txt"), "none.txt: No such file or directory")

    def test_a_folder_is_refused(self):
        self.assert_refused(self.study(self.folder), "is a folder")

    def test_the_byte_that_is_not_utf8_is_named(self):
        self.assert_refused(self.study(self.write(b"caf\xe9 " * LEAST)), "byte 3 is not UTF-8")

    def test_a_text_that_is_too_small_is_told_how_much_is_wanted(self):
        self.assert_refused(self.study(self.write("é".encode() * (LEAST - 1))), f"at least {LEAST:,} are wanted")

    def test_the_full_study_has_a_text_of_its_own(self):
        self.assert_refused(self.study(self.write(b"a b " * LEAST), "full"), "LR and CORPUS are for small")

    def test_each_text_has_a_folder_that_is_named_after_it(self):
        done = self.study(self.write("é".encode() * LEAST, "my book (2).txt"))
        self.assertNotEqual(done.returncode, 2, done.stderr)
        self.assertEqual([path.name for path in self.folder.glob("study*")], ["study-my-book-2"])

    def test_runs_of_two_texts_of_one_name_are_not_mixed(self):
        folder = self.folder / "study-book"
        (folder / "data").mkdir(parents=True)
        (folder / "data" / "dataset.json").write_text("{}", encoding="utf-8")
        (folder / "corpus.sha256").write_text("of another\n", encoding="utf-8")
        done = self.study(self.write(b"a b " * LEAST))
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("has runs of another text", done.stderr)


if __name__ == "__main__":
    main()
