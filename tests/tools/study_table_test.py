#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The table that a study ends with, from the points that its jobs exported."""
import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from process_test import SOURCE, ProcessTest, main  # noqa: E402

TOOL = SOURCE / "tools" / "study_table.py"


class StudyTableTest(ProcessTest):
    def table_of(self, losses):
        """losses: {NAME-seedN: {case: loss}}."""
        for name, cases in losses.items():
            points = [{"name": case, "loss": loss} for case, loss in cases.items()]
            (self.folder / f"{name}.json").write_text(json.dumps({"points": points}), encoding="utf-8")
        done = subprocess.run([sys.executable, TOOL, self.folder, *losses], capture_output=True, text=True, check=True)
        written = (self.folder / "study.md").read_text(encoding="utf-8")
        self.assertTrue(done.stdout.startswith(written))
        return written.splitlines()

    def test_means_have_the_error_of_their_seeds_and_the_least_is_bold(self):
        lines = self.table_of({"a1w1-seed1": {"ste": 2.5, "quest": 2.25}, "a1w1-seed2": {"ste": 2.7, "quest": 2.27}})
        self.assertIn("| a1w1 | 2.6000 ± 0.100 | **2.2600 ± 0.010** | 2 |", lines)

    def test_differences_are_those_of_the_same_seed(self):
        # Seed 2 is harder for both: each mean is off by half of that, their difference is not.
        lines = self.table_of({"a1w1-seed1": {"ste": 2.0, "quest": 1.9}, "a1w1-seed2": {"ste": 3.0, "quest": 2.9}})
        self.assertIn("| a1w1 | +0.1000 ± 0.000 | best |", lines)

    def test_one_seed_has_no_error_and_says_nothing_of_differences(self):
        lines = self.table_of({"fp4-seed7": {"ste": 2.0, "quest": 1.9}})
        self.assertIn("| fp4 | 2.0000 | **1.9000** | 1 |", lines)
        self.assertNotIn("above the best", "\n".join(lines))

    def test_a_cell_that_was_not_run_is_empty(self):
        lines = self.table_of({"a1w1-seed1": {"ste": 2.0, "quest": 1.9}, "fp4-seed1": {"ste": 2.0}})
        self.assertIn("| fp4 | **2.0000** |  | 1 |", lines)


if __name__ == "__main__":
    main()
