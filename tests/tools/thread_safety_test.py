#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/thread_safety.py finds a field that is read without its lock, and says nothing of one that is not."""
import json
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from process_test import SOURCE, main  # noqa: E402

COUNTER = """// SPDX-License-Identifier: Apache-2.0
#include "absl/synchronization/mutex.h"

class Counter {
 public:
  int Value() {
    %s
    return value_;
  }

 private:
  absl::Mutex mutex_;
  int value_ ABSL_GUARDED_BY(mutex_) = 0;
};

int Read(Counter& counter) { return counter.Value(); }
"""


class ThreadSafetyTest(unittest.TestCase):
    def setUp(self):
        self.tree = Path(tempfile.mkdtemp(prefix="thread_safety"))
        self.addCleanup(shutil.rmtree, self.tree)
        (self.tree / "tools").mkdir()
        shutil.copy(SOURCE / "tools" / "thread_safety.py", self.tree / "tools")

    def look(self, body, compiled=True):
        (self.tree / "counter.cc").write_text(COUNTER % body, encoding="utf-8")
        command = f"c++ -std=c++20 -o counter.o -c {self.tree}/counter.cc"
        entry = {"directory": str(self.tree), "command": command, "file": str(self.tree / "counter.cc")}
        (self.tree / "compile_commands.json").write_text(json.dumps([entry] if compiled else []), encoding="utf-8")
        for git in (["init", "-q"], ["add", "-A"]):
            subprocess.run(["git", *git], cwd=self.tree, check=True)
        return subprocess.run([self.tree / "tools" / "thread_safety.py", self.tree], capture_output=True, text=True,
                              timeout=120, check=False)

    def test_a_field_that_is_read_under_its_lock_passes(self):
        done = self.look("absl::MutexLock lock(&mutex_);")
        self.assertEqual((done.returncode, done.stdout), (0, "thread_safety: 1 sources, 0 with faults\n"), done.stderr)

    def test_a_field_that_is_read_without_its_lock_is_found(self):
        done = self.look("")
        self.assertEqual(done.returncode, 1)
        self.assertIn("counter.cc:8", done.stderr)
        self.assertIn("requires holding mutex 'mutex_'", done.stderr)

    def test_a_source_that_the_build_does_not_know_is_named(self):
        done = self.look("", compiled=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("counter.cc", done.stderr)


if __name__ == "__main__":
    main()
