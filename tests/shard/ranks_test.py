#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Real MPI ranks give the figures of a single one."""
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from process_test import ProcessTest, main  # noqa: E402

# Sums over ranks run in another order, and one-bit codes flip where a number sits at a threshold.
LOSS_TOLERANCE_NATS = 0.02


class Ranks(ProcessTest):
    def test_OneTwoAndThreeRanksGiveTheSameLoss(self):
        losses = []
        for ranks in (1, 2, 3):
            stack = self.start(ranks=ranks, name=f"ranks-{ranks}")
            job = stack.submit("job", steps=60)
            self.assertEqual(self.run_cli(stack, "wait", job).returncode, 0)
            losses.append(self.final_numbers(stack, job)[0])
            stack.ridgeline("down")
        for loss in losses[1:]:
            self.assertAlmostEqual(loss, losses[0], delta=LOSS_TOLERANCE_NATS)

    def test_EveryRanksLinesArriveWithItsNumber(self):
        stack = self.start(ranks=3)
        job = stack.submit("job", steps=20)
        self.assertEqual(self.run_cli(stack, "wait", job).returncode, 0)
        lines = {rank: stack.ridgeline("logs", job, "--rank", str(rank)).splitlines() for rank in range(3)}
        for rank in (1, 2):
            self.assertTrue(any(f"rank {rank} of 3: process" in line for line in lines[rank]), lines[rank])
        for rank, own in lines.items():
            self.assertTrue(own and all(f" [{rank}] " in line for line in own), own)
        everything = stack.ridgeline("logs", job).splitlines()
        self.assertEqual(sorted(everything), sorted(lines[0] + lines[1] + lines[2]))
        self.assertEqual(stack.ridgeline("logs", job, "--rank", "3"), "")

    def test_ARankThatFailsAloneSaysSoUnderItsNumber(self):
        stack = self.start(ranks=0)
        # Each rank looks for the dataset at the place that its own link leads to: that of rank 1 leads nowhere.
        places = {rank: self.folder / f"place-{rank}" for rank in range(2)}
        for rank, place in places.items():
            place.mkdir()
        (places[0] / "dataset").symlink_to(stack.dataset)
        group = stack.start_group("group", 2, self.folder / "work", places=places, stderr=subprocess.DEVNULL)
        self.addCleanup(group.wait, timeout=60)
        self.addCleanup(group.terminate)
        stack.dataset = Path("/proc/self/cwd/dataset")
        job = stack.submit("job", steps=20)
        self.assertEqual(self.run_cli(stack, "wait", job).returncode, 10)
        own = stack.ridgeline("logs", job, "--rank", "1")
        self.assertIn("error: set-up: ", own)
        self.assertIn("/proc/self/cwd/dataset", own)
        self.assertIn("rank 1: ", stack.job(job)["reason"])


if __name__ == "__main__":
    main()
