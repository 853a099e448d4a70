#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/check_tree.sh refuses what it says it refuses: each kind of fault is planted in a copy of the tree."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from process_test import SOURCE, main  # noqa: E402

LICENCE = "// SPDX-License-Identifier: Apache-2.0\n"


def run(command, folder):
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


class CheckTreeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tree = tempfile.mkdtemp(prefix="check_tree")
        listed = run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], SOURCE)
        if listed.returncode != 0:
            raise unittest.SkipTest("no git checkout: " + listed.stderr.strip())
        for path in listed.stdout.splitlines():
            if not os.path.isfile(os.path.join(SOURCE, path)):
                continue
            os.makedirs(os.path.join(cls.tree, os.path.dirname(path)), exist_ok=True)
            shutil.copy(os.path.join(SOURCE, path), os.path.join(cls.tree, path))
        run(["git", "init", "-q"], cls.tree)
        run(["git", "add", "-A"], cls.tree)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.tree)

    def check(self):
        return run(["tools/check_tree.sh"], self.tree)

    def complaint_about(self, path, content):
        """What the check says of the tree with this file, which it has to refuse."""
        said = self.problems_of(path, content)
        self.assertNotEqual(said, "")
        return said

    def problems_of(self, path, content):
        """What the check says of the tree with this file, which is then removed again; empty where it passes."""
        whole = os.path.join(self.tree, path)
        self.assertFalse(os.path.exists(whole), path)
        folder = os.path.dirname(whole)
        is_new = not os.path.isdir(folder)
        os.makedirs(folder, exist_ok=True)
        with open(whole, "w", encoding="utf-8") as file:
            file.write(content)
        run(["git", "add", path], self.tree)
        try:
            checked = self.check()
        finally:
            run(["git", "rm", "-qf", path], self.tree)
            if is_new:
                shutil.rmtree(folder, ignore_errors=True)
        self.assertEqual(checked.returncode, 1 if checked.stderr else 0, checked.stdout + checked.stderr)
        return checked.stderr

    def complaint_about_table(self, line, instead):
        """What the check says where one line of its table is another."""
        script = os.path.join(self.tree, "tools/check_tree.sh")
        with open(script, encoding="utf-8") as file:
            before = file.read()
        self.assertEqual(before.count(line), 1, line)
        try:
            with open(script, "w", encoding="utf-8") as file:
                file.write(before.replace(line, instead))
            checked = self.check()
        finally:
            with open(script, "w", encoding="utf-8") as file:
                file.write(before)
        self.assertEqual(checked.returncode, 1, checked.stdout + checked.stderr)
        return checked.stderr

    def test_the_tree_as_it_is_passes(self):
        checked = self.check()
        self.assertEqual(checked.returncode, 0, checked.stderr)

    def test_an_include_of_another_room_against_the_arrows_is_refused(self):
        said = self.complaint_about("weights/planted.cc", LICENCE + '#include "model/gpt.h"\n')
        self.assertIn("weights/planted.cc:2: weights may not include from model (allowed: common)", said)

    def test_an_include_inside_a_room_against_the_arrows_is_refused(self):
        for path, include, arrow in [
            ("coordinator/state/planted.h", "coordinator/rpc/x.h",
             "coordinator/state may not include from coordinator/rpc"),
            ("coordinator/control/planted.cc", "coordinator/rpc/x.h",
             "coordinator/control may not include from coordinator/rpc"),
            ("comm/planted.cc", "worker/train/x.h", "comm may not include from worker/train"),
            ("comm/planted.h", "comm/mpi/x.h", "comm may not include from comm/mpi"),
            ("comm/threads/planted.h", "comm/mpi/x.h", "comm/threads may not include from comm/mpi"),
            ("weights/planted.h", "comm/mpi/x.h", "weights may not include from comm/mpi"),
            ("worker/parallel/planted.h", "worker/train/x.h", "worker/parallel may not include from worker/train"),
            ("quant/kernels/planted.h", "quant/autograd/x.h", "quant/kernels may not include from quant/autograd"),
            ("model/kernels/planted.cc", "model/layers.h", "model/kernels may not include from model"),
        ]:
            with self.subTest(path):
                self.assertIn(arrow, self.complaint_about(path, LICENCE + f'#include "{include}"\n'))

    def test_generated_headers_of_the_schema_are_for_rooms_that_may_know_it(self):
        said = self.complaint_about("weights/planted.h", LICENCE + '#include "ridgeline/v1/recipe.pb.h"\n')
        self.assertIn("weights may not include from proto", said)

    def test_spaces_and_angle_brackets_do_not_hide_an_include(self):
        for line in ['  #  include   "model/gpt.h"', "#include <model/gpt.h>"]:
            with self.subTest(line):
                said = self.complaint_about("weights/planted.cc", LICENCE + line + "\n")
                self.assertIn("weights may not include from model", said)

    def test_an_include_that_does_not_say_its_room_is_refused(self):
        for name in ["gguf.h", "../model/gpt.h"]:
            with self.subTest(name):
                said = self.complaint_about("weights/planted.cc", LICENCE + f'#include "{name}"\n')
                self.assertIn(f"say {name} from the root", said)

    def test_a_test_may_use_the_rooms_that_make_its_input_and_no_others(self):
        said = self.complaint_about("data/planted_test.cc", LICENCE + '#include "recipes/recipe_reader.h"\n')
        self.assertIn("data may not include from recipes", said)

    def test_what_people_read_is_printed_in_one_way(self):
        for line in ['void f() { fmt::print("x"); }', 'void f() { std::cout << "x"; }']:
            with self.subTest(line):
                said = self.complaint_about("cli/verbs/planted.cc", LICENCE + line + "\n")
                self.assertIn("cli/verbs/planted.cc:2: print through common/print.h", said)

    def test_a_folder_with_sources_needs_a_line_in_the_table(self):
        for path in ["newroom/planted.h", "quant/newroom/planted.cc"]:
            with self.subTest(path):
                self.assertIn(os.path.dirname(path) + ": has sources and no line", self.complaint_about(path, LICENCE))

    def test_arrows_that_lead_round_are_refused(self):
        said = self.complaint_about_table('[common]=""', '[common]="weights"')
        self.assertRegex(said, "lead round: .*weights")
        said = self.complaint_about_table('[coordinator/state]="proto', '[coordinator/state]="coordinator/rpc proto')
        self.assertRegex(said, "lead round: .*coordinator/state")

    def test_an_arrow_to_a_room_without_a_line_is_refused(self):
        self.assertIn("no line for nowhere", self.complaint_about_table('[frontier]="', '[frontier]="nowhere '))

    def test_a_heading_that_is_not_there_cannot_be_cited(self):
        for path, line, said in [
            ("common/planted.cc", "// As docs/methods.md#quest says, and docs/methods.md#qwest.\n",
             "common/planted.cc:2: there is no heading docs/methods.md#qwest"),
            ("common/planted.h", "// docs/nowhere.md#terms\n", "there is no heading docs/nowhere.md#terms"),
        ]:
            with self.subTest(line):
                complaint = self.complaint_about(path, LICENCE + line)
                self.assertIn(said, complaint)
                self.assertEqual(complaint.count("there is no heading"), 1, complaint)

    def test_sections_by_number_cannot_be_cited(self):
        for line in ["// METHODS A7: the grid.\n", "// As DESIGN, section 1, has it.\n", "# METHODS 0.3\n"]:
            with self.subTest(line):
                self.assertIn("a section by its number", self.complaint_about("common/planted.cc", LICENCE + line))

    def test_a_file_without_a_licence_line_is_refused(self):
        for content in ["int x;\n", ""]:
            self.assertIn("planted.cc: no SPDX line", self.complaint_about("common/planted.cc", content))
        self.assertIn("planted.md: no SPDX line", self.complaint_about("docs/planted.md", "# Page\n"))

    def test_a_line_of_more_than_120_columns_is_refused_but_for_tables_and_links(self):
        for path, comment in [("docs/planted.md", ""), ("tools/planted.sh", "# "), ("proto/planted.yaml", "# ")]:
            with self.subTest(path):
                whole = "# SPDX-License-Identifier: Apache-2.0\n" + comment + "\u00d7" * (120 - len(comment)) + "\n"
                said = self.complaint_about(path, whole.replace("\u00d7\n", "\u00d7\u00d7\n"))
                self.assertIn(path + ":2: more than 120 columns", said)
                self.assertEqual(self.problems_of(path, whole), "")
        long = "<!-- SPDX-License-Identifier: Apache-2.0 -->\n" + "| " + "x" * 130 + " |\n"
        self.assertEqual(self.problems_of("docs/planted.md", long + "[name](" + "x" * 130 + ")\n"), "")

    @unittest.skipUnless(shutil.which("clang-format-14"), "clang-format-14 is not installed")
    def test_code_that_is_not_formatted_is_refused(self):
        said = self.complaint_about("common/planted.h", LICENCE + "int  x ;\n")
        self.assertIn("common/planted.h:2: is not as clang-format has it", said)

    def test_a_tree_without_the_pages_that_people_look_for_is_refused(self):
        for page in ["SECURITY.md", "CONTRIBUTING.md"]:
            whole = os.path.join(self.tree, page)
            os.rename(whole, whole + ".away")
            try:
                checked = self.check()
            finally:
                os.rename(whole + ".away", whole)
            self.assertEqual(checked.returncode, 1)
            self.assertIn(page + " is missing", checked.stderr)


if __name__ == "__main__":
    main()
