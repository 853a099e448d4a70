#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The main job, end to end: text to tokens, a sweep over estimators, the frontier as numbers and as pictures."""
import csv
import io
import json
import subprocess
import sys
import xml.etree.ElementTree
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from process_test import BIN, ProcessTest, main  # noqa: E402

COLUMNS = ("point_id,job_id,model,dataset,estimator,weight_format,weight_scheme,weight_block,activation_format,"
           "activation_scheme,activation_block,hadamard,sparsity,steps,tokens,seed,loss,accuracy,storage_bytes,"
           "bits_per_element,energy_proxy,energy_joules_per_token,decode_tokens_per_second,pareto,second_loss,name,"
           "artifact_sha256,energy_source,energy_low_joules_per_token,energy_high_joules_per_token,"
           "energy_above_idle_joules_per_token,prefill_tokens_per_second,cpu,threads,embedding_format")

SWEEP = """\
name: small-sweep
model: {{name: gpt, n_layers: 2, dim: 32, n_heads: 2}}
dataset: {{path: {dataset}}}
training: {{seq_len: 32, global_batch_size: 6, steps: 60}}
optimizer: {{lr: 3e-3}}
lr_scheduler: {{warmup_steps: 10}}
validation: {{interval: 30, sequences: 24}}
checkpoint: {{interval: 20}}
sweep:
  method: cases
  cases:
    - {{name: none, set: {{quant.estimator: none}}}}
    - {{name: ridge-a2w2, set: {{quant.estimator: ridge, quant.weight.format: int2, quant.activation.format: int2}}}}
    - name: ste-ternary
      set: {{quant.estimator: ste, quant.weight.format: ternary, quant.activation.format: ternary}}
"""


class Sweep(ProcessTest):
    def run_sweep(self, stack):
        recipe = stack.folder / "sweep.yaml"
        recipe.write_text(SWEEP.format(dataset=stack.dataset))
        return self.run_cli(stack, "submit", "-f", recipe, "--follow")

    def points(self, stack):
        done = self.run_cli(stack, "frontier", "export", "-o", "csv", "--job", "small-sweep")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.splitlines()[0], COLUMNS)
        return list(csv.DictReader(io.StringIO(done.stdout)))

    def test_ASweepLeavesOnePointACaseAndPicturesOfThem(self):
        stack = self.start(ranks=2)
        done = self.run_sweep(stack)
        self.assertEqual(done.returncode, 0, done.stderr)
        points = self.points(stack)
        self.assertEqual([p["estimator"] for p in points], ["none", "ridge", "ste"])
        self.assertEqual([p["name"] for p in points], ["none", "ridge-a2w2", "ste-ternary"])
        plain, ridge, ternary = points
        self.assertEqual((plain["weight_format"], plain["weight_scheme"]), ("none", ""))
        self.assertEqual(plain["bits_per_element"], "16")
        self.assertEqual((ternary["weight_format"], ternary["weight_scheme"]), ("ternary", "linear"))
        self.assertLess(float(ridge["storage_bytes"]), float(plain["storage_bytes"]))
        self.assertLess(float(ternary["energy_proxy"]), float(ridge["energy_proxy"]))
        for point in points:
            self.assertTrue(0 < float(point["loss"]) < 4, point)
            self.assertTrue(0 < float(point["accuracy"]) < 1, point)
            self.assertEqual(point["energy_joules_per_token"], "")  # Not measured on this machine.
        self.assertIn("true", [p["pareto"] for p in points])
        svg, png = stack.folder / "f.svg", stack.folder / "f.png"
        done = self.run_cli(stack, "frontier", "plot", "--out", svg, "--out", png)
        self.assertEqual(done.returncode, 0, done.stderr)
        xml.etree.ElementTree.parse(svg)
        self.assertTrue(png.read_bytes().startswith(b"\x89PNG"))

    def test_TheSameRecipeGivesTheSameNumbersAgain(self):
        numbers = []
        for name in ("first", "second"):
            stack = self.start(ranks=2, name=name)
            self.assertEqual(self.run_sweep(stack).returncode, 0)
            numbers.append([(p["loss"], p["accuracy"]) for p in self.points(stack)])
            stack.ridgeline("down")
        self.assertEqual(numbers[0], numbers[1])


class People(ProcessTest):
    """What people meet at the command line of a live stack."""

    def test_ExitCodesSayHowAJobEnded(self):
        stack = self.start(ranks=1)
        finished = stack.submit("finished", steps=5)
        self.assertEqual(self.run_cli(stack, "wait", finished, "--for", "succeeded").returncode, 0)
        endless = stack.submit("endless", steps=1000000)
        self.assertEqual(self.run_cli(stack, "wait", endless, "--timeout", "1s").returncode, 12)
        self.assertEqual(self.run_cli(stack, "cancel", endless).returncode, 0)
        self.assertEqual(self.run_cli(stack, "wait", endless).returncode, 11)
        self.assertEqual(self.run_cli(stack, "cancel", endless).returncode, 6)
        self.assertEqual(self.run_cli(stack, "get", "job-999").returncode, 3)
        broken = self.run_cli(stack, "submit", "-f", stack.folder / "finished.yaml", "--set", "dataset.path=/no/such",
                              "--follow")
        self.assertEqual(broken.returncode, 10, broken.stderr)
        self.assertIn("/no/such", broken.stderr)

    def test_ARequestIdQueuesOneJob(self):
        stack = self.start(ranks=1)
        stack.submit("warm", steps=1)
        submit = ("submit", "-f", stack.folder / "warm.yaml", "--request-id", "once", "-o", "name")
        ids = [self.run_cli(stack, *submit).stdout for _ in range(3)]
        self.assertEqual(len(set(ids)), 1)
        jobs = json.loads(stack.ridgeline("list", "-o", "json"))
        self.assertEqual(len(jobs["jobs"] if isinstance(jobs, dict) else jobs), 2)

    def test_ABadRecipeIsNeverQueued(self):
        stack = self.start(ranks=0)
        recipe = stack.folder / "bad.yaml"
        recipe.write_text(f"dataset: {{path: {stack.dataset}}}\ntraining:\n  stpes: 10\n  seq_len: many\n")
        done = self.run_cli(stack, "submit", "-f", recipe)
        self.assertEqual(done.returncode, 2)
        self.assertIn("bad.yaml:3:3", done.stderr)
        self.assertIn("steps", done.stderr)
        self.assertIn("bad.yaml:4:", done.stderr)
        jobs = json.loads(stack.ridgeline("list", "-o", "json"))
        self.assertEqual(len(jobs["jobs"] if isinstance(jobs, dict) else jobs), 0)

    def test_ASecondCoordinatorOnTheSameStateIsRefused(self):
        stack = self.start(ranks=0)
        second = subprocess.run([BIN / "ridgeline-coordinator", "--state", stack.folder / "state", "--listen",
                                 "127.0.0.1:0", "--metrics", "127.0.0.1:0"], capture_output=True, text=True, timeout=30)
        self.assertEqual(second.returncode, 1)
        self.assertIn("state", second.stderr)
        self.assertEqual(self.run_cli(stack, "status").returncode, 0)


if __name__ == "__main__":
    main()
