#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The MPI communicator under mpirun: its contract, and what it says when a rank is absent, stopped or dead."""
import os
import re
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from process_test import BIN, main  # noqa: E402

PROGRAM = BIN.parent / "tests" / "mpi_communicator_ranks"
CONTRACT = BIN.parent / "tests" / "mpi_contract_test"


def run(ranks, *scene, program=PROGRAM):
    """The finished mpirun; it must not hang, whatever its ranks do."""
    env = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    command = ["mpirun", "-n", str(ranks), "--oversubscribe", "--bind-to", "none", program, *map(str, scene)]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=500)


class Communicator(unittest.TestCase):
    def assert_kept(self, ranks, suite):
        done = run(ranks, f"--gtest_filter={suite}.*", "--gtest_color=no", program=CONTRACT)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(len(re.findall(r"^\[  PASSED  \] [1-9]", done.stdout, re.MULTILINE)), ranks, done.stdout)

    def test_OneRankKeepsTheContract(self):
        self.assert_kept(1, "CommunicatorContract")

    def test_TwoRanksKeepTheContract(self):
        self.assert_kept(2, "CommunicatorContract")

    def test_ThreeRanksKeepTheContract(self):
        self.assert_kept(3, "CommunicatorContract")

    def test_MoreBytesThanAnIntCountsArriveWhole(self):
        self.assert_kept(2, "ManyBytes")

    def assert_told(self, done, rank):
        """Before rank 0 ends the job, every rank has said the collective's name and the rank that did not come."""
        self.assertNotEqual(done.returncode, 0)
        lines = sorted(line for line in done.stdout.splitlines() if line.startswith("rank "))
        self.assertEqual(len(lines), 2, done.stdout)
        for line, teller in zip(lines, sorted({0, 1, 2} - {rank})):
            self.assertRegex(line, rf"^rank {teller} of 3 waited \d+ ms in collective 'gradients': ")
            self.assertIn(f"rank {rank} does not answer", line)
            for other in {0, 1, 2} - {rank}:
                self.assertNotIn(f"rank {other} ", line.split(": ", 1)[1])

    def test_AnAbsentRankIsNamed(self):
        for rank in (1, 2):
            self.assert_told(run(3, "absent", rank), rank)

    def test_ARankThatCameLateFindsOutWithTheOthers(self):
        self.assert_told(run(3, "late", 2), 2)

    def test_AStoppedRankIsNamedAndEndsWithTheOthers(self):
        self.assert_told(run(3, "stopped", 1), 1)

    def test_AnAbsentRankZeroIsNamedByTheOthers(self):
        done = run(2, "stopped", 0)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("rank 1 of 2 waited", done.stdout)
        self.assertIn("'gradients': rank 0 does not answer", done.stdout)

    def test_AKilledRankEndsTheJob(self):
        done = run(3, "killed", 2)
        self.assertNotEqual(done.returncode, 0)
        self.assertNotIn("the collective ended", done.stdout)

    def test_AGroupInAHurryDoesNotWaitForTheTimeOut(self):
        done = run(2, "hurry")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("rank 0 of 2 waited", done.stdout)


if __name__ == "__main__":
    main()
