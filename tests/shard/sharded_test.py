#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ranks that share a model train it as one rank does: real MPI ranks, with training.deterministic."""
import json
import os
import re
import signal
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from process_test import SOURCE, ProcessTest, main  # noqa: E402
from tensor_files import copy_safetensors, largest_difference, read_checkpoint, read_safetensors  # noqa: E402
from training_runs import Run, group_of, losses_of, relative_difference, submit_cases, train  # noqa: E402

TOLERANCE = 1e-5

SHARED = {"parallelism.shard_degree": 0}
WHOLE = {"parallelism.shard_degree": 1}
IN_PAIRS = {"parallelism.shard_degree": 2}

# {ranks: {name: keys}}
WAYS = {1: {"alone": WHOLE}, 2: {"shared": SHARED, "whole": WHOLE}, 3: {"shared": SHARED, "whole": WHOLE},
        4: {"shared": SHARED, "in-pairs": IN_PAIRS, "whole": WHOLE}}

FORMATS = ("int2", "int1", "int4", "ternary", "int8")


class Sharded(ProcessTest):
    def recipe(self, stack, steps=50, **sections):
        """gpt-nano on few and short sequences."""
        recipe = {"model": {"name": "gpt-nano"}, "dataset": {"path": str(stack.dataset)},
                  "training": {"seq_len": 16, "global_batch_size": 4, "steps": steps, "deterministic": True},
                  "lr_scheduler": {"warmup_steps": 5}, "checkpoint": {"interval": 10, "keep_latest": 1},
                  "validation": {"interval": 25, "sequences": 4}, "export": {"weights": "safetensors"}}
        for name, keys in sections.items():
            recipe[name] = {**recipe.get(name, {}), **keys}
        return recipe

    def assert_same(self, runs, alone):
        """Losses of all steps, the held-out loss, and numbers of the last checkpoint and of the exported model."""
        expected = self.tensors(alone)
        for name, run in runs.items():
            with self.subTest(run=name):
                self.assertGreater(len(run.losses), 1)
                self.assertLess(relative_difference(run, alone), TOLERANCE)
                difference, tensor = largest_difference(self.tensors(run), expected)
                self.assertLess(difference, TOLERANCE, tensor)

    def tensors(self, run):
        """Of its last checkpoint and of the model that it exported."""
        exported = read_safetensors(run.folder / "artifacts" / "model" / "model.safetensors")
        return {**read_checkpoint(run.checkpoint()), **{f"exported.{name}": kept for name, kept in exported.items()}}

    def train_in_all_ways(self, stack, name, recipe, cases):
        """{case: (the run on one rank, {way: run})}"""
        by_case = {case: {} for case in cases}
        for ranks, ways in WAYS.items():
            together = {f"{case}.{way}": {**keys, **sharing} for case, keys in cases.items()
                        for way, sharing in ways.items()}
            for both, run in train(stack, ranks, name, recipe, together).items():
                case, way = both.split(".")
                by_case[case][f"{ranks}-{way}"] = run
        return {case: (runs.pop("1-alone"), runs) for case, runs in by_case.items()}

    def first_formats(self, stack, estimator):
        """The keys that give each tensor which the estimator is defined for the first format that it accepts."""
        path = stack.folder / "recipe.json"
        path.write_text(json.dumps({"name": estimator, **self.recipe(stack)}), encoding="utf-8")
        keys = {}
        for tensor in ("quant.weight", "quant.activation"):
            for code in FORMATS:
                tried = {f"{tensor}.estimator": estimator, f"{tensor}.format": code}
                flags = [word for key, value in tried.items() for word in ("--set", f"{key}={value}")]
                if self.run_cli(stack, "validate", "-f", path, *flags).returncode == 0:
                    keys |= tried
                    break
        return keys

    def test_EveryEstimatorIsTheSameOnThreeRanksThatShareTheModel(self):
        stack = self.start(ranks=0)
        told = stack.ridgeline("explain", "quant.estimator")
        estimators = re.search(r"one of: none, (.*)", told)[1].split(", ")
        self.assertGreater(len(estimators), 10, told)
        cases = {"none": {}, **{name: self.first_formats(stack, name) for name in estimators}}
        self.assertEqual([name for name, keys in cases.items() if not keys], ["none"])
        recipe = self.recipe(stack, parallelism={"shard_degree": 0})
        alone, shared = (train(stack, ranks, "estimators", recipe, cases) for ranks in (1, 3))
        for name in cases:
            self.assert_same({name: shared[name]}, alone[name])

    def test_EveryWayToShareIsTheSameOnOneToFourRanks(self):
        stack = self.start(ranks=0)
        cases = {"ridge-trust": {"quant.weight.format": "int2", "quant.activation.format": "int4"},
                 "lsq": {"quant.estimator": "lsq", "quant.weight.format": "int4", "quant.activation.format": "int4"}}
        for alone, runs in self.train_in_all_ways(stack, "ways", self.recipe(stack), cases).values():
            self.assertEqual(len(runs), 7)
            self.assert_same(runs, alone)

    def test_AGemmaWhoseVocabularyDoesNotDivideIsTheSame(self):
        stack = self.start(ranks=0)
        model, vocabulary = self.first_layers(SOURCE / "model" / "testdata" / "gemma3-270m-like", 2)
        self.assertTrue(all(vocabulary % ranks for ranks in (2, 3, 4)), vocabulary)
        recipe = self.recipe(stack, steps=20, quant={"weight": {"format": "int4", "block": 8},
                                                     "activation": {"format": "int8", "block": 8}})
        recipe["model"] = {"path": str(model)}
        ((alone, runs),) = self.train_in_all_ways(stack, "gemma", recipe, {"gemma": {}}).values()
        self.assert_same(runs, alone)

    def first_layers(self, folder, layers):
        """A copy of a Gemma with only its first layers, and the size of its vocabulary."""
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        config |= {"num_hidden_layers": layers, "layer_types": config["layer_types"][:layers]}
        out = self.folder / "gemma"
        out.mkdir()
        (out / "config.json").write_text(json.dumps(config), encoding="utf-8")
        copy_safetensors(folder / "model.safetensors", out / "model.safetensors",
                         lambda name: int((re.search(r"layers\.(\d+)\.", name) or [0, -1])[1]) < layers)
        return out, config["vocab_size"]

    def test_WhatElseAStepDoesIsTheSameOnThreeRanksThatShareTheModel(self):
        stack = self.start(ranks=0)
        recipe = self.recipe(stack, parallelism={"shard_degree": 0}, quant={"weight": {"format": "int2"}})
        cases = {
            "accumulation": {"training.global_batch_size": 7},
            "fewer-sequences-than-ranks": {"training.global_batch_size": 2},
            "sparsity-schedule": {"quant.weight.scheme": "linear", "sparsity.pattern": "1:4",
                                  "sparsity.schedule": "linear", "sparsity.schedule_steps": 20},
            "activation-checkpoint": {"activation_checkpoint.mode": "full"},
            "bfloat16": {"training.dtype": "bfloat16"}}
        alone, shared = (train(stack, ranks, "features", recipe, cases) for ranks in (1, 3))
        for name in cases:
            self.assert_same({name: shared[name]}, alone[name])

    def test_MoreRanksThanRowsAreTheSame(self):
        stack = self.start(ranks=0)
        recipe = self.recipe(stack, steps=20, model={"name": "gpt", "n_layers": 1, "dim": 8, "n_heads": 1},
                             parallelism={"shard_degree": 0})
        cases = {"plain": {}, "blocks": {"quant.weight.format": "int2", "quant.weight.block": 8},
                 "tensor": {"quant.weight.format": "int2", "quant.weight.granularity": "tensor"},
                 "more-sequences": {"training.global_batch_size": 17}}
        alone, shared = (train(stack, ranks, "rows", recipe, cases) for ranks in (1, 9))
        for name in cases:
            self.assert_same({name: shared[name]}, alone[name])

    def test_LearningFromATeacherIsTheSameOnThreeRanksThatShareTheModel(self):
        stack = self.start(ranks=0)
        recipe = self.recipe(stack, parallelism={"shard_degree": 0}, quant={"weight": {"format": "int4", "block": 8}})
        recipe["model"] = {"path": str(SOURCE / "model" / "testdata" / "gemma3-270m-like")}
        cases = {"distill": {"training.distill.weight": 0.5}}
        alone, shared = (train(stack, ranks, "teacher", recipe, cases)["distill"] for ranks in (1, 3))
        self.assert_same({"distill": shared}, alone)

    def test_TheSameRunLeavesTheSameBytesAgain(self):
        stack = self.start(ranks=0)
        recipe = self.recipe(stack, steps=20, parallelism={"shard_degree": 0},
                             quant={"weight": {"format": "int2"}, "activation": {"format": "int4"}})
        first, second = train(stack, 3, "again", recipe, {"first": {}, "second": {}}).values()
        self.assertEqual((first.losses, first.held_out), (second.losses, second.held_out))
        self.assertEqual(first.artifact_files(), second.artifact_files())
        self.assertEqual(read_checkpoint(first.checkpoint()), read_checkpoint(second.checkpoint()))

    def test_PackedFilesAreTheSameBytes(self):
        stack = self.start(ranks=0)
        recipe = self.recipe(stack, steps=20, model={"name": "gpt", "n_layers": 2, "dim": 32, "n_heads": 2},
                             export={"weights": "packed"})
        dense = {"quant.weight.format": "int1", "quant.weight.block": 32, "quant.activation.format": "int4"}
        cases = {"dense": dense, "row-scales": {"quant.weight.estimator": "paretoq", "quant.weight.format": "int2"},
                 "pruned": {**dense, "quant.weight.scheme": "linear", "sparsity.pattern": "2:4"}}
        for alone, runs in self.train_in_all_ways(stack, "packed", recipe, cases).values():
            for run in runs.values():
                self.assertEqual(run.artifact_files(), alone.artifact_files())


class Interrupted(ProcessTest):
    """A rank of three that share the model stops or dies in a step: the job goes on and ends as if none had."""

    STEPS = 200

    def recipe(self, stack):
        return {"model": {"name": "gpt", "n_layers": 2, "dim": 32, "n_heads": 2},
                "dataset": {"path": str(stack.dataset)},
                "training": {"seq_len": 32, "global_batch_size": 3, "steps": self.STEPS, "deterministic": True},
                "parallelism": {"shard_degree": 0}, "quant": {"weight": {"format": "int2"}},
                "checkpoint": {"interval": 20}, "validation": {"interval": 0, "sequences": 4},
                "recovery": {"hang_timeout": 10}}

    def assert_survives(self, send, ranks_after, *words):
        """The signal to rank 1 in the midst of training, which goes on with so many ranks. The words are those of the
        lost attempt's end."""
        stack = self.start(ranks=0)
        whole = train(stack, 3, "whole", self.recipe(stack), {"whole": {}})["whole"]
        with group_of(stack, 3, name="broken") as (group, work):
            (job,) = submit_cases(stack, "job", self.recipe(stack), {"job": {}}).values()
            stack.wait_for(job, lambda j: int(j.get("progress", {}).get("step", 0)) >= 50, "fifty steps")
            os.kill(stack.ranks_of()[1], send)
            self.assertNotEqual(group.wait(timeout=240), 0)
        lost = stack.wait_for(job, lambda j: j["state"] == "QUEUED", "the queue", 240)["attempts"][0]
        for word in words:
            self.assertIn(word, lost["detail"])
        with group_of(stack, ranks_after, name="after", work=work):
            done = self.run_cli(stack, "wait", job)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(stack.ridgeline("logs", job), "starts at step [1-9]")
        return Run(job, *losses_of(stack, job), work / "jobs" / job), whole

    def test_AStoppedRankIsNamedAndTheJobEndsAsIfItHadNot(self):
        run, whole = self.assert_survives(signal.SIGSTOP, 3, "HUNG", "rank 1 does not answer", "collective '")
        self.assertEqual((run.losses, run.held_out), (whole.losses, whole.held_out))
        self.assertEqual(read_checkpoint(run.checkpoint()), read_checkpoint(whole.checkpoint()))

    def test_AKilledRanksJobGoesOnWithFewerAndEndsAsIfItHadNotDied(self):
        run, whole = self.assert_survives(signal.SIGKILL, 2)
        self.assertLess(relative_difference(run, whole), TOLERANCE)
        difference, tensor = largest_difference(read_checkpoint(run.checkpoint()), read_checkpoint(whole.checkpoint()))
        self.assertLess(difference, TOLERANCE, tensor)


if __name__ == "__main__":
    main()
