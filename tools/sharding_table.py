#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How far trainings on several ranks are from that on one: sharding_table.py OUT_FOLDER

Reads OUT/curves.json and artifacts.json as tools/sharding.sh leaves them, writes OUT/sharding.csv (results/README.md
says what its columns are) and prints it, and draws the losses of the first seed and their differences as
OUT/sharding.png and .svg.
"""
import csv
import json
import pathlib
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass

COLUMNS = ["study", "seed", "sums", "ranks", "way", "steps", "loss", "loss_difference", "step_difference", "same_file"]
# Of Okabe and Ito, which people with colour-blindness can tell apart.
COLOURS = {"1-whole": "#3f4650", "2-shared": "#0072b2", "3-shared": "#d55e00", "4-shared": "#009e73",
           "4-pairs": "#cc79a7", "2-whole": "#e69f00", "3-whole": "#56b4e9", "4-whole": "#7a5195"}
LEAST_DRAWN = 1e-8  # Equal numbers stand there.


@dataclass
class Run:
    seed: str
    sums: str  # deterministic, float32, or what gradients travel in.
    ranks: str
    way: str  # whole, shared or pairs.
    losses: dict  # By step.
    held_out: float
    model: str  # Hash of the weights that it exported.

    def title(self):
        ways = {"whole": "each whole", "shared": "sharing one", "pairs": "sharing in pairs"}
        return "1 rank" if self.ranks == "1" else f"{self.ranks} ranks, {ways[self.way]}"


def objects_of(text):
    """The JSON objects that stand one behind the other."""
    decoder, at = json.JSONDecoder(), 0
    while at < len(text):
        found, at = decoder.raw_decode(text, at)
        yield found
        at += len(text[at:]) - len(text[at:].lstrip())


def models_of(folder):
    """{job: hash of its model.safetensors}"""
    artifacts = [one for listed in objects_of((folder / "artifacts.json").read_text(encoding="utf-8"))
                 for one in listed["artifacts"]]
    return {one["job_id"]: next(file["sha256"] for file in one["files"] if file["name"] == "model.safetensors")
            for one in artifacts}


def read_runs(folder):
    models, runs = models_of(folder), []
    for job in json.loads((folder / "curves.json").read_text(encoding="utf-8"))["jobs"]:
        sums, ranks, way, seed = re.fullmatch(r"(\w+)-(\d)-(\w+)-seed(\d+)", job["name"]).groups()
        losses = {int(point["step"]): point["train_loss"] for point in job["points"] if "train_loss" in point}
        held_out = [point["validation_loss"] for point in job["points"] if "validation_loss" in point][-1]
        runs.append(Run(seed, sums, ranks, way, losses, held_out, models[job["id"]]))
    return runs


def alone(runs, run):
    """The run on one rank that this one is compared with."""
    sums = "deterministic" if run.sums == "deterministic" else "float32"
    return next(one for one in runs if (one.seed, one.sums, one.ranks) == (run.seed, sums, "1"))


def differences(run, other):
    """By step, as a share of the other's loss."""
    if run.losses.keys() != other.losses.keys():
        raise ValueError("two runs have other steps")
    return {step: abs(loss - other.losses[step]) / other.losses[step] for step, loss in run.losses.items()}


def rows_of(runs):
    for run in runs:
        other = alone(runs, run)
        yield {"study": "sharding", "seed": run.seed, "sums": run.sums, "ranks": run.ranks, "way": run.way,
               "steps": max(run.losses), "loss": f"{run.held_out:.6f}",
               "loss_difference": f"{abs(run.held_out - other.held_out) / other.held_out:.1e}",
               "step_difference": f"{max(differences(run, other).values()):.1e}",
               "same_file": "yes" if run.model == other.model else "no"}


def block(name, values):
    return [f"${name} << END", *(f"{step} {value:.9g}" for step, value in sorted(values.items())), "END"]


def script_of(runs):
    """Losses on top of each other, and below them how far each is from that of one rank."""
    blocks, losses, apart = [], [], []
    places = {way: place for place, way in enumerate(COLOURS)}
    drawn = [run for run in runs if run.sums in ("deterministic", "float32")]
    drawn.sort(key=lambda run: places[f"{run.ranks}-{run.way}"])
    for number, run in enumerate(drawn):
        colour, fixed = COLOURS[f"{run.ranks}-{run.way}"], run.sums == "deterministic"
        # Narrow lines on wide ones, so that each shows.
        width = 1.5 + 2 * (len(COLOURS) - 1 - places[f"{run.ranks}-{run.way}"])
        look = f"lc rgb '{colour}' dt {1 if fixed else 2}"
        if fixed:
            blocks += block(f"loss{number}", run.losses)
            losses.append(f"$loss{number} using 1:2 with lines lw {width} {look} title '{run.title()}'")
        if run.ranks != "1":
            far = {step: max(value, LEAST_DRAWN) for step, value in differences(run, alone(runs, run)).items()}
            blocks += block(f"apart{number}", far)
            apart.append(f"$apart{number} using 1:2 with lines lw 1.5 {look} notitle")
    return [*blocks, "set multiplot layout 2,1", "set border 3 lc rgb '#6b7280'", "set tics nomirror",
            "set grid lc rgb '#e5e7eb' lt 1", "set lmargin 11", "set key top right samplen 2 maxrows 4",
            "set ylabel 'Training loss, nats per token'",
            "set title 'The same training on one to four ranks (training.deterministic): eight lines on one another'",
            "plot " + ", ".join(losses),
            "set title 'Difference from one rank: solid with training.deterministic, dashed without; black: 10^{-5}; "
            "equal losses stand at the bottom'", "set logscale y", "set format y '10^{%T}'",
            f"set yrange [{LEAST_DRAWN}:1]", "set ylabel 'as a share of the loss'", "set xlabel 'Optimizer steps'",
            "plot 1e-5 with lines lw 2 lc rgb '#111827' notitle, " + ", ".join(apart),
            "unset multiplot"]


def draw(runs, folder):
    script = script_of([run for run in runs if run.seed == runs[0].seed])
    for terminal, suffix in (("pngcairo size 1400,1000 font 'DejaVu Sans,12'", "png"), ("svg size 1400,1000", "svg")):
        commands = ["set encoding utf8", f"set terminal {terminal}", f"set output '{folder}/sharding.{suffix}'",
                    *script, ""]
        subprocess.run(["gnuplot"], input="\n".join(commands), text=True, check=True)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    runs = read_runs(folder)
    with open(folder / "sharding.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows_of(runs))
    print((folder / "sharding.csv").read_text(encoding="utf-8"), end="")
    if shutil.which("gnuplot"):
        draw(runs, folder)
        print(f"Look at {folder}/sharding.png.")
    else:
        print("sharding_table: no picture: gnuplot is not installed (apt-get install gnuplot-nox)", file=sys.stderr)


if __name__ == "__main__":
    main()
