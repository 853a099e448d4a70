#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Output that cannot be written: every verb that the program declares says so and fails, and a pipe whose reader went
away ends it without a word. Files named for output are replaced only if they are plain files."""
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from process_test import BIN, SOURCE, ProcessTest, main  # noqa: E402

LOST = "standard output cannot be written to"
# Verbs that have nothing to say on standard output when all is well.
SILENT = {"down"}


def all_verbs():
    """What the program itself declares: its completion script has a line for each verb and group of verbs."""
    script = subprocess.run([BIN / "ridgeline", "completion", "bash"], capture_output=True, text=True, check=True)
    verbs = re.findall(r'^ *"([a-z ]+)"\) words=', script.stdout, re.MULTILINE)
    return [verb for verb in verbs if not any(other.startswith(verb + " ") for other in verbs)]


class EveryVerb(ProcessTest):
    """A stack with a finished job, and for each verb a call that prints something."""

    def setUp(self):
        super().setUp()
        self.stack = self.start(ranks=1)
        self.env = dict(self.stack.env, RIDGELINE_MODELS=str(self.folder / "models"))
        self.model = self.folder / "hf"
        shutil.copytree(SOURCE / "model/testdata/gpt2-like", self.model)
        self.recipe = self.folder / "recipe.yaml"
        self.recipe.write_text(f"name: tiny\ndataset: {{path: {self.stack.dataset}}}\n"
                               "training: {steps: 2, seq_len: 16, global_batch_size: 2}\nvalidation: {interval: 1}\n"
                               "export: {weights: safetensors}\ncheckpoint: {interval: 1}\n")
        self.check(["submit", "-f", self.recipe, "--follow"])
        self.pki = self.folder / "pki"
        self.check(["admin", "cert", "ca", "--dir", self.pki])
        self.check(["admin", "token", "create", "t", "--role", "viewer"])

    def check(self, arguments, code=0):
        done = self.call(arguments, subprocess.PIPE)
        self.assertEqual(done.returncode, code, (arguments, done.stderr))
        return done.stdout

    def call(self, arguments, out, restore_signals=True):
        return subprocess.run([BIN / "ridgeline", *map(str, arguments)], env=self.env, stdout=out, text=True,
                              stderr=subprocess.PIPE, timeout=240, restore_signals=restore_signals)

    def calls(self):
        """For each verb what makes it print, after what has to be there first."""
        fresh = ["submit", "-f", self.recipe, "--set", "training.steps=100000", "--set", "checkpoint.interval=0",
                 "--name"]
        text = self.folder / "text.txt"
        text.write_text("bottles of beer on the wall\n" * 40)
        out = self.folder / "out"
        kept = self.folder / "kept"
        if not kept.exists():
            self.check(["admin", "backup", "--out", kept])
        create = ["admin", "token", "create", "t", "--role", "viewer"]
        revoke = ["admin", "token", "revoke", "t"]
        small = ["--model", self.model, "--tokenizer", self.stack.dataset]
        return {
            "up": ([], ["up"]),
            "down": ([], ["down"]),
            "status": ([], ["status"]),
            "submit": ([], ["submit", "-f", self.recipe, "--dry-run"]),
            "validate": ([], ["validate", "-f", self.recipe]),
            "explain": ([], ["explain"]),
            "plan": ([], ["plan", "-f", self.recipe]),
            "list": ([], ["list"]),
            "get": ([], ["get", "tiny"]),
            "watch": ([], ["watch", "tiny"]),
            "logs": ([], ["logs", "tiny"]),
            "wait": ([], ["wait", "tiny"]),
            "compare": ([], ["compare", "tiny"]),
            "artifact list": ([], ["artifact", "list", "tiny"]),
            "artifact pull": (["rm", out], ["artifact", "pull", "tiny", "--out", out]),
            "checkpoint list": ([], ["checkpoint", "list", "tiny"]),
            "checkpoint verify": ([], ["checkpoint", "verify", "tiny"]),
            "checkpoint pull": (["rm", out], ["checkpoint", "pull", "tiny", "--to", out]),
            "checkpoint gc": ([], ["checkpoint", "gc", "tiny", "-o", "json"]),
            "cancel": ([fresh + ["c"]], ["cancel", "c"]),
            "retry": ([fresh + ["r"], ["cancel", "r"], ["wait", "r", "--for", "terminal"]], ["retry", "r"]),
            "pause": ([fresh + ["p"]], ["pause", "p"]),
            "resume": ([fresh + ["q"], ["pause", "q"]], ["resume", "q"]),
            "priority": ([fresh + ["i"]], ["priority", "i", "-n", "-3"]),
            "label": ([fresh + ["l"]], ["label", "l", "--set", "a=b", "--remove", "c"]),
            "why": ([], ["why", "tiny"]),
            "queue list": ([], ["queue", "list"]),
            "queue set": ([], ["queue", "set", "large", "--weight", "2"]),
            "admin cert ca": (["rm", out], ["admin", "cert", "ca", "--dir", out]),
            "admin cert server": ([], ["admin", "cert", "server", "s", "--dir", self.pki, "--host", "localhost"]),
            "admin cert client": ([], ["admin", "cert", "client", "c", "--dir", self.pki]),
            "admin cert show": ([], ["admin", "cert", "show", self.pki / "ca.crt"]),
            "admin token create": ([revoke], create),
            "admin token list": ([], ["admin", "token", "list"]),
            "admin token rotate": ([revoke, create], ["admin", "token", "rotate", "t"]),
            "admin token revoke": ([], revoke),
            "admin audit": ([], ["admin", "audit"]),
            "worker drain": ([], ["worker", "drain", "local", "--undo"]),
            "data prepare": ([], ["data", "prepare", "--text", text, "--out", self.folder / "set"]),
            "data inspect": ([], ["data", "inspect", self.stack.dataset]),
            "data verify": ([], ["data", "verify", self.stack.dataset]),
            "model import": ([], ["model", "import", self.model, "--name", "m", "--force"]),
            "model list": ([], ["model", "list", "-o", "json"]),
            "model inspect": ([], ["model", "inspect", self.model]),
            "generate": ([], ["generate", *small, "--prompt", "bottles of ", "--max-new-tokens", "4"]),
            "eval": ([], ["eval", *small, "--text", text]),
            "export": (["rm", out], ["export", *small[:2], "--out", out]),
            "frontier list": ([], ["frontier", "list"]),
            "frontier export": ([], ["frontier", "export"]),
            "frontier plot": ([], ["frontier", "plot", "--out", self.folder / "f.svg"]),
            "frontier report": ([], ["frontier", "report", "--out", self.folder / "f.html"]),
            "worker list": ([], ["worker", "list"]),
            "admin backup": (["rm", out], ["admin", "backup", "--out", out]),
            "admin verify": ([], ["admin", "verify"]),
            "admin restore": ([], ["admin", "restore", "--from", kept, "--state", self.folder / "other"]),
            "doctor": ([], ["doctor"]),
            "completion": ([], ["completion", "bash"]),
            "version": ([], ["version"]),
        }

    def prepare(self, before):
        if before[:1] == ["rm"]:
            shutil.rmtree(before[1], ignore_errors=True)
            return
        for arguments in before:
            self.check(arguments)

    def test_EveryVerbSaysThatItsOutputIsLost(self):
        calls = self.calls()
        verbs = all_verbs()
        self.assertGreater(len(verbs), 25)
        # `down` last: the others need the stack.
        for verb in sorted(verbs, key=lambda verb: verb == "down"):
            with self.subTest(verb):
                self.assertIn(verb, calls, "a new verb: say in this test what makes it print")
                before, arguments = calls[verb]
                self.prepare(before)
                self.assertEqual(self.check(arguments) == "", verb in SILENT)
                if verb in SILENT:
                    continue
                self.prepare(before)
                with open("/dev/full", "w") as full:
                    done = self.call(arguments, full)
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn(LOST, done.stderr)
                self.assert_ends_quietly(before, arguments)

    def assert_ends_quietly(self, before, arguments):
        """Where nobody reads: as a shell expects, also if our parent ignores SIGPIPE (Python does)."""
        for restore_signals in (True, False):
            self.prepare(before)
            read, write = os.pipe()
            os.close(read)
            done = self.call(arguments, write, restore_signals)
            os.close(write)
            self.assertEqual(done.returncode, -signal.SIGPIPE, done.stderr)
            self.assertNotIn(LOST, done.stderr)
            self.assertNotIn("terminate", done.stderr)


class Help(unittest.TestCase):
    def test_EveryHelpSaysThatItIsLost(self):
        for verb in [""] + all_verbs():
            with self.subTest(verb), open("/dev/full", "w") as full:
                done = subprocess.run([BIN / "ridgeline", *verb.split(), "--help"], stdout=full, stderr=subprocess.PIPE,
                                      text=True, timeout=60)
                self.assertEqual(done.returncode, 1)
                self.assertIn(LOST, done.stderr)

    def test_AClosedStandardOutputOrErrorIsNoCrash(self):
        for redirect, code in ((">&-", 1), ("2>&-", 0), (">/dev/full 2>/dev/full", 1)):
            command = f"'{BIN}/ridgeline' explain {redirect}"
            self.assertEqual(subprocess.run(["bash", "-c", command], timeout=60, capture_output=True).returncode, code)
        # A message that cannot be written changes nothing.
        command = f"'{BIN}/ridgeline' explain no.such.key 2>/dev/full"
        self.assertEqual(subprocess.run(["bash", "-c", command], timeout=60).returncode, 3)


class OutputFiles(ProcessTest):
    """--out of verbs that write one file."""

    def setUp(self):
        super().setUp()
        self.stack = self.start(ranks=0)

    def export(self, out, code=0):
        done = self.run_cli(self.stack, "frontier", "export", "--out", out)
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def test_WhatIsNoPlainFileIsNotReplaced(self):
        link, target, fifo, folder = (self.folder / name for name in ("link", "target", "fifo", "folder"))
        target.write_text("old")
        link.symlink_to(target)
        self.export(link)
        self.assertTrue(link.is_symlink())
        header = target.read_text()
        self.assertTrue(header.startswith("point_id,"), header)

        os.mkfifo(fifo)
        read = []
        reader = threading.Thread(target=lambda: read.append(fifo.read_text()))
        reader.start()
        self.export(fifo)
        reader.join()
        self.assertEqual(read, [header])
        self.assertTrue(stat.S_ISFIFO(fifo.stat().st_mode))

        folder.mkdir()
        self.export(folder, code=2)
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(self.folder / "socket"))
        self.assertIn("socket", self.export(self.folder / "socket", code=2).stderr)
        self.assertTrue(stat.S_ISSOCK((self.folder / "socket").stat().st_mode))
        server.close()

    def test_ADeviceIsWrittenThrough(self):
        try:  # A node of our own, never the machine's.
            os.mknod(self.folder / "full", stat.S_IFCHR | 0o666, os.makedev(1, 7))
        except PermissionError:
            self.skipTest("only root makes device nodes")
        self.assertIn("No space left", self.export(self.folder / "full", code=7).stderr)
        self.assertTrue(stat.S_ISCHR((self.folder / "full").stat().st_mode))


if __name__ == "__main__":
    main()
