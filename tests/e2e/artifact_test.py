#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a finished job leaves: its model, listed, pulled and read by the verbs for models; or nothing."""
import json
import os
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from process_test import ProcessTest, main  # noqa: E402

EXPORT = "export: {weights: safetensors}\n"


class Artifact(ProcessTest):
    def finished(self, stack, name, more):
        job = stack.submit(name, steps=20, more=more)
        done = self.run_cli(stack, "wait", job)
        self.assertEqual(done.returncode, 0, done.stderr)
        return job

    def artifacts(self, stack, job):
        return json.loads(stack.ridgeline("artifact", "list", job, "-o", "json"))["artifacts"]

    def refused(self, code, *words, stack, job, out):
        """A pull that fails, says why, and leaves nothing behind."""
        done = self.run_cli(stack, "artifact", "pull", job, "--out", out)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertFalse(os.path.lexists(out))
        self.assertEqual(list(Path(out).parent.glob(Path(out).name + ".partial*")), [])

    def test_AFinishedJobsModelIsListedPulledAndRead(self):
        stack = self.start(ranks=2)
        job = self.finished(stack, "with-model", EXPORT)
        listed = self.artifacts(stack, job)
        self.assertEqual([(a["name"], a["job_id"], a["path"]) for a in listed],
                         [("model", job, f"jobs/{job}/artifacts/model")])
        self.assertIn("model", stack.ridgeline("artifact", "list", job))
        out = self.folder / "pulled"
        stack.ridgeline("artifact", "pull", job, "--out", str(out))
        self.assertEqual({f.name for f in out.iterdir()}, {f["name"] for f in listed[0]["files"]})
        self.assertEqual(json.loads((out / "config.json").read_text())["model_type"], "gpt2")
        self.assertEqual(self.run_cli(stack, "artifact", "pull", job, "--out", out).returncode, 6)

        continued = stack.ridgeline("generate", "--model", str(out), "--prompt", "99 bottles", "--max-new-tokens", "8",
                                    "--temperature", "0")
        self.assertEqual(len(continued.rstrip("\n")), 8)
        scored = json.loads(stack.ridgeline("eval", "--model", str(out), "--dataset", str(stack.dataset), "--seq-len",
                                            "32", "-o", "json"))
        # The job's own figure has quantized activations; this one has not.
        self.assertAlmostEqual(scored["loss"], self.final_numbers(stack, job)[0], delta=0.5)
        # A recipe starts from it too.
        again = stack.submit("again", steps=20, more=f"model: {{path: {out}}}\n" + EXPORT, model=False)
        self.assertEqual(self.run_cli(stack, "wait", again).returncode, 0)
        self.assertEqual(len(self.artifacts(stack, again)), 1)

    def test_WhatIsNotAsTheWorkerWroteItIsRefused(self):
        stack = self.start(ranks=1)
        job = self.finished(stack, "with-model", EXPORT)
        artifact = self.artifacts(stack, job)[0]
        folder = Path(artifact["work_dir"]) / artifact["path"]
        out = self.folder / "pulled"
        weights = folder / "model.safetensors"
        kept = weights.read_bytes()
        weights.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
        self.refused(1, "not what the worker wrote", stack=stack, job=job, out=out)
        weights.unlink()
        self.refused(3, "model.safetensors", stack=stack, job=job, out=out)
        elsewhere = self.folder / "elsewhere"
        elsewhere.write_bytes(kept)
        weights.symlink_to(elsewhere)
        self.refused(2, "symbolic link", stack=stack, job=job, out=out)
        weights.unlink()
        weights.write_bytes(kept)
        folder.rename(self.folder / "moved")
        folder.symlink_to(self.folder / "moved")
        self.refused(2, "symbolic link", stack=stack, job=job, out=out)
        shutil.rmtree(artifact["work_dir"])
        self.refused(3, "cannot be reached from this machine", "--work-dir", stack=stack, job=job, out=out)

    def test_AWorkFolderThatLiesElsewhereIsNamed(self):
        stack = self.start(ranks=1)
        job = self.finished(stack, "with-model", EXPORT)
        work_dir = Path(self.artifacts(stack, job)[0]["work_dir"])
        work_dir.rename(self.folder / "mounted")
        out = self.folder / "pulled"
        stack.ridgeline("artifact", "pull", job, "model", "--out", str(out), "--work-dir", str(self.folder / "mounted"))
        self.assertTrue((out / "model.safetensors").exists())

    def test_AJobThatWantsNoneLeavesNone(self):
        stack = self.start(ranks=1)
        job = self.finished(stack, "no-point", "export: {frontier: false}\n")
        self.assertEqual(self.artifacts(stack, job), [])
        self.assertEqual(json.loads(stack.ridgeline("frontier", "list", "-o", "json")).get("points", []), [])
        self.refused(3, "export.weights: none", stack=stack, job=job, out=self.folder / "pulled")


if __name__ == "__main__":
    main()
