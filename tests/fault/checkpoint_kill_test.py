#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ranks that are killed while they write checkpoints: what is listed is whole, and the job ends as if nothing was."""
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from process_test import ProcessTest, main  # noqa: E402
from ridgeline_stack import RECIPE  # noqa: E402

ROUNDS = 12
# A round does six steps beyond the newest checkpoint at most before it kills, and some while a rank is being killed.
STEPS = 600


class CheckpointKill(ProcessTest):
    def tearDown(self):
        self.doCleanups()  # Ends groups before the folder is removed.
        super().tearDown()

    def submit(self, stack):
        """A job that writes a checkpoint at every step: a rank that is killed is nearly always in the middle of one."""
        recipe = stack.folder / "job.yaml"
        recipe.write_text(RECIPE.format(name="job", dataset=stack.dataset, steps=STEPS))
        return stack.ridgeline("submit", "-f", str(recipe), "-o", "name", "--set", "checkpoint.interval=1", "--set",
                               "validation.interval=0", "--set", "recovery.max_restarts=1000").strip().split("/")[-1]

    def group(self, stack, ranks):
        worker = stack.start_group("group", ranks, self.work, stderr=subprocess.DEVNULL)

        def end():
            worker.terminate()
            worker.wait(timeout=60)
        self.addCleanup(end)
        return worker

    def newest_step(self, job):
        names = [path.name for path in (self.work / "jobs" / job / "checkpoints").glob("step-????????")]
        return max((int(name.removeprefix("step-")) for name in names), default=0)

    def wait_for_step(self, stack, job, step, seconds=120):
        deadline = time.monotonic() + seconds
        while self.newest_step(job) < step:
            self.assertLess(time.monotonic(), deadline, f"no checkpoint of step {step}: {stack.job(job)}")
            time.sleep(0.001)

    def checkpoint(self, stack, verb, job, *flags):
        done = self.run_cli(stack, "checkpoint", verb, job, "--work-dir", self.work, *flags)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def newest_of_whole_ones(self, stack, job):
        """All that is listed is whole; the newest step of it."""
        listed = self.checkpoint(stack, "list", job, "-o", "name").split()
        verified = json.loads(self.checkpoint(stack, "verify", job, "-o", "json"))["checkpoints"]
        self.assertEqual(listed, [f"{job}/{entry['checkpoint']}" for entry in verified])
        self.assertTrue(all(entry["whole"] for entry in verified), verified)
        return max(int(name.split("-")[-1]) for name in listed)

    def kill_a_rank(self, stack, ranks, chance):
        running = stack.ranks_of()
        self.assertEqual(len(running), ranks)
        os.kill(running[chance.randrange(ranks)], signal.SIGKILL)

    def killed_in_the_middle(self, ranks, seed):
        chance = random.Random(seed)
        stack = self.start(ranks=0, name="killed")
        self.work = stack.folder / "work"
        job = self.submit(stack)
        newest = []
        for _ in range(ROUNDS):
            worker = self.group(stack, ranks)
            self.wait_for_step(stack, job, (newest or [0])[-1] + chance.randint(1, 6))
            time.sleep(chance.random() * 0.03)
            self.kill_a_rank(stack, ranks, chance)
            worker.wait(timeout=60)
            newest.append(self.newest_of_whole_ones(stack, job))
        self.assertLess(newest[-1], STEPS, "the job was over before the last kill")
        self.group(stack, ranks)
        done = self.run_cli(stack, "wait", job)
        self.assertEqual(done.returncode, 0, done.stderr)
        attempts = stack.job(job)["attempts"]
        # Each went on from the newest that was whole when the one before it died.
        self.assertEqual([int(attempt.get("resumed_from_step", 0)) for attempt in attempts], [0, *newest])
        self.checkpoint(stack, "gc", job)
        names = [path.name for path in (self.work / "jobs" / job / "checkpoints").iterdir()]
        self.assertEqual(sorted(names), [f"step-{STEPS - 1:08d}", f"step-{STEPS:08d}"])
        return self.final_numbers(stack, job)

    def undisturbed(self, ranks):
        stack = self.start(ranks=0, name="undisturbed")
        self.work = stack.folder / "work"
        job = self.submit(stack)
        self.group(stack, ranks)
        self.assertEqual(self.run_cli(stack, "wait", job).returncode, 0)
        return self.final_numbers(stack, job)

    def compare(self, ranks):
        seed = int(time.time())
        print(f"seed {seed}", file=sys.stderr)
        self.assertEqual(self.killed_in_the_middle(ranks, seed), self.undisturbed(ranks))

    def test_TwoRanksKilledInTheMiddleOfSavesLeaveWholeCheckpointsAndTheSameFigures(self):
        self.compare(ranks=2)

    def test_ThreeRanksKilledInTheMiddleOfSavesLeaveWholeCheckpointsAndTheSameFigures(self):
        self.compare(ranks=3)

    def test_AFourRankCheckpointGoesOnAtThreeTwoAndOneRanks(self):
        stack = self.start(ranks=0, name="other-ranks")
        self.work = stack.folder / "work"
        job = self.submit(stack)
        resumed = []
        for ranks in (4, 3, 2, 1):
            worker = self.group(stack, ranks)
            self.wait_for_step(stack, job, (resumed or [0])[-1] + 5)
            worker.terminate()
            worker.wait(timeout=60)
            listed = json.loads(self.checkpoint(stack, "list", job, "-o", "json"))["checkpoints"]
            self.assertEqual(listed[0]["ranks"], ranks)
            resumed.append(int(listed[0]["step"]))
        attempts = stack.job(job)["attempts"]
        self.assertEqual([int(attempt.get("resumed_from_step", 0)) for attempt in attempts], [0, *resumed[:-1]])
        self.assertEqual([attempt["outcome"] for attempt in attempts], ["PREEMPTED"] * 4)

    def test_ACheckpointIsPulledWholeAndADamagedOneIsTold(self):
        stack = self.start(ranks=0, name="pulled")
        self.work = stack.folder / "work"
        job = self.submit(stack)
        self.group(stack, 2)
        self.wait_for_step(stack, job, 5)
        stack.ridgeline("cancel", job)
        self.assertEqual(self.run_cli(stack, "wait", job).returncode, 11)
        newest = self.newest_of_whole_ones(stack, job)
        out = self.folder / "out"
        self.checkpoint(stack, "pull", job, "--to", out)
        manifest = json.loads((out / "manifest.json").read_text())
        self.assertEqual(manifest["step"], newest)
        self.assertEqual({path.name for path in out.iterdir()},
                         {"manifest.json", "state-00000-of-00002.safetensors", "state-00001-of-00002.safetensors"})

        def refused(code, said, *arguments):
            place = () if "--work-dir" in arguments else ("--work-dir", self.work)
            done = self.run_cli(stack, "checkpoint", *arguments, *place)
            self.assertEqual(done.returncode, code, done.stdout + done.stderr)
            self.assertRegex(done.stdout + done.stderr, said)
        refused(6, "there already", "pull", job, "--to", out)
        refused(2, "empty", "pull", job, "--to", "")
        mine = self.folder / "again.partial"
        mine.mkdir()
        self.checkpoint(stack, "pull", job, "--to", f"{self.folder / 'again'}/")
        self.assertTrue(mine.is_dir())
        self.assertTrue((self.folder / "again" / "manifest.json").is_file())
        refused(3, "no checkpoint to verify", "verify", job, "--work-dir", self.folder)
        refused(3, "no checkpoint of step 999", "verify", job, "--step", "999")
        refused(3, "no-such-job", "list", "no-such-job")
        folder = self.work / "jobs" / job / "checkpoints" / f"step-{newest:08d}"
        file = folder / "state-00001-of-00002.safetensors"
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(content)
        refused(1, re.escape(file.name), "verify", job, "--step", str(newest))
        refused(1, re.escape(file.name), "pull", job, "--to", self.folder / "damaged")
        self.assertFalse((self.folder / "damaged").exists())

        (folder.parent / "step-00000999.unfinished.1").mkdir()
        would = json.loads(self.checkpoint(stack, "gc", job, "--dry-run", "-o", "json"))["would_be_removed"]
        self.assertEqual([entry["checkpoint"] for entry in would], ["step-00000999.unfinished.1"])
        self.assertIn("step-00000999.unfinished.1", self.checkpoint(stack, "gc", job))
        self.assertFalse((folder.parent / "step-00000999.unfinished.1").exists())
        self.assertEqual(self.checkpoint(stack, "gc", job, "-o", "name"), "")


if __name__ == "__main__":
    main()
