#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Processes that die in the middle of a job: the job ends with the figures of an undisturbed one."""
import json
import os
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from process_test import ProcessTest, main  # noqa: E402
from ridgeline_stack import RECIPE  # noqa: E402

STEPS = 400


def wait_until_no_rank_is_left(stack, seconds=60):
    deadline = time.monotonic() + seconds
    while left := stack.ranks_of():
        if time.monotonic() > deadline:
            raise AssertionError(f"ranks are left: {left}")
        time.sleep(0.1)


def step_of(job):
    return int(job.get("progress", {}).get("step", 0))


class Recovery(ProcessTest):
    def undisturbed(self):
        stack = self.start(ranks=2, name="undisturbed")
        job = stack.submit("job", STEPS)
        self.assertEqual(self.run_cli(stack, "wait", job).returncode, 0)
        numbers = self.final_numbers(stack, job)
        stack.ridgeline("down")
        return numbers

    def disturbed(self, disturb, restarts):
        """Runs the same job, disturbs it past its first checkpoint, and gives its figures."""
        stack = self.start(ranks=2, name="disturbed")
        job = stack.submit("job", STEPS)
        stack.wait_for(job, lambda j: int(j.get("last_checkpoint", {}).get("step", 0)) >= 40, "a checkpoint")
        disturb(stack)
        done = self.run_cli(stack, "wait", job)
        self.assertEqual(done.returncode, 0, done.stderr + (stack.folder / "state" / "worker.log").read_text()[-3000:])
        ended = stack.job(job)
        self.assertEqual(int(ended.get("restarts", 0)), restarts)
        if restarts:
            self.assertGreaterEqual(int(ended["attempts"][-1].get("resumed_from_step", 0)), 40)
        return self.final_numbers(stack, job)

    def test_AKilledCoordinatorCostsNothing(self):
        def kill(stack):
            pid = json.loads((stack.folder / "state" / "coordinator.json").read_text())["pid"]
            os.kill(pid, signal.SIGKILL)
        self.assertEqual(self.disturbed(kill, restarts=0), self.undisturbed())

    def test_AKilledRankResumesToTheSameFigures(self):
        def kill(stack):
            os.kill(stack.ranks_of()[1], signal.SIGKILL)
        self.assertEqual(self.disturbed(kill, restarts=1), self.undisturbed())

    def test_AKilledRankZeroResumesToTheSameFigures(self):
        def kill(stack):
            os.kill(stack.ranks_of()[0], signal.SIGKILL)
        self.assertEqual(self.disturbed(kill, restarts=1), self.undisturbed())

    def test_CoordinatorAndRankKilledTogetherStillEndWell(self):
        def kill(stack):
            pid = json.loads((stack.folder / "state" / "coordinator.json").read_text())["pid"]
            os.kill(pid, signal.SIGKILL)
            os.kill(stack.ranks_of()[1], signal.SIGKILL)
        self.assertEqual(self.disturbed(kill, restarts=1), self.undisturbed())

    def test_SigtermCommitsACheckpointAndChargesNoRestart(self):
        stack = self.start(ranks=2)
        job = stack.submit("job", STEPS)
        stack.wait_for(job, lambda j: step_of(j) >= 30, "thirty steps")
        for pid in stack.ranks_of().values():
            os.kill(pid, signal.SIGTERM)
        done = self.run_cli(stack, "wait", job)
        self.assertEqual(done.returncode, 0, done.stderr)
        ended = stack.job(job)
        self.assertEqual(int(ended.get("restarts", 0)), 0)
        self.assertEqual(ended["attempts"][0]["outcome"], "PREEMPTED")

    def test_CancelStopsARunningJobAndFreesItsRanks(self):
        stack = self.start(ranks=2)
        endless = stack.submit("endless", 1000000)
        stack.wait_for(endless, lambda j: step_of(j) >= 10, "ten steps")
        stack.ridgeline("cancel", endless)
        self.assertEqual(self.run_cli(stack, "wait", endless).returncode, 11)
        after = stack.submit("after", 5)
        self.assertEqual(self.run_cli(stack, "wait", after).returncode, 0)

    def test_DownEndsEveryProcess(self):
        stack = self.start(ranks=2)
        job = stack.submit("job", 1000000)
        stack.wait_for(job, lambda j: step_of(j) >= 10, "ten steps")
        stack.ridgeline("down")
        wait_until_no_rank_is_left(stack)
        again = self.run_cli(stack, "status")
        self.assertEqual(again.returncode, 5)
        # What was running is queued, and goes on when the stack is up again.
        stack.ridgeline("up", "--ranks", "2", "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
        stack.wait_for(job, lambda j: len(j["attempts"]) >= 2 and step_of(j) >= 20, "a second attempt")
        self.assertEqual(int(stack.job(job).get("restarts", 0)), 0)

    def test_ADamagedCheckpointIsPassedOverAndToldAndTheStepIsTheOneItResumedFrom(self):
        stack = self.start(ranks=2)
        job = stack.submit("job", STEPS)
        stack.wait_for(job, lambda j: int(j.get("last_checkpoint", {}).get("step", 0)) >= 60, "three checkpoints")
        stack.ridgeline("down")
        folder = stack.folder / "state" / "work" / "jobs" / job / "checkpoints"
        newest, older = sorted(folder.glob("step-????????"), reverse=True)[:2]
        weights = newest / "state-00001-of-00002.safetensors"
        os.truncate(weights, weights.stat().st_size // 2)
        stack.ridgeline("up", "--ranks", "2", "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
        done = self.run_cli(stack, "wait", job, "--timeout", "120s")
        self.assertEqual(done.returncode, 0, done.stderr)
        expected = int(older.name.removeprefix("step-"))
        self.assertEqual(int(stack.job(job)["attempts"][-1]["resumed_from_step"]), expected)
        logs = stack.ridgeline("logs", job)
        self.assertIn("passed over", logs)
        self.assertIn(newest.name, logs)

    def tearDown(self):
        self.doCleanups()  # Ends groups and unmounts disks before the folder is removed.
        super().tearDown()

    def small_disk(self):
        """A mounted tmpfs of 4 MB, unmounted at the test's end."""
        small = self.folder / "small"
        small.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(small)], capture_output=True)
        if mounted.returncode != 0:
            raise unittest.SkipTest("needs the right to mount a tmpfs")
        self.addCleanup(subprocess.run, ["umount", "-l", str(small)], check=False)
        (small / "work").mkdir()
        return small

    def group_on(self, stack, small):
        """A worker group of one rank whose work folder is on the small disk; ended before the disk is unmounted."""
        worker = stack.start_group("tiny", 1, small / "work", stderr=subprocess.DEVNULL)

        def end():
            worker.terminate()
            worker.wait(timeout=30)
        self.addCleanup(end)

    def fill(self, small, but_bytes=0):
        """Writes a file `filler` until the disk is full, then gives back its last `but_bytes` bytes."""
        with open(small / "filler", "wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(b"x" * 4096)
            except OSError:
                filler.truncate(filler.tell() - but_bytes)

    def test_AFullDiskLetsTheJobWaitAndSparesTheLastCheckpoint(self):
        small = self.small_disk()
        stack = self.start(ranks=0)
        self.group_on(stack, small)
        # Room for one checkpoint of 176 kB and not for a second: however fast the machine, the disk is full at step 40.
        self.fill(small, but_bytes=280 * 1024)
        job = stack.submit("job", 2000)
        waits = stack.wait_for(job, lambda j: j["state"] == "QUEUED" and "tried again in" in j["reason"], "no room")
        self.assertIn("no room on the disk of worker group 'tiny'", waits["reason"])
        self.assertIn("No space left", waits["reason"])
        self.assertIn("no room", stack.ridgeline("list"))
        self.assertEqual(int(waits["last_checkpoint"]["step"]), 20)
        kept = small / "work" / waits["last_checkpoint"]["path"]
        self.assertTrue((kept / "manifest.json").exists())
        (small / "filler").unlink()
        done = self.run_cli(stack, "wait", job)
        self.assertEqual(done.returncode, 0, done.stderr)
        ended = stack.job(job)
        self.assertEqual(int(ended.get("restarts", 0)), 0)
        self.assertGreaterEqual(int(ended["attempts"][-1]["resumed_from_step"]), 20)

    def test_ASweepOnAFullDiskWaitsWithTheReasonAndSucceedsWhenThereIsRoom(self):
        small = self.small_disk()
        stack = self.start(ranks=0)
        self.fill(small)
        self.group_on(stack, small)
        recipe = stack.folder / "sweep.yaml"
        recipe.write_text(RECIPE.format(name="sweep", dataset=stack.dataset, steps=20)
                          + "sweep: {parameters: {training.seed: [1, 2, 3, 4, 5]}}\n")
        sweep = stack.ridgeline("submit", "-f", str(recipe), "-o", "name").split()[0]

        def children():
            jobs = json.loads(stack.ridgeline("list", "--parent", sweep, "-o", "json"))
            return jobs["jobs"] if isinstance(jobs, dict) else jobs
        first = children()[0]["id"]
        # Three times in vain, and still nothing has failed.
        stack.wait_for(first, lambda j: int(j.get("no_room_in_a_row", 0)) >= 3, "three attempts without room")
        waiting = children()
        self.assertEqual({j["state"] for j in waiting} - {"QUEUED", "RUNNING"}, set())
        self.assertEqual([j["attempts"] for j in waiting[1:]], [[]] * 4, "the others wait for the full group")
        (small / "filler").unlink()
        done = self.run_cli(stack, "wait", sweep)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([j["state"] for j in children()], ["SUCCEEDED"] * 5)


if __name__ == "__main__":
    main()
