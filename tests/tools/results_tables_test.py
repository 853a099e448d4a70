#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The documents' tables are those that results/ has the points for."""
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from process_test import SOURCE, ProcessTest, main  # noqa: E402

TOOL = SOURCE / "tools" / "results_tables.py"


class ResultsTablesTest(ProcessTest):
    def run_tool(self, *arguments):
        return subprocess.run([sys.executable, TOOL, *map(str, arguments)], capture_output=True, text=True, timeout=60)

    def copy(self):
        """The documents and the points, to be changed."""
        for folder in ("docs", "results"):
            shutil.copytree(SOURCE / folder, self.folder / folder)
        return self.folder

    def replace(self, path, old, new):
        text = path.read_text(encoding="utf-8")
        self.assertIn(old, text)
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def complaints_after(self, path, old, new):
        root = self.copy()
        self.replace(root / path, old, new)
        done = self.run_tool("--root", root, "--check")
        self.assertEqual(done.returncode, 1)
        return done.stderr

    def test_tables_of_the_documents_are_those_of_the_points(self):
        done = self.run_tool("--check")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_a_figure_that_is_changed_in_a_document_is_named(self):
        self.assertIn("docs/lab/study.md:", self.complaints_after("docs/lab/study.md", "2.2264", "2.2263"))

    def test_a_point_that_is_changed_shows_in_every_document_that_has_its_table(self):
        complaints = self.complaints_after("results/matched-6e-3.csv", "mean,2.2264", "mean,2.2263")
        self.assertIn("docs/results.md:", complaints)
        self.assertIn("docs/lab/study.md:", complaints)

    def test_a_line_too_many_or_too_few_is_found(self):
        line = "| A2W2 | 2.129 | **2.115** |\n"
        self.assertIn("other-corpus", self.complaints_after("docs/results.md", line, ""))
        shutil.rmtree(self.folder / "docs")
        shutil.rmtree(self.folder / "results")
        self.assertIn("other-corpus", self.complaints_after("docs/results.md", line, line + line))

    def test_a_table_by_hand_is_refused(self):
        complaints = self.complaints_after("docs/lab/gemma3.md", "\n- ", "\n| by | hand |\n|---|---|\n\n- ")
        self.assertIn("without a line `<!-- table NAME -->`", complaints)

    def test_a_table_that_no_document_has_is_named(self):
        root = self.copy()
        (root / "docs" / "lab" / "demo.md").unlink()
        self.assertIn("table demo stands in no document", self.run_tool("--root", root, "--check").stderr)

    def test_write_puts_new_points_into_the_documents(self):
        root = self.copy()
        self.replace(root / "results" / "other-corpus.csv", "mean,2.325", "mean,2.326")
        self.assertEqual(self.run_tool("--root", root, "--write").returncode, 0)
        self.assertIn("| A1W1 | **2.326** | 2.327 |", (root / "docs" / "results.md").read_text(encoding="utf-8"))
        self.assertEqual(self.run_tool("--root", root, "--check").returncode, 0)

    def test_a_mean_of_runs_is_their_mean_with_its_error(self):
        root = self.copy()
        self.replace(root / "results" / "other-corpus.csv", "three,mean,2.325", "2,run,2.300")
        with open(root / "results" / "other-corpus.csv", encoding="utf-8") as file:
            run = next(line for line in file if "2,run,2.300" in line)
        for loss in ("2.200", "2.400"):
            self.replace(root / "results" / "other-corpus.csv", run, run + run.replace("2.300", loss))
        self.assertIn("| A1W1 | **2.3000 ± 0.058** | 2.327 |",
                      self.run_tool("--root", root, "other-corpus").stdout)

    def test_every_file_of_points_is_in_a_table_or_named_as_one_that_is_not(self):
        text = TOOL.read_text(encoding="utf-8")
        names = sorted(path.stem for path in (SOURCE / "results").glob("*.csv"))
        self.assertGreater(len(names), 10)
        self.assertEqual([name for name in names if f'"{name}"' not in text], ["earlier-runs"])


if __name__ == "__main__":
    main()
