#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Jobs that cannot end well: each fails once, with the reason that it has and what to do about it. (Out of memory and
hung ranks are in hang_test.py, full disks in recovery_test.py.)"""
import json
import struct
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from process_test import ProcessTest, main  # noqa: E402
from tensor_files import parts_of  # noqa: E402

# As bytes of one number in a file, whose products overflow float32.
HUGE = {"F32": struct.pack("<f", 1e30), "BF16": struct.pack("<f", 1e30)[2:]}


def overwrite(path, wants):
    """Every number of the tensors whose names `wants` becomes a huge one."""
    header, _ = parts_of(path)
    content = bytearray(path.read_bytes())
    start = 8 + struct.unpack_from("<Q", content)[0]
    for name, entry in header.items():
        if wants(name):
            begin, end = entry["data_offsets"]
            number = HUGE[entry["dtype"]]
            content[start + begin:start + end] = number * ((end - begin) // len(number))
    path.write_bytes(content)


class Ends(ProcessTest):
    def tearDown(self):
        self.doCleanups()
        super().tearDown()

    def group(self, stack, ranks):
        group = stack.start_group("group", ranks, self.folder / "work", stderr=subprocess.DEVNULL)

        def end():
            group.terminate()
            group.wait(timeout=60)
        self.addCleanup(end)

    def assert_fails_once(self, stack, job, reason, remedy):
        done = self.run_cli(stack, "wait", job)
        self.assertEqual(done.returncode, 10, done.stdout + done.stderr)
        failed = stack.job(job)
        self.assertEqual([(attempt["outcome"], attempt["exit_reason"]) for attempt in failed["attempts"]],
                         [("ERROR", reason)], failed["reason"])
        self.assertIn(f"remedy: {remedy}", done.stderr)
        return failed["reason"]

    def test_ATrainingWithoutFiniteNumbersEndsNonfinite(self):
        stack = self.start(ranks=1)
        first = stack.submit("first", steps=2, more="export: {weights: safetensors}\n")
        self.assertEqual(self.run_cli(stack, "wait", first).returncode, 0)
        model = self.folder / "model"
        stack.ridgeline("artifact", "pull", first, "--out", str(model))
        overwrite(model / "model.safetensors", lambda name: ".mlp." in name)
        job = stack.submit("job", steps=1000, more=f"model: {{path: {model}}}\n", model=False)
        reason = self.assert_fails_once(stack, job, "EXIT_NONFINITE", "lower optimizer.lr")
        self.assertIn("NONFINITE: 20 steps in a row up to step 20", reason)
        points = json.loads(stack.ridgeline("frontier", "list", "--job", job, "-o", "json"))
        self.assertEqual(points["points"] if isinstance(points, dict) else points, [])

    def test_ADatasetThatIsGoneEndsBadData(self):
        stack = self.start(ranks=0)
        job = stack.submit("job", steps=2)
        (stack.dataset / "train.tokens").unlink()
        self.group(stack, 2)
        reason = self.assert_fails_once(stack, job, "EXIT_BAD_DATA", "mend the file that is named")
        self.assertIn("train.tokens", reason)

    def test_ARecipeThatTheGroupsRanksCannotShareEndsIncompatible(self):
        stack = self.start(ranks=0)
        job = stack.submit("job", steps=2, more="parallelism: {shard_degree: 2}\n")
        self.group(stack, 3)
        reason = self.assert_fails_once(stack, job, "EXIT_INCOMPATIBLE", "change the key that is named")
        self.assertIn("parallelism.shard_degree", reason)


if __name__ == "__main__":
    main()
