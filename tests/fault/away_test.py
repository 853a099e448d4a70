#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A coordinator that is away for many leases while a group trains: the group goes on, and nothing is missing after."""
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from process_test import BIN, ProcessTest, main  # noqa: E402
from ridgeline_stack import Stack, free_port  # noqa: E402

LEASE_MS = 1000
AWAY_SECONDS = 15
STEPS = 2000
VALIDATED_EVERY = 20  # As the stack's recipe has it.


def step_of(job):
    return int(job.get("progress", {}).get("step", 0))


class Away(ProcessTest):
    def tearDown(self):
        self.doCleanups()
        super().tearDown()

    def start_coordinator(self, stack):
        process = subprocess.Popen([BIN / "ridgeline-coordinator", "--state", self.folder / "state", "--listen",
                                    stack.address, "--metrics", "", "--heartbeat-ms", "200", "--lease-ms",
                                    str(LEASE_MS)], env=stack.env, stderr=subprocess.DEVNULL)
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.terminate()
        process.wait(timeout=60)

    def newest_checkpoint(self):
        steps = [int(path.name.split("-")[1]) for path in (self.folder / "work").glob("jobs/*/checkpoints/step-*")
                 if path.name.split("-")[1].isdigit()]
        return max(steps, default=0)

    def validated_steps(self, job):
        with closing(sqlite3.connect(self.folder / "state" / "metrics.db")) as metrics:
            return [step for step, in metrics.execute("SELECT step FROM metric WHERE job_id = ? AND validated"
                                                      " ORDER BY step", (job,))]

    def test_a_group_trains_on_without_its_coordinator_and_hands_everything_in(self):
        stack = Stack(BIN, self.folder, 0)
        stack.address = f"127.0.0.1:{free_port()}"
        stack.env["RIDGELINE_COORDINATOR"] = stack.address
        stack.prepare_dataset()
        coordinator = self.start_coordinator(stack)
        group = stack.start_group("group", 1, self.folder / "work", stderr=subprocess.DEVNULL)
        self.addCleanup(self.end, group)
        stack.wait_for_workers(1)
        job = stack.submit("job", STEPS)
        stack.wait_for(job, lambda j: step_of(j) > 0, "its first step")
        coordinator.kill()
        coordinator.wait(timeout=60)

        before = self.newest_checkpoint()
        away_until = time.monotonic() + AWAY_SECONDS
        while time.monotonic() < away_until:
            time.sleep(0.2)
        self.assertGreater(self.newest_checkpoint(), before, "it goes on meanwhile")
        self.start_coordinator(stack)
        ended = stack.wait_for(job, lambda j: j["state"] == "SUCCEEDED", "its end", 300)
        self.assertEqual(int(ended.get("restarts", 0)), 0)
        self.assertEqual(len(ended["attempts"]), 1)
        self.assertEqual(int(ended["last_checkpoint"]["step"]), STEPS)
        self.assertEqual(self.validated_steps(job), list(range(VALIDATED_EVERY, STEPS + 1, VALIDATED_EVERY)))


if __name__ == "__main__":
    main()
