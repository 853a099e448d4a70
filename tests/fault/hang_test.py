#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ranks that are stopped (SIGSTOP), idle or at work: the group ends in time and says who, and no job is lost."""
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from process_test import ProcessTest, main  # noqa: E402

QUICK = ("--hang-timeout", "10")
PATIENCE = 240


class Hang(ProcessTest):
    def group(self, stack, *flags):
        """A group of two ranks that nobody starts again; its process, and what it writes."""
        with open(self.folder / "worker.log", "w", encoding="utf-8") as log:
            group = stack.start_group("group", 2, self.folder / "work", *flags, stderr=log)
        self.addCleanup(self.end, group)
        stack.wait_for_workers(1)
        return group

    def end(self, group):
        if group.poll() is None:
            group.kill()
            group.wait(timeout=60)

    def log(self):
        return (self.folder / "worker.log").read_text(encoding="utf-8")

    def assert_group_ends(self, group, *words):
        try:
            self.assertNotEqual(group.wait(timeout=PATIENCE), 0)
        except subprocess.TimeoutExpired:
            self.fail(f"the group still runs: {self.log()}")
        for word in words:
            self.assertIn(word, self.log())

    def test_AStoppedIdleRankIsNoticedWithoutAnyJob(self):
        stack = self.start(ranks=0)
        group = self.group(stack, *QUICK)
        os.kill(stack.ranks_of()[1], signal.SIGSTOP)
        self.assert_group_ends(group, "HUNG", "'roll call'", "rank 1 does not answer")

    def test_AJobThatMeetsAStoppedIdleRankIsQueuedAgain(self):
        stack = self.start(ranks=0)
        group = self.group(stack, *QUICK)
        os.kill(stack.ranks_of()[1], signal.SIGSTOP)
        job = stack.submit("job", steps=20)
        self.assert_group_ends(group, "HUNG", "rank 1 does not answer")
        waiting = stack.wait_for(job, lambda j: j["state"] == "QUEUED", "the queue", PATIENCE)
        for attempt in waiting.get("attempts", []):
            self.assertEqual(attempt["outcome"], "LOST")
        self.group(stack)
        self.assertEqual(self.run_cli(stack, "wait", job).returncode, 0)

    def test_AJobWithAStoppedRankCanBeCancelled(self):
        stack = self.start(ranks=0)
        group = self.group(stack, "--hang-timeout", "3600")
        os.kill(stack.ranks_of()[1], signal.SIGSTOP)
        job = stack.submit("job", steps=20)
        stack.wait_for(job, lambda j: j["state"] == "RUNNING" or j.get("attempts"), "an attempt", PATIENCE)
        stack.ridgeline("cancel", job)
        done = self.run_cli(stack, "wait", job, "--timeout", f"{PATIENCE}s", timeout=PATIENCE + 60)
        self.assertEqual(done.returncode, 11, done.stderr + self.log())
        self.assert_group_ends(group, "HUNG")

    def test_ARankThatStopsInAJobIsNamedInTheJobsReason(self):
        stack = self.start(ranks=0)
        group = self.group(stack, *QUICK)
        job = stack.submit("job", steps=1000000)
        stack.wait_for(job, lambda j: int(j.get("progress", {}).get("step", 0)) >= 20, "twenty steps", PATIENCE)
        os.kill(stack.ranks_of()[1], signal.SIGSTOP)
        lost = stack.wait_for(job, lambda j: j["state"] == "QUEUED", "the queue", PATIENCE)
        self.assert_group_ends(group, "HUNG")
        self.assertEqual(lost["attempts"][0]["outcome"], "LOST")
        self.assertIn("HUNG", lost["attempts"][0]["detail"])
        self.assertIn("rank 1 does not answer", lost["attempts"][0]["detail"])
        self.assertIn("collective '", lost["attempts"][0]["detail"])
        self.assertEqual(int(lost["restarts"]), 1)


if __name__ == "__main__":
    main()
