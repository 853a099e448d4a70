#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Files that are not what they are taken for, given to every verb that opens foreign files: each says which file, what
it is, and what to do; none computes with it."""
import json
import os
import shutil
import struct
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from process_test import BIN, SOURCE, ProcessTest, main  # noqa: E402

MODEL = SOURCE / "model/testdata/gemma3-270m-like"
TOKENIZER = SOURCE / "data/testdata/small_bpe/tokenizer.json"
LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 241410208\n"

# What is in the file, and what messages call it.
KINDS = {
    "pointer": (LFS_POINTER, "a Git LFS pointer"),
    "page": (b"<!DOCTYPE html><html><body>Not found</body></html>", "an HTML page"),
    "empty": (b"", "an empty file"),
    "ggml": (b"tjgg\3\0\0\0" + bytes(32), "a GGML file"),
    "zip": (b"PK\3\4" + bytes(32), "a zip archive"),
    "gzip": (b"\x1f\x8b\x08" + bytes(32), "compressed by gzip"),
}


def read_tensors(path):
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    return {name: (entry["dtype"], entry["shape"], data[8 + size:][slice(*entry["data_offsets"])])
            for name, entry in header.items()}


def write_tensors(path, tensors):
    header, data = {}, b""
    for name, (dtype, shape, content) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


class ForeignFilesTest(ProcessTest):
    """A model that is sound, whose copies the tests change."""

    def setUp(self):
        super().setUp()
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("RIDGELINE_")}
        self.env["RIDGELINE_MODELS"] = str(self.folder / "models")
        self.text = self.folder / "text.txt"
        self.text.write_text("in the beginning was the word\n" * 20)
        self.model = self.folder / "model"
        shutil.copytree(MODEL, self.model)

    def call(self, *arguments):
        return subprocess.run([BIN / "ridgeline", *map(str, arguments)], env=self.env, capture_output=True, text=True,
                              timeout=240)

    def verbs_with(self, model):
        """Every verb that computes, or plans to, with a model."""
        recipe = self.folder / "recipe.yaml"
        recipe.write_text(f"name: x\nmodel: {{path: {model}}}\ndataset: {{path: {self.folder / 'none'}}}\n"
                          "training: {steps: 2, seq_len: 8}\n")
        return {
            "eval": self.call("eval", "--model", model, "--text", self.text, "--tokenizer", TOKENIZER),
            "generate": self.call("generate", "--model", model, "--prompt", "a", "--tokenizer", TOKENIZER),
            "export": self.call("export", "--model", model, "--format", "safetensors", "--out", self.folder / "out"),
            "plan": self.call("plan", "-f", recipe),
            "submit": self.call("submit", "-f", recipe, "--dry-run"),
        }

    def assert_refused(self, done, *words):
        self.assertNotEqual(done.returncode, 0, done.stdout)
        for word in words:
            self.assertIn(word, done.stderr)

    def change_config(self, **changes):
        config = json.loads((MODEL / "config.json").read_text())
        config.update(changes)
        (self.model / "config.json").write_text(json.dumps(config))

    def test_EveryVerbNamesTheKindOfAFileThatIsNoModel(self):
        for name, (content, what) in KINDS.items():
            path = self.folder / f"{name}.gguf"
            path.write_bytes(content)
            calls = self.verbs_with(path)
            calls["inspect"] = self.call("model", "inspect", path)
            calls["import"] = self.call("model", "import", path, "--name", name)
            for verb, done in calls.items():
                with self.subTest(kind=name, verb=verb):
                    self.assert_refused(done, f"{path}: this is {what}")

    def test_EveryReaderOfTextAndTokenizersNamesTheKind(self):
        for name, (content, what) in KINDS.items():
            path = self.folder / name
            path.write_bytes(content)
            calls = {"tokenizer": self.call("data", "prepare", "--text", self.text, "--tokenizer", path,
                                            "--out", self.folder / "set")}
            if name not in ("page", "empty"):  # A page may be a corpus; an empty one has words of its own.
                calls["text"] = self.call("data", "prepare", "--text", path, "--out", self.folder / "set")
                calls["eval"] = self.call("eval", "--model", self.model, "--text", path, "--tokenizer", TOKENIZER)
            for verb, done in calls.items():
                with self.subTest(kind=name, verb=verb):
                    self.assert_refused(done, f"{path}: this is {what}")

    def test_WhatChangesTheResultAndIsNotUnderstoodIsRefusedByEveryVerb(self):
        tensors = read_tensors(MODEL / "model.safetensors")
        weight = "model.layers.0.mlp.up_proj.weight"
        dtype, shape, content = tensors[weight]
        changes = {
            "quantization_config": lambda: self.change_config(quantization_config={"quant_method": "gptq"}),
            "rope_scaling": lambda: self.change_config(rope_parameters=None,
                                                       rope_scaling={"type": "yarn", "factor": 8}),
            "some_key": lambda: self.change_config(some_key=3),
            "belongs to layer 5": lambda: self.change_config(num_hidden_layers=5, layer_types=None),
            f"'{weight}': is I8": lambda: write_tensors(self.model / "model.safetensors", tensors | {
                weight: ("I8", shape, content[:len(content) // 4])}),
            "is an output matrix of its own": lambda: write_tensors(self.model / "model.safetensors", tensors | {
                "lm_head.weight": ("F32", [61, 16], bytes(61 * 16 * 4))}),
        }
        for word, change in changes.items():
            shutil.copytree(MODEL, self.model, dirs_exist_ok=True)
            change()
            for verb, done in self.verbs_with(self.model).items():
                with self.subTest(change=word, verb=verb):
                    self.assert_refused(done, str(self.model), word)

    def test_ADatasetOfAnotherTokenizerIsRefused(self):
        shutil.copy(TOKENIZER, self.model / "tokenizer.json")
        own, other = self.folder / "own", self.folder / "other"
        for out, tokenizer in ((own, TOKENIZER), (other, "char")):
            done = self.call("data", "prepare", "--text", self.text, "--tokenizer", tokenizer, "--out", out)
            self.assertEqual(done.returncode, 0, done.stderr)
        done = self.call("eval", "--model", self.model, "--dataset", other)
        self.assert_refused(done, f"{other} was prepared with another tokenizer", "data prepare --tokenizer")
        # The same tokenizer is none of another kind; that this model has fewer tokens is said as before.
        self.assert_refused(self.call("eval", "--model", self.model, "--dataset", own), "the model has 61")

    def test_AByteOrderMarkIsSkippedAndSaid(self):
        self.text.write_bytes(b"\xef\xbb\xbf" + self.text.read_bytes())
        done = self.call("data", "prepare", "--text", self.text, "--out", self.folder / "set")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("begins with a byte order mark, which is left out", done.stderr)
        config = (MODEL / "config.json").read_bytes()
        (self.model / "config.json").write_bytes(b"\xef\xbb\xbf" + config.rstrip()[:-1] + b', "some_cap": Infinity}')
        done = self.call("export", "--model", self.model, "--format", "safetensors", "--out", self.folder / "out")
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    main()
