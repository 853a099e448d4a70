#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A worker group that ends while the coordinator is away: what it had to say is handed in when it is started again."""
import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from process_test import ProcessTest, main  # noqa: E402

STEPS = 2000
PATIENCE = 240


class Spool(ProcessTest):
    def tearDown(self):
        self.doCleanups()
        super().tearDown()

    def group(self, stack, work):
        with open(self.folder / "worker.log", "a", encoding="utf-8") as log:
            group = stack.start_group("group", 2, work, stderr=log)
        self.addCleanup(self.end, stack, group)
        return group

    def end(self, stack, group):
        """As when the machine dies."""
        for pid in [group.pid, *stack.ranks_of().values()]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        group.wait(timeout=60)

    def wait_until(self, condition, what):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                self.fail(f"never came: {what}; {(self.folder / 'worker.log').read_text()[-3000:]}")
            time.sleep(0.1)

    def spooled(self, work):
        try:
            return (work / "groups" / "group" / "spool").read_bytes()
        except FileNotFoundError:
            return b""

    def up_again(self, stack):
        stack.ridgeline("up", "--ranks", "0", "--listen", stack.address, "--metrics", "127.0.0.1:0")

    def go_on_alone(self, work):
        """A stack that is down, and the group and job that go on without it."""
        stack = self.start(ranks=0)
        group = self.group(stack, work)
        stack.wait_for_workers(1)
        job = stack.submit("job", STEPS)
        stack.wait_for(job, lambda j: int(j.get("progress", {}).get("step", 0)) >= 10, "ten steps", PATIENCE)
        stack.ridgeline("down")
        return stack, group, job

    def test_AResultOutlivesItsGroupAndCountsWithoutARestart(self):
        work = self.folder / "work"
        stack, group, job = self.go_on_alone(work)
        self.wait_until(lambda: f"{STEPS} steps".encode() in self.spooled(work), "the result in the spool's file")
        self.end(stack, group)
        self.group(stack, work)
        self.up_again(stack)
        done = self.run_cli(stack, "wait", job)
        self.assertEqual(done.returncode, 0, done.stderr)
        ended = stack.job(job)
        self.assertEqual([attempt["outcome"] for attempt in ended["attempts"]], ["COMPLETED"])
        self.assertEqual(int(ended.get("restarts", 0)), 0)
        self.assertEqual(int(ended["last_checkpoint"]["step"]), STEPS)
        self.wait_until(lambda: not self.spooled(work), "the end of the spool's file")
        after = stack.submit("after", 5)
        self.assertEqual(self.run_cli(stack, "wait", after).returncode, 0, "the group works")

    def test_OnADiskThatTakesNoSpoolTrainingGoesOnAndTheResultArrives(self):
        work = self.folder / "work"
        work.mkdir()
        (work / "groups").write_text("in the way")
        stack, _, job = self.go_on_alone(work)
        log = self.folder / "worker.log"
        self.wait_until(lambda: "in memory only" in log.read_text(), "the complaint")
        self.up_again(stack)
        done = self.run_cli(stack, "wait", job)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(stack.job(job)["attempts"]), 1)
        self.assertEqual(log.read_text().count("in memory only"), 1)


if __name__ == "__main__":
    main()
