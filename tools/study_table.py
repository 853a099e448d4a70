#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Losses of a study as a table and a picture: study_table.py OUT_FOLDER NAME-seedN...

Reads OUT/NAME-seedN.json, prints every cell as Markdown and writes it to OUT/study.md, and draws OUT/study.png and
.svg. A cell with several seeds is their mean with its standard error. Runs of one seed share data and order, so a
second table has the differences from the row's best, seed by seed: their mean with its standard error.
"""

import collections
import json
import math
import pathlib
import re
import shutil
import statistics
import subprocess
import sys


def read_cells(folder: pathlib.Path, names: list[str]) -> dict:
    """{study: {case: {seed: loss}}}, in the order of the names."""
    cells: dict = collections.OrderedDict()
    for name in names:
        study, seed = re.fullmatch(r"(.*)-seed(\d+)", name).groups()
        document = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        for point in document["points"] if isinstance(document, dict) else document:
            cells.setdefault(study, collections.OrderedDict()).setdefault(point["name"], {})[seed] = point["loss"]
    return cells


def mean_of(losses: dict) -> float:
    return statistics.fmean(losses.values())


def standard_error(values: list[float]) -> float:
    return statistics.stdev(values) / math.sqrt(len(values))


def text_of(losses: dict) -> str:
    error = f" ± {standard_error(list(losses.values())):.3f}" if len(losses) > 1 else ""
    return f"{mean_of(losses):.4f}{error}"


def best_case(row: dict) -> str:
    return min(row, key=lambda case: mean_of(row[case]))


def cases_of(cells: dict) -> list[str]:
    return list(collections.OrderedDict.fromkeys(case for study in cells.values() for case in study))


def markdown(cells: dict) -> str:
    cases, lines = cases_of(cells), []
    lines += ["| | " + " | ".join(cases) + " | seeds |", "|---" * (len(cases) + 2) + "|"]
    for study, row in cells.items():
        best = best_case(row)
        texts = [text_of(row[case]) if case in row else "" for case in cases]
        marked = [f"**{text}**" if case == best else text for case, text in zip(cases, texts)]
        seeds = max(len(losses) for losses in row.values())
        lines.append(f"| {study} | " + " | ".join(marked) + f" | {seeds} |")
    return "\n".join(lines) + "\n"


def difference(losses: dict, of_best: dict) -> str:
    """Of the seeds that both have; one seed says nothing of how far its difference is to be trusted."""
    differences = [losses[seed] - of_best[seed] for seed in losses if seed in of_best]
    if len(differences) < 2:
        return ""
    return f"{statistics.fmean(differences):+.4f} ± {standard_error(differences):.3f}"


def differences_markdown(cells: dict) -> str:
    """Empty where no cell has two seeds."""
    cases, lines = cases_of(cells), []
    for study, row in cells.items():
        best = best_case(row)
        texts = ["best" if case == best else difference(row[case], row[best]) if case in row else "" for case in cases]
        if any(text not in ("", "best") for text in texts):
            lines.append(f"| {study} | " + " | ".join(texts) + " |")
    header = ["| above the best, by seed | " + " | ".join(cases) + " |", "|---" * (len(cases) + 1) + "|"]
    return "\n".join([*header, *lines]) + "\n" if lines else ""


def draw(cells: dict, folder: pathlib.Path) -> None:
    """Loss above the best of its row: what choosing that estimator costs."""
    cases = cases_of(cells)
    rows = []
    for study, row in cells.items():
        best = mean_of(row[best_case(row)])
        rows.append(f'"{study}" ' + " ".join(f"{mean_of(row[c]) - best:.5f}" if c in row else "NaN" for c in cases))
    titles = " ".join(f'"{case}"' for case in cases).replace("_", r"\\_")
    script = ["$points << END", "precision " + titles, *rows, "END", "set style data histogram",
              "set style histogram clustered gap 1", "set style fill solid 0.85 noborder", "set boxwidth 0.9",
              "set ylabel 'held-out loss above the best of the column, nats'", "set grid ytics", "set key top right",
              "set yrange [0:*]", "set border 3", "set tics nomirror"]
    plot = "plot " + ", ".join(f"$points using {i + 2}:xtic(1) title columnheader" for i in range(len(cases)))
    for terminal, suffix in (("pngcairo size 1100,560 font 'DejaVu Sans,11'", "png"), ("svg size 1100,560", "svg")):
        commands = [f"set terminal {terminal}", f"set output '{folder}/study.{suffix}'", *script, plot, ""]
        subprocess.run(["gnuplot"], input="\n".join(commands), text=True, check=True)


def main() -> None:
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    cells = read_cells(folder, sys.argv[2:])
    table = "\n".join(filter(None, (markdown(cells), differences_markdown(cells))))
    (folder / "study.md").write_text(table, encoding="utf-8")
    print(table)
    if shutil.which("gnuplot"):
        draw(cells, folder)
        print(f"Look at {folder}/study.png.")
    else:
        print("study_table: no picture: gnuplot is not installed (apt-get install gnuplot-nox)", file=sys.stderr)


if __name__ == "__main__":
    main()
