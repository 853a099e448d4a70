#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ranks that are stopped (SIGSTOP) or killed, idle or at work: the group ends in time and says who, and no job is lost.
A rank that lacks memory says so, and its group lives."""
import os
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from process_test import ProcessTest, main  # noqa: E402

QUICK = ("--hang-timeout", "10")
PATIENCE = 240
STEPS = 1000


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
        self.assertEqual(lost["attempts"][0]["exit_reason"], "EXIT_HUNG")
        self.assertIn("HUNG", lost["attempts"][0]["detail"])
        self.assertIn("rank 1 does not answer", lost["attempts"][0]["detail"])
        self.assertIn("collective '", lost["attempts"][0]["detail"])
        self.assertEqual(int(lost["restarts"]), 1)


class HangTimeoutOfARecipe(ProcessTest):
    """Groups of three ranks that would wait for an hour, and a job that waits for ten seconds."""

    def resumed(self, disturb):
        """The job after one of its ranks was disturbed and it has gone on to its end on a new group."""
        stack = self.start(ranks=0)
        first = self.group(stack)
        job = stack.submit("job", steps=STEPS, more="recovery: {hang_timeout: 10}\n")
        stack.wait_for(job, lambda j: int(j.get("last_checkpoint", {}).get("step", 0)) >= 40, "a checkpoint", PATIENCE)
        disturb(stack.ranks_of())
        self.assertNotEqual(first.wait(timeout=PATIENCE), 0)
        lost = stack.wait_for(job, lambda j: j["state"] == "QUEUED", "the queue", PATIENCE)
        self.assertEqual(lost["attempts"][0]["outcome"], "LOST")
        self.group(stack)
        done = self.run_cli(stack, "wait", job)
        self.assertEqual(done.returncode, 0, done.stderr)
        ended = stack.job(job)
        self.assertGreaterEqual(int(ended["attempts"][1]["resumed_from_step"]), 40)
        return ended

    def group(self, stack):
        group = stack.start_group("group", 3, self.folder / "work", "--hang-timeout", "3600", stderr=subprocess.DEVNULL)
        self.addCleanup(self.end, group)
        stack.wait_for_workers(1)
        return group

    def end(self, group):
        if group.poll() is None:
            group.kill()
            group.wait(timeout=60)

    def test_AStoppedRankOfThreeIsNamedWithStepAndCollectiveAndTheJobResumes(self):
        job = self.resumed(lambda ranks: os.kill(ranks[2], signal.SIGSTOP))
        detail = job["attempts"][0]["detail"]
        waited = r"rank 0 of 3 waited \d+ ms in collective '[^']+'( at step \d+)?: "
        self.assertRegex(detail, r"^HUNG: after step \d+: " + waited)
        self.assertGreaterEqual(int(re.search(r"after step (\d+)", detail)[1]), 40)
        self.assertIn("rank 2 does not answer", detail)
        self.assertNotIn("rank 1", detail)

    def test_AKilledRankOfThreeEndsTheGroupAndTheJobResumes(self):
        self.resumed(lambda ranks: os.kill(ranks[1], signal.SIGKILL))


class Memory(ProcessTest):
    """One rank may have less memory than the others: a limit on its address space, as a batch system sets it."""

    def test_ARankOutOfMemoryIsNamedAndTheGroupTakesTheNextJob(self):
        stack = self.start(ranks=2)
        small = stack.submit("small", steps=2)
        self.assertEqual(self.run_cli(stack, "wait", small).returncode, 0)
        rank = stack.ranks_of()[1]
        pages = int(Path(f"/proc/{rank}/statm").read_text().split()[0])
        before = resource.prlimit(rank, resource.RLIMIT_AS)
        # Room for what a rank does beside its model, and not for the model: 400 MB, and for training three times more.
        room = pages * resource.getpagesize() + (256 << 20)
        resource.prlimit(rank, resource.RLIMIT_AS, (room, before[1]))
        model = "model: {name: gpt, n_layers: 8, dim: 1024, n_heads: 8}\n"
        large = stack.submit("large", steps=2, model=False, more=model)
        done = self.run_cli(stack, "wait", large)
        self.assertEqual(done.returncode, 10, done.stderr)
        failed = stack.job(large)
        # Once: a retry would meet it again.
        self.assertEqual([attempt["outcome"] for attempt in failed["attempts"]], ["ERROR"])
        self.assertEqual(failed["attempts"][0]["exit_reason"], "EXIT_OOM")
        self.assertIn("rank 1: out of memory", failed["reason"])
        self.assertIn("ridgeline: remedy: lower training.local_batch_size", done.stderr)
        self.assertIn("remedy      lower training.local_batch_size", stack.ridgeline("get", large))
        resource.prlimit(rank, resource.RLIMIT_AS, before)
        self.assertEqual(self.run_cli(stack, "wait", stack.submit("next", steps=2)).returncode, 0)
        self.assertEqual(stack.ranks_of()[1], rank, "the group is the same")


if __name__ == "__main__":
    main()
