#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`ridgeline frontier report` in a real browser without a network: it needs nothing else, its script sorts and joins,
and names that try to be HTML stay text. Not run where there is no Chromium."""
import csv
import re
import struct
import subprocess
import sys
import unittest
import zlib
from html.parser import HTMLParser
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
import browser  # noqa: E402
from process_test import BIN, ProcessTest, main  # noqa: E402

HOSTILE = ("<script>document.title='owned'</script>", "\"&'", "</style><img src=x onerror=\"document.title='owned'\">",
           "' onmouseover='document.title=1")

SWEEP = """\
name: small-sweep
model: {{name: gpt, n_layers: 1, dim: 32, n_heads: 2}}
dataset: {{path: {dataset}}}
training: {{seq_len: 32, global_batch_size: 4, steps: 40}}
validation: {{interval: 10, sequences: 8}}
sweep:
  method: cases
  cases:
    - {{name: none, set: {{quant.estimator: none}}}}
    - {{name: ridge-a2w2, set: {{quant.estimator: ridge, quant.weight.format: int2, quant.activation.format: int2}}}}
"""


def header():
    """The columns, as the reader wants them."""
    done = subprocess.run([BIN / "ridgeline", "frontier", "report", "--csv", "/dev/null"], capture_output=True,
                          text=True, timeout=60)
    return re.search(r"expected (\S+)", done.stderr)[1].split(",")


def point(name, /, dataset="kjv", **more):
    number = len(name)
    values = {"point_id": f"point-{name}", "job_id": f"job-{name}", "model": "gpt-nano", "dataset": dataset,
              "estimator": "ridge", "weight_format": "int1", "activation_format": "int4", "steps": 400, "tokens": 1000,
              "seed": 1, "loss": 2 + number / 100, "accuracy": 0.3 + number / 100, "storage_bytes": 100000 * number,
              "energy_proxy": 1e6 * number, "pareto": "false", "name": name}
    return {**values, **more}


def pixels(png):
    """(width, height, bytes of all rows) of an 8-bit RGB or RGBA PNG as browsers write it, unfiltered."""
    data = Path(png).read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height, depth, colour = struct.unpack(">IIBB", data[16:26])
    assert depth == 8 and colour in (2, 6), (depth, colour)
    packed, at = b"", 8
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        packed += data[at + 8:at + 8 + size] if kind == b"IDAT" else b""
        at += size + 12
    return width, height, zlib.decompress(packed)


class Elements(HTMLParser):
    """Every element of a page, with its attributes."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


@unittest.skipUnless(browser.program(), "no Chromium here (apt-get install chromium)")
class Report(ProcessTest):
    def report_of(self, points, *more):
        file, out = self.folder / "frontier.csv", self.folder / "frontier.html"
        with open(file, "w", newline="") as stream:
            writer = csv.DictWriter(stream, header(), restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(points)
        done = subprocess.run([BIN / "ridgeline", "frontier", "report", "--csv", file, "--out", out, *more],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return out

    def names_in_order(self, page):
        return page.evaluate("[...document.querySelectorAll('.points tbody th')].map(e => e.textContent)")

    def assert_nothing_external(self, path, page):
        """Neither asked for while it was open, nor named in an attribute that a browser would follow."""
        self.assertEqual({url.split(":")[0] for url in page.requests}, {"file"}, page.requests)
        self.assertEqual(len(page.requests), 1, page.requests)
        self.assertEqual(page.errors, [])
        text = Path(path).read_text(encoding="utf-8")
        self.assertNotRegex(text, r"https?://")
        elements = Elements(text).found
        self.assertGreater(len(elements), 50)
        for tag, attributes in elements:
            self.assertNotIn(tag, ("link", "img", "iframe", "object", "embed", "base", "audio", "video", "image"))
            self.assertNotIn("src", attributes, tag)
            if "href" in attributes:
                self.assertTrue(attributes["href"].startswith("#"), attributes)

    def test_AReportOpensWithoutANetworkAndItsTableSorts(self):
        path = self.report_of([point("bb"), point("a", storage_bytes=""), point("cccc", pareto="false"), point("ddd")])
        with browser.Browser(self.folder) as page:
            page.open(path)
            self.assertEqual(page.evaluate("document.title"), "gpt-nano on kjv - Ridgeline frontier")
            self.assertEqual(self.names_in_order(page), ["bb", "a", "cccc", "ddd"])
            button = "[...document.querySelectorAll('.points thead button')].find(e => e.textContent.startsWith('{}'))"
            for title, first, then in (("Stored", ["bb", "ddd", "cccc", "a"], ["cccc", "ddd", "bb", "a"]),
                                       ("Accuracy", ["cccc", "ddd", "bb", "a"], ["a", "bb", "ddd", "cccc"]),
                                       ("Point", ["a", "bb", "cccc", "ddd"], ["ddd", "cccc", "bb", "a"])):
                page.evaluate(button.format(title) + ".id = 'wanted'")
                page.click("#wanted")
                self.assertEqual(self.names_in_order(page), first, title)
                page.click("#wanted")
                self.assertEqual(self.names_in_order(page), then, title)
                page.evaluate("document.getElementById('wanted').id = ''")
            self.assert_nothing_external(path, page)

    def test_PointingAtARowShowsItsPointAndAFilterHidesTheOthers(self):
        path = self.report_of([point("bb"), point("cccc"), point("ddd", accuracy=0.1)])
        with browser.Browser(self.folder) as page:
            page.open(path)
            page.hover(".points tbody tr:nth-child(2) td")
            hot = "[...new Set([...document.querySelectorAll('svg .hot')].map(e => e.dataset.p))]"
            self.assertEqual(page.evaluate(hot), ["0-1"])
            page.hover("svg .pt[data-p='0-0']")
            self.assertEqual(page.evaluate(hot), ["0-0"])
            self.assertTrue(page.evaluate("document.querySelector('.points tr.hot').textContent").startswith("bb"))
            self.assertIn("32.00 %", page.evaluate("document.getElementById('tip').textContent"))
            page.click("svg .pt[data-p='0-0']")
            self.assertEqual(page.evaluate("document.querySelectorAll('.points tr.pin').length"), 1)
            page.click(".pareto-only")
            shown = "[...document.querySelectorAll('.points tbody tr:not(.off) th')].map(e => e.textContent)"
            self.assertEqual(page.evaluate(shown), ["bb", "cccc"])  # The third is larger and worse than the first.
            self.assertEqual(page.evaluate("document.querySelector('.count').textContent"), "2 of 3 points")
            page.evaluate("document.querySelector('.filter').focus()")
            page.call("Input.insertText", text="cccc")
            self.assertEqual(page.evaluate(shown), ["cccc"])
            self.assertEqual(page.errors, [])

    def test_HostileNamesStayText(self):
        points = [point(f"{i}" * (i + 2), dataset=HOSTILE[0], name=name, estimator=name, weight_format=name, cpu=name,
                        threads=1, decode_tokens_per_second=5 + i) for i, name in enumerate(HOSTILE)]
        path = self.report_of([*points, point("plain", dataset=HOSTILE[1])])
        with browser.Browser(self.folder) as page:
            page.open(path)
            self.assertEqual(self.names_in_order(page), ["plain", *HOSTILE])
            for number in range(len(HOSTILE)):
                page.hover(f"#set-1 .points tbody tr:nth-child({number + 1})")
                page.hover(f"#set-1 svg .pt[data-p='1-{number}']")
                self.assertTrue(page.evaluate("document.getElementById('tip').textContent"))
            self.assertEqual(page.evaluate("document.title"), "2 sets of points - Ridgeline frontier")
            self.assertEqual(page.evaluate("document.scripts.length"), 1)
            self.assertEqual(page.evaluate("document.images.length"), 0)
            self.assert_nothing_external(path, page)

    def test_ItFillsTheWindowAtAnyWidthInLightAndDark(self):
        """Nothing sticks out of the page to the side, and what is shown is no empty picture."""
        path = self.report_of([point("x" * n, second_loss=3, prefill_tokens_per_second=1e5, threads=2)
                               for n in (2, 9, 30)])
        for width, dark in ((1440, False), (1280, True), (390, False)):
            with self.subTest(width=width), browser.Browser(self.folder, width=width, dark=dark) as page:
                page.open(path)
                self.assertLessEqual(page.evaluate("document.documentElement.scrollWidth"), width)
                picture = self.folder / f"{width}.png"
                page.screenshot(picture, whole=False)
                got_width, height, data = pixels(picture)
                self.assertEqual((got_width, height), (width, 900))
                self.assertGreater(len(zlib.compress(data)), 5000)
                background = page.evaluate("getComputedStyle(document.body).backgroundColor")
                self.assertEqual(int(re.search(r"\d+", background)[0]) < 128, dark)

    def test_TextsOfAPlotDoNotOverlap(self):
        path = self.report_of([point("x" * n, energy_joules_per_token=n / 1e3, energy_source="modelled",
                                     energy_low_joules_per_token=n / 2e3, energy_high_joules_per_token=n / 5e2)
                               for n in range(2, 14)])
        with browser.Browser(self.folder) as page:
            page.open(path)
            boxes = page.evaluate("""[...document.querySelectorAll('.plot > svg')].map(svg =>
                [...svg.querySelectorAll('text')].map(e => {
                    const box = e.getBoundingClientRect();
                    return [e.textContent, box.left, box.top, box.right, box.bottom];
                }))""")
            self.assertEqual(len(boxes), 2)
            for plot in boxes:
                self.assertGreater(len(plot), 15)
                for i, (name, left, top, right, bottom) in enumerate(plot):
                    for other, other_left, other_top, other_right, other_bottom in plot[:i]:
                        apart = (right <= other_left + 1 or other_right <= left + 1 or bottom <= other_top + 3 or
                                 other_bottom <= top + 3)
                        self.assertTrue(apart, f"{name!r} lies on {other!r}")

    def test_AReportOfACoordinatorHasRecipesAndCurves(self):
        stack = self.start(ranks=1)
        recipe = stack.folder / "sweep.yaml"
        recipe.write_text(SWEEP.format(dataset=stack.dataset))
        done = self.run_cli(stack, "submit", "-f", recipe, "--follow")
        self.assertEqual(done.returncode, 0, done.stderr)
        path = self.folder / "live.html"
        done = self.run_cli(stack, "frontier", "report", "--job", "small-sweep", "--out", path)
        self.assertEqual(done.returncode, 0, done.stderr)
        with browser.Browser(self.folder) as page:
            page.open(path)
            self.assertEqual(self.names_in_order(page), ["none", "ridge-a2w2"])
            self.assertEqual(page.evaluate("document.querySelectorAll('svg .curve').length"), 2)
            rows = page.evaluate("""Object.fromEntries([...document.querySelectorAll('.recipes tbody tr')].map(
                row => [row.cells[0].textContent, [...row.cells].slice(1).map(e => e.textContent)]))""")
            self.assertEqual(rows["quant.estimator"], ["none", "ridge"])
            self.assertEqual(rows["quant.weight.format"][1], "int2")
            self.assertNotIn("training.steps", rows)
            self.assert_nothing_external(path, page)


class NothingToReport(ProcessTest):
    def test_WithoutPointsThereIsAnError(self):
        file = self.folder / "frontier.csv"
        file.write_text(",".join(header()) + "\n")
        out = self.folder / "none.html"
        done = subprocess.run([BIN / "ridgeline", "frontier", "report", "--csv", file, "--out", out],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no points", done.stderr)
        self.assertFalse(out.exists())


if __name__ == "__main__":
    main()
