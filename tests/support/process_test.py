# SPDX-License-Identifier: Apache-2.0
"""What process tests share: a folder of their own, the programs' place, and the exit code for 'not run'."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from ridgeline_stack import SKIPPED, Stack

BIN = Path(os.environ["RIDGELINE_BIN"])
SOURCE = Path(os.environ["RIDGELINE_SOURCE"])


class ProcessTest(unittest.TestCase):
    """A temporary folder for each test, kept when it fails."""

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="ridgeline-test-"))
        self.stacks = []

    def tearDown(self):
        for stack in self.stacks:
            stack.__exit__()
        outcome = self._outcome.result
        if any(test is self for test, _ in outcome.failures + outcome.errors):
            print(f"files are kept in {self.folder}", file=sys.stderr)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, ranks=2, name="stack"):
        """A running stack with a prepared dataset; stopped at the test's end."""
        folder = self.folder / name
        folder.mkdir()
        stack = Stack(BIN, folder, ranks)
        self.stacks.append(stack)
        stack.__enter__()
        stack.prepare_dataset()
        return stack

    def run_cli(self, stack, *arguments, timeout=240):
        """The finished process of one `ridgeline` call."""
        return subprocess.run([BIN / "ridgeline", *map(str, arguments)], env=stack.env, capture_output=True, text=True,
                              timeout=timeout)

    def final_numbers(self, stack, job_id):
        """Loss and accuracy of a finished job's point."""
        import json
        points = json.loads(stack.ridgeline("frontier", "list", "--job", job_id, "-o", "json"))
        points = points["points"] if isinstance(points, dict) else points
        return points[0]["loss"], points[0]["accuracy"]


def main():
    """Runs the tests; exits with SKIPPED when every one of them said that it cannot run here."""
    program = unittest.main(exit=False)
    result = program.result
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(SKIPPED if result.testsRun == len(result.skipped) else 0)
