#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Models through the real programs: imported, looked at, scored, continued, exported, and read again."""
import json
import math
import os
import shutil
import struct
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from process_test import BIN, SOURCE, ProcessTest, main  # noqa: E402

PROMPT = "In the beginning God created the heaven and the earth. And the earth was without form, and void;"


class ModelTest(ProcessTest):
    """A model store of the test's own."""

    def setUp(self):
        super().setUp()
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("RIDGELINE_")}
        self.env["RIDGELINE_MODELS"] = str(self.folder / "models")

    def run_program(self, *arguments, code=0):
        command = [BIN / "ridgeline", *map(str, arguments)]
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=240)
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def json_of(self, *arguments):
        return json.loads(self.run_program(*arguments, "-o", "json").stdout)


class SmallModel(ModelTest):
    """A random GPT-2 with a tokenizer that fits it, as a Hugging Face folder."""

    def setUp(self):
        super().setUp()
        self.model = self.folder / "hf"
        shutil.copytree(SOURCE / "model/testdata/gpt2-like", self.model)
        words = [chr(c) for c in range(ord("a"), ord("z") + 1)] + [" ", ".", "\n"]
        text = self.folder / "letters.txt"
        text.write_text("".join(words) + "the small brown fox jumps over a lazy dog.\n" * 40)
        self.run_program("data", "prepare", "--text", text, "--out", self.folder / "letters")
        self.text = self.folder / "held_out.txt"
        self.text.write_text("the lazy fox jumps over a small dog.\n")

    def generate(self, *arguments, code=0):
        return self.run_program("generate", "--model", "small", "--tokenizer", self.folder / "letters",
                                "--prompt", "the fox ", "--max-new-tokens", "12", *arguments, code=code).stdout

    def import_small(self):
        return self.run_program("model", "import", self.model, "--name", "small")

    def test_WeightsThatAreNoNumbersAreNamedAndNothingIsMadeOfThem(self):
        weights = self.model / "model.safetensors"
        data = bytearray(weights.read_bytes())
        for bad in (math.nan, math.inf):
            data[-4:] = struct.pack("<f", bad)
            weights.write_bytes(data)
            out = self.folder / "out"
            for verb in (["eval", "--text", self.text, "--tokenizer", self.folder / "letters"],
                         ["generate", "--prompt", "the fox ", "--tokenizer", self.folder / "letters"],
                         ["export", "--out", out]):
                done = self.run_program(verb[0], "--model", self.model, *verb[1:], code=1)
                self.assertEqual(done.stdout, "")
                self.assertRegex(done.stderr, r"NONFINITE: .*hf/model.safetensors: 1 of the \d+ numbers of tensor "
                                 "'[a-z0-9_.]+'")
                self.assertFalse(out.exists())

    def test_ADamagedPackedModelIsAnErrorOfInspectThatNamesFileAndTensor(self):
        packed = self.folder / "packed"
        self.run_program("export", "--model", self.model, "--format", "packed", "--weight-format", "ternary", "--out",
                         packed)
        self.assertEqual(self.json_of("model", "inspect", packed)["packed"],
                         "weights ternary, inputs as it is, embedding as it is")
        weights = packed / "model.safetensors"
        data = bytearray(weights.read_bytes())
        header = struct.unpack("<Q", data[:8])[0]
        tensors = json.loads(data[8:8 + header])
        name = next(name for name in tensors if name.endswith(".codes"))
        data[8 + header + tensors[name]["data_offsets"][0]] = 255
        weights.write_bytes(data)
        for path in (packed, weights):
            done = self.run_program("model", "inspect", path, code=1)
            self.assertEqual(done.stdout, "")
            self.assertIn(f"{weights}: tensor '{name}': codes of row 0: ", done.stderr)

    def test_AnExportMayRoundInputsAndSaysSo(self):
        export = ["export", "--model", self.model, "--format", "packed", "--weight-format", "int4", "--block", "16"]
        losses = {}
        for inputs in ("none", "int8", "int2"):
            out = self.folder / inputs
            told = self.run_program(*export, "--activation-format", inputs, "--out", out).stdout
            self.assertEqual("inputs" in told, inputs != "none")
            self.assertIn("inputs as it is" if inputs == "none" else f"inputs {inputs}",
                          self.json_of("model", "inspect", out)["packed"])
            losses[inputs] = self.json_of("eval", "--model", out, "--text", self.text, "--tokenizer",
                                          self.folder / "letters")["loss"]
        self.assertEqual(len(set(losses.values())), 3, losses)
        self.assertLess(abs(losses["int8"] - losses["none"]), abs(losses["int2"] - losses["none"]))
        refused = self.run_program(*export, "--activation-format", "int9", "--out", self.folder / "no", code=2)
        self.assertIn("int8", refused.stderr)
        unpacked = self.run_program("export", "--model", self.model, "--activation-format", "int8", "--out",
                                    self.folder / "no", code=2)
        self.assertIn("--activation-format is for --format packed", unpacked.stderr)

    def test_AnImportedFolderIsListedAndInspected(self):
        self.import_small()
        self.assertEqual(self.run_program("model", "list", "-o", "name").stdout, "small\n")
        model = self.json_of("model", "inspect", "small")
        self.assertEqual((model["architecture"], model["format"]), ("gpt2", "safetensors"))
        self.assertEqual((model["vocab_size"], model["shape"]["layers"]), (61, 2))
        self.assertEqual(model["parameters"], sum(math.prod(t["shape"]) for t in model["tensors"]))
        self.assertEqual(self.run_program("model", "import", self.model, "--name", "small", code=6).stdout, "")

    def test_TheSeedDecidesAndTopOneIsGreedy(self):
        self.import_small()
        first = self.generate("--seed", "1")
        self.assertTrue(first.endswith("\n"))
        self.assertEqual(first, self.generate("--seed", "1"))
        self.assertNotEqual(first, self.generate("--seed", "2"))
        self.assertEqual(self.generate("--temperature", "0"), self.generate("--top-k", "1", "--seed", "7"))
        told = json.loads(self.generate("--temperature", "0", "-o", "json"))
        self.assertEqual(told["text"] + "\n", self.generate("--temperature", "0"))
        self.assertEqual((told["tokens"], told["prompt_tokens"], told["end"]), (12, 8, "length"))

    def test_EvalScoresEachTokenOnce(self):
        self.import_small()
        arguments = ("eval", "--model", "small", "--tokenizer", self.folder / "letters", "--text", self.text)
        whole = self.json_of(*arguments)
        self.assertEqual(set(whole), {"loss", "perplexity", "accuracy", "tokens"})
        self.assertEqual(whole["tokens"], len(self.text.read_text()) - 1)
        self.assertAlmostEqual(whole["perplexity"], math.exp(whole["loss"]), places=6)
        self.assertEqual(self.json_of(*arguments, "--seq-len", "5", "--batch", "2")["tokens"], whole["tokens"])
        scored = self.json_of("eval", "--model", "small", "--dataset", self.folder / "letters")
        self.assertGreater(scored["tokens"], 100)

    def test_AnExportScoresAsItsSource(self):
        out = self.folder / "exported"
        self.run_program("export", "--model", self.model, "--dtype", "f32", "--out", out)
        scored = [self.json_of("eval", "--model", m, "--dataset", self.folder / "letters") for m in (self.model, out)]
        self.assertEqual(scored[0], scored[1])
        self.run_program("export", "--model", self.model, "--out", out, code=6)

    def test_MistakesSayWhatIsWrong(self):
        latin_1 = self.folder / "latin-1.txt"
        latin_1.write_bytes("Gr\u00fc\u00dfe".encode("latin-1"))
        for code, words, arguments in [
                (3, "no model 'nothing'", ("generate", "--model", "nothing", "--prompt", "x")),
                (2, "--prompt", ("generate", "--model", self.model)),
                (2, "excludes", ("generate", "--model", self.model, "--prompt", "x", "--prompt-file", self.text)),
                (3, "--tokenizer", ("generate", "--model", self.model, "--prompt", "x")),
                (2, "--seq-len 99",
                 ("eval", "--model", self.model, "--dataset", self.folder / "letters", "--seq-len", "99")),
                (2, "UTF-8", ("eval", "--model", self.model, "--text", latin_1)),
                (1, "not plain text", ("eval", "--model", self.model, "--text", BIN / "ridgeline")),
                (2, "q4_0", ("export", "--model", self.model, "--dtype", "q4_0", "--out", self.folder / "x")),
                (1, "GGUF", ("model", "inspect", self.text)),
                (3, "neither a file", ("model", "import", self.folder / "none", "--name", "x")),
                (2, "what shall", ("model", "import", self.model))]:
            with self.subTest(words):
                self.assertIn(words, self.run_program(*arguments, code=code).stderr)


@unittest.skipUnless(os.environ.get("RIDGELINE_GEMMA3_270M"),
                     "RIDGELINE_GEMMA3_270M does not name the GGUF of Gemma 3 270M")
class Gemma3(ModelTest):
    """The weights that people use; their hash is part of the import."""

    def test_RealWeightsReproduceTransformersLossAndContinuation(self):
        self.run_program("model", "import", "gemma3-270m", "--from", os.environ["RIDGELINE_GEMMA3_270M"])
        done = self.run_program("generate", "--model", "gemma3-270m", "--prompt", PROMPT, "--max-new-tokens", "20",
                                "--temperature", "0")
        self.assertEqual(done.stdout, " and darkness was upon the face of the deep."
                                      " And the Spirit of God was hovering over the waters\n")
        text = self.folder / "prompt.txt"
        text.write_text(PROMPT)
        scored = self.json_of("eval", "--model", "gemma3-270m", "--text", text)
        self.assertAlmostEqual(scored["loss"], 1.3803, delta=2e-4)
        self.assertEqual(scored["tokens"], 21)


if __name__ == "__main__":
    main()
