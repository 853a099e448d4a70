#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Real MPI ranks give the figures of a single one."""
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


if __name__ == "__main__":
    main()
