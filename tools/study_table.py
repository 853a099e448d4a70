#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Losses of a study as a table and a picture: study_table.py OUT_FOLDER NAME-seedN...

Reads OUT/NAME-seedN.json, prints every cell as Markdown and writes it to OUT/study.md, and draws OUT/study.png and .svg.
A cell with several seeds is their mean, with half the distance of its extremes.
"""

import collections
import json
import pathlib
import re
import shutil
import statistics
import subprocess
import sys


def read_cells(folder: pathlib.Path, names: list[str]) -> dict:
    """{study: {case: [loss of each seed]}}, in the order of the names."""
    cells: dict = collections.OrderedDict()
    for name in names:
        study, _ = re.fullmatch(r"(.*)-seed(\d+)", name).groups()
        document = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        for point in document["points"] if isinstance(document, dict) else document:
            cells.setdefault(study, collections.OrderedDict()).setdefault(point["name"], []).append(point["loss"])
    return cells


def text_of(losses: list[float]) -> str:
    spread = f" ± {(max(losses) - min(losses)) / 2:.3f}" if len(losses) > 1 else ""
    return f"{statistics.fmean(losses):.4f}{spread}"


def cases_of(cells: dict) -> list[str]:
    return list(collections.OrderedDict.fromkeys(case for study in cells.values() for case in study))


def markdown(cells: dict) -> str:
    cases, lines = cases_of(cells), []
    lines += ["| | " + " | ".join(cases) + " | seeds |", "|---" * (len(cases) + 2) + "|"]
    for study, losses in cells.items():
        best = min(statistics.fmean(values) for values in losses.values())
        row = []
        for case in cases:
            values = losses.get(case)
            text = text_of(values) if values else ""
            row.append(f"**{text}**" if values and statistics.fmean(values) == best else text)
        seeds = max(len(values) for values in losses.values())
        lines.append(f"| {study} | " + " | ".join(row) + f" | {seeds} |")
    return "\n".join(lines) + "\n"


def draw(cells: dict, folder: pathlib.Path) -> None:
    """Loss above the best of its row: what choosing that estimator costs."""
    cases = cases_of(cells)
    rows = []
    for study, losses in cells.items():
        best = min(statistics.fmean(values) for values in losses.values())
        rows.append(f'"{study}" ' + " ".join(f"{statistics.fmean(losses[c]) - best:.5f}" if c in losses else "NaN" for c in cases))
    titles = " ".join(f'"{case}"' for case in cases).replace("_", r"\\_")
    script = ["$points << END", "precision " + titles, *rows, "END", "set style data histogram",
              "set style histogram clustered gap 1", "set style fill solid 0.85 noborder", "set boxwidth 0.9",
              "set ylabel 'held-out loss above the best of the column, nats'", "set grid ytics", "set key top right",
              "set yrange [0:*]", "set border 3", "set tics nomirror"]
    plot = "plot " + ", ".join(f"$points using {i + 2}:xtic(1) title columnheader" for i in range(len(cases)))
    for terminal, suffix in (("pngcairo size 1100,560 font 'DejaVu Sans,11'", "png"), ("svg size 1100,560", "svg")):
        subprocess.run(["gnuplot"], input="\n".join([f"set terminal {terminal}", f"set output '{folder}/study.{suffix}'", *script, plot, ""]),
                       text=True, check=True)


def main() -> None:
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    cells = read_cells(folder, sys.argv[2:])
    table = markdown(cells)
    (folder / "study.md").write_text(table, encoding="utf-8")
    print(table)
    if shutil.which("gnuplot"):
        draw(cells, folder)
        print(f"Look at {folder}/study.png.")
    else:
        print("study_table: no picture: gnuplot is not installed (apt-get install gnuplot-nox)", file=sys.stderr)


if __name__ == "__main__":
    main()
