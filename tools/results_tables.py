#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/results.md and docs/lab/ from the points in results/.

    tools/results_tables.py [NAME...]   prints the tables, or those named
    tools/results_tables.py --check     compares them with the documents; exit code 1 and a line for each difference
    tools/results_tables.py --write     puts them into the documents

A table stands in a document under the line `<!-- table NAME -->`. results/README.md says what the columns are. A row of
kind mean stands for all its seeds; where there is none, the mean and its standard error are made from the rows of kind
run.
"""
import csv
import itertools
import math
import pathlib
import re
import statistics
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PRECISIONS = ["A1W1", "A4W1", "A1.58W1.58", "A2W2", "A4W4", "FP4"]
ESTIMATORS = ["ste", "ridge", "quest", "ridge_trust"]
DIFFERENCE = "ridge_trust - quest"
MARKER = re.compile(r"<!-- table ([a-z0-9-]+) -->")


class Points:
    """The rows of one file of results/, or those of them that have what `where` asks for."""

    def __init__(self, rows: list[dict]):
        self.rows = rows

    @classmethod
    def read(cls, name: str, root: pathlib.Path) -> "Points":
        with open(root / "results" / f"{name}.csv", newline="", encoding="utf-8") as file:
            return cls(list(csv.DictReader(file)))

    def where(self, **wanted) -> "Points":
        return Points([row for row in self.rows if all(row[key] == value for key, value in wanted.items())])

    def values(self, key: str) -> list[str]:
        """Each value once, in the file's order."""
        return list(dict.fromkeys(row[key] for row in self.rows))

    def only(self) -> dict:
        if len(self.rows) != 1:
            raise ValueError(f"one row is wanted, {len(self.rows)} are there: {self.rows[:3]}")
        return self.rows[0]

    def loss(self) -> str:
        """`2.2264 ± 0.005`, `2.2264` where no error is known, nothing where no row is."""
        means = self.where(kind="mean").rows
        if means:
            return with_error(Points(means).only())
        losses = [float(row["loss"]) for row in self.where(kind="run").rows]
        if len(losses) > 1:
            error = statistics.stdev(losses) / math.sqrt(len(losses))
            return f"{statistics.fmean(losses):.4f} ± {error:.3f}"
        return self.rows[0]["loss"] if losses else ""


def with_error(row: dict) -> str:
    return f"{row['loss']} ± {row['error']}" if row["error"] else row["loss"]


def number(text: str) -> float:
    return float(text.split()[0])


def bold(text: str, is_bold: bool = True) -> str:
    return f"**{text}**" if is_bold and text else text


def bold_least(texts: list[str], pick=min) -> list[str]:
    """The best of a row; all of them where several are equal but for the last of four digits."""
    numbers = [number(text) for text in texts if text]
    return [bold(text, bool(text) and abs(number(text) - pick(numbers)) < 1.5e-4) for text in texts]


def columns(rows: list[list[str]]) -> list[list[str]]:
    return [list(column) for column in zip(*rows)]


def markdown(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, *rows]
    if any(len(row) != len(header) for row in rows):
        raise ValueError(f"rows of another length than their header: {header}")
    text = ["|" + "|".join(f" {cell} " if cell else " " for cell in line) + "|" for line in lines]
    return "\n".join([text[0], "|" + "---|" * len(header), *text[1:]]) + "\n"


def losses_by_estimator(points: Points) -> list[str]:
    return bold_least([points.where(estimator=estimator).loss() for estimator in ESTIMATORS])


def difference(points: Points) -> list[str]:
    """Of ridge_trust and quest, seed by seed, and in how many of the pairs ridge_trust is below."""
    row = points.where(estimator=DIFFERENCE, kind="difference").only()
    return [with_error(row), row["below"]]


def precisions_with_difference(name: str, root: pathlib.Path, suffix: str = "", **where) -> str:
    points = Points.read(name, root).where(**where)
    rows = []
    for precision in PRECISIONS:
        here = points.where(precision=precision)
        rows.append([precision + suffix, *losses_by_estimator(here), *difference(here)])
    return markdown(["precision", *ESTIMATORS, DIFFERENCE + ", seed by seed", "below in"], rows)


def matched_6e_3(root):
    return precisions_with_difference("matched-6e-3", root)


def sparse_2to4(root):
    return precisions_with_difference("sparse-2to4", root, " 2:4")


def gpt_11m(root):
    return precisions_with_difference("gpt-11m", root, lr="1e-3")


def seeds_of(points: Points, estimator: str) -> str:
    return " ".join(row["loss"] for row in points.where(estimator=estimator, kind="run").rows)


def matched_3e_3(root):
    points, rows = Points.read("matched-3e-3", root), []
    for precision in PRECISIONS:
        here = points.where(precision=precision)
        seeds = "; ".join(seeds_of(here, estimator) for estimator in ("quest", "ridge_trust"))
        rows.append([precision, *losses_by_estimator(here), seeds])
    return markdown(["precision", *ESTIMATORS, "seed by seed: quest; ridge_trust"], rows)


def fresh_seeds(root):
    points = Points.read("fresh-seeds", root)
    by_precision = []
    for precision in PRECISIONS:
        here = points.where(precision=precision)
        losses = bold_least([here.where(estimator=estimator).loss() for estimator in ("quest", "ridge_trust")])
        by_precision.append([*losses, *difference(here)])
    rows = [[label, *cells] for label, cells in
            zip(("quest", "ridge_trust", "difference", "below in"), columns(by_precision))]
    return markdown(["fresh seeds", *PRECISIONS], rows)


def other_corpus(root):
    points, rows = Points.read("other-corpus", root), []
    for precision in points.where(kind="mean").values("precision"):
        here = points.where(precision=precision)
        rows.append([precision, *bold_least([here.where(estimator=e).loss() for e in ("quest", "ridge_trust")])])
    return markdown(["precision", "quest", "ridge_trust"], rows)


def lambda_of_ridge_trust(root):
    points, rows = Points.read("lambda", root).where(estimator="ridge_trust"), []
    for precision in PRECISIONS:
        cells = []
        for rate in ("6e-3", "3e-3"):
            here = points.where(precision=precision, lr=rate)
            means = {row["setting"].split()[0]: row["loss"] for row in here.where(kind="mean").rows}
            less = here.where(kind="difference").only()
            cells += [means["quant.lambda=0.01"], means["quant.lambda=1e-4"], with_error(less)]
            cells += [less["below"]] if rate == "6e-3" else []
        rows.append([precision, *cells])
    return markdown(["precision", "6e-3: 0.01", "1e-4", "less by", "below in", "3e-3: 0.01", "1e-4", "less by"], rows)


def mask_width(root):
    points, rows = Points.read("mask-width", root), []
    widths = points.values("setting")
    for estimator in ("ridge_trust", "quest"):
        by_width = {row["setting"]: row for row in points.where(estimator=estimator).rows}
        rows.append([estimator, *(f"{with_error(by_width[width])} ({by_width[width]['seeds']})" if width in by_width
                                  else "" for width in widths)])
    return markdown(["ternary, 6e-3", *(width.split("=")[1] for width in widths)], rows)


def masks_apart(root):
    points = Points.read("masks-apart", root)
    seeds = points.values("seeds")
    cases = list(dict.fromkeys((row["estimator"], row["setting"]) for row in points.rows))
    cells = [[points.where(estimator=estimator, setting=setting, seeds=seed).loss() for seed in seeds]
             for estimator, setting in cases]
    cells = columns([bold_least(column) for column in columns(cells)])
    rows = [[("quest: " if estimator == "quest" else "") + setting, *row]
            for (estimator, setting), row in zip(cases, cells)]
    return markdown(["masks, by seed", *seeds], rows)


def ablation(root):
    points = Points.read("ablation", root)
    pieces = ["fit", "fit_gradient", "rotated", "gaussian_grid", "mask", "offset"]
    rows = []
    for setting in points.values("setting"):
        here = points.where(setting=setting)
        losses = [here.where(precision=precision).loss() for precision in ("A1W1", "A4W4")]
        rows.append([setting, *(here.rows[0][piece] for piece in pieces), *losses])
    return markdown(["", *(piece.replace("_", " ") for piece in pieces), "A1W1", "A4W4"], rows)


def gpt_11m_3e_3(root):
    points = Points.read("gpt-11m", root).where(lr="3e-3")
    rows = [[precision, *losses_by_estimator(points.where(precision=precision))]
            for precision in points.values("precision")]
    return markdown(["3e-3, bfloat16, seed 2", *ESTIMATORS], rows)


def gpt_11m_ternary(root):
    points = Points.read("gpt-11m", root).where(precision="A1.58W1.58", kind="run", dtype="float32")
    points = Points([row for row in points.rows if row["estimator"] in ("quest", "ridge_trust")])
    seeds = points.values("seeds")
    cases = list(dict.fromkeys((row["estimator"], row["setting"]) for row in points.rows))
    cells = [[points.where(estimator=estimator, setting=setting, seeds=seed).loss() for seed in seeds]
             for estimator, setting in cases]
    cells = columns([bold_least(column) for column in columns(cells)])
    rows = []
    for (estimator, setting), row in zip(cases, cells):
        mean = points.where(estimator=estimator, setting=setting).loss() if all(row) else ""
        rows.append([" ".join([estimator, setting]).strip(), *row, mean])
    return markdown(["A1.58W1.58, 1e-3, float32", *(f"seed {seed}" for seed in seeds), "mean"], rows)


NAMES_OF_GEMMA = {"none": "reference", "ste": "STE", "ridge": "ridge", "quest": "quest", "ridge_trust": "ridge_trust"}


def gemma_cells(points: Points, key: str, pick) -> list[str]:
    """For each text the reference and the four estimators, whose best is bold."""
    cells = []
    for text in ("kjv", "handbook"):
        here = [[row[key] for row in points.where(text=text, estimator=name).rows] for name in NAMES_OF_GEMMA]
        reference, *others = [values[0] if values else "" for values in here]
        cells += [reference, *bold_least(others, pick)]
    return cells


def gemma(root, dtype: str) -> str:
    points = Points.read("gemma3-270m-a4w4", root).where(dtype=dtype)
    steps = points.values("step")
    rows = [[step, *gemma_cells(points.where(step=step), "loss", min)] for step in steps]
    rows.append([f"accuracy at {steps[-1]}", *gemma_cells(points.where(step=steps[-1]), "accuracy", max)])
    reference, *others = NAMES_OF_GEMMA.values()
    return markdown(["step", reference, *others, f"second text: {reference}", *others], rows)


def gemma_bfloat16(root):
    return gemma(root, "bfloat16")


def gemma_float32(root):
    return gemma(root, "float32")


def gemma_end(root):
    points = Points.read("gemma3-270m-a4w4", root).where(dtype="bfloat16")
    steps = points.values("step")
    cells = []
    for text in ("kjv", "handbook"):
        for step, key, pick in ((steps[0], "loss", min), (steps[-1], "loss", min), (steps[-1], "accuracy", max)):
            here = points.where(text=text, step=step)
            reference, *others = [here.where(estimator=name).only()[key] for name in NAMES_OF_GEMMA]
            cells.append([reference, *bold_least(others, pick)])
    rows = [[name, *row] for name, row in zip(NAMES_OF_GEMMA.values(), columns(cells))]
    labels = [f"loss at {steps[0]}", f"at {steps[-1]}", "accuracy"]
    return markdown(["four bits", *labels, *(f"second text: {label}" for label in labels)], rows)


def demo(root):
    points = Points.read("demo", root)
    rows = []
    for row in points.where(cpu=points.rows[0]["cpu"]).rows:
        grid = f"{row['weight']} {row['scheme']}".strip() if row["weight"] != "none" else ""
        rows.append([row["estimator"], grid, row["loss"], row["accuracy"], row["prototype_loss"]])
    return markdown(["estimator", "weights and activations", "loss", "accuracy", "a PyTorch prototype's loss"], rows)


def grid_gradient(root):
    rows = [[row["estimator"], f"`{row['keys']}`" if row["keys"] else "", row["loss"], row["accuracy"]]
            for row in Points.read("grid-gradient", root).rows]
    return markdown(["int1 affine, both tensors", "keys", "loss", "accuracy"], rows)


def train_step(root):
    points, rows = Points.read("train-step", root), []
    for dtype, tokens, work in dict.fromkeys((r["dtype"], r["tokens"], r["work"]) for r in points.rows):
        rounds = points.where(dtype=dtype, tokens=tokens, work=work)
        def both(key): return ", ".join(row[key] for row in rounds.rows)
        first = rounds.rows[0]
        memory = bold(f"{first['ours_gib']}, {first['peer_gib']}", float(first["ours_gib"]) > float(first["peer_gib"]))
        rows.append([f"{dtype}, {tokens} tokens, {work}", both("ours_seconds"), both("peer_seconds"), both("ratio"),
                     first["goal"], memory])
    return markdown(["work", "ours, s", "peer, s", "ratio, both rounds", "goal", "memory, ours and peer, GiB"], rows)


def inference(root):
    rows = [[f"{row['dtype']}, {row['work']}", row["ours_tokens_per_second"], row["peer_tokens_per_second"],
             f"{row['ratio']} ({row['ratio_low']}-{row['ratio_high']})", row["limit"]]
            for row in Points.read("inference", root).rows]
    return markdown(["tokens a second", "ours", "transformers", "ratio, its spread", "limit"], rows)


def packed(root):
    """What is lost, or won by the least, comes first."""
    points = Points.read("packed", root)
    cells = [points.where(case=case, rows=rows) for case in points.values("case") for rows in points.values("rows")]
    cells.sort(key=lambda cell: min(float(row["ratio"]) for row in cell.rows))
    shapes, rows = points.values("shape"), []
    for cell in cells:
        of_shape = [cell.where(shape=shape).only() for shape in shapes]
        shares = sorted(int(row["share_of_limit"]) for row in of_shape)
        rows.append([f"{of_shape[0]['case']}, {of_shape[0]['rows']}",
                     *(f"{row['ours']}, {bold(row['ratio'], float(row['ratio']) < 1)}" for row in of_shape),
                     f"{shares[0]}-{shares[-1]}", of_shape[0]["bound"]])
    return markdown(["inputs", *shapes, "of the limit, %", "bound by"], rows)


def packed_one_bit(root):
    rows = [[row["work"], row["ours"], row["peer"], f"{row['ratio']} ({row['ratio_low']}-{row['ratio_high']})",
             row["goal"]] for row in Points.read("packed-one-bit", root).rows]
    return markdown(["G products a second", "ours", "NumKong", "ratio, its spread", "goal"], rows)


def packed_models(root):
    points = sorted(Points.read("packed-models", root).rows, key=lambda row: float(row["ratio"]))
    rows = [[row["work"], row["ours"], f"{row['peer']} ({row['peer_name'].removeprefix('llama.cpp ')})",
             f"{row['ratio']} ({row['ratio_low']}-{row['ratio_high']})", row["share_of_limit"]] for row in points]
    return markdown(["tokens a second", "ours", "llama.cpp", "ratio, its spread", "of the limit, %"], rows)


def quant_bench(root):
    points, rows = Points.read("quant-bench", root), []
    for case in points.values("case"):
        cells = []
        for dtype in ("float32", "bfloat16"):
            row = points.where(case=case, dtype=dtype).only()
            cells += [f"{row['ns_per_number']}, {bold(row['ratio'], float(row['ratio']) >= float(row['goal']))}",
                      row["limit"]]
        rows.append([case, *cells])
    return markdown(["estimator", "float32: ns, ratio", "of at most", "bfloat16: ns, ratio", "of at most"], rows)


def quant_bench_short(root):
    """Of what most recipes use: how many times faster than LibTorch's operations."""
    points, rows = Points.read("quant-bench", root), []
    cases = {"ste": "ste affine {}", "ridge": "ridge affine {}", "quest": "quest linear {} hadamard",
             "ridge_trust": "ridge_trust affine {} hadamard"}
    for estimator, case in cases.items():
        cells = []
        for bits in ("int1", "int4"):
            for dtype in ("float32", "bfloat16"):
                row = points.where(case=case.format(bits), dtype=dtype).only()
                cells.append(bold(row["ratio"], float(row["ratio"]) >= float(row["goal"])))
        rows.append([estimator, *cells])
    return markdown(["times faster", "int1, float32", "int1, bfloat16", "int4, float32", "int4, bfloat16"], rows)


def kernel_cache(root):
    points, rows = Points.read("kernel-cache", root), []
    for case in points.values("case"):
        pair = [points.where(case=case, dtype=dtype).only() for dtype in ("float32", "bfloat16")]
        moved = [f"{row['ratio_before']} to {bold(row['ratio_after'], float(row['ratio_after']) >= float(row['goal']))}"
                 for row in pair if row["ratio_after"]]
        rows.append([case, *(f"{row['ns_before']}, {row['ns_after']}" for row in pair), "; ".join(moved)])
    return markdown(["ns a number, before and after", "float32", "bfloat16", "ratio in float32; bfloat16"], rows)


def tax_cell(row: dict) -> str:
    spread = f" ({row['low_quartile']}-{row['high_quartile']})" if row["low_quartile"] else ""
    return bold(row["tax"], float(row["tax"]) <= float(row["goal"])) + spread


def tax(root, machine: str, label: str) -> str:
    """A line for each dtype and network; where no quartiles are known, both precisions stand in it."""
    points, rows = Points.read("tax", root).where(machine=machine), []
    apart = bool(points.rows[0]["low_quartile"])
    for dtype, model in dict.fromkeys((row["dtype"], row["model"]) for row in points.rows):
        here = points.where(dtype=dtype, model=model)
        precisions = here.values("precision")
        for group in ([[precision] for precision in precisions] if apart else [precisions]):
            cells = [", ".join(tax_cell(here.where(estimator=estimator, precision=precision).only())
                               for precision in group) for estimator in ESTIMATORS]
            least = here.where(precision=group[0]).rows[0]
            cells += [f"{least['least_low']}-{least['least_high']}"] if points.rows[0]["least_low"] else []
            rows.append([f"{dtype}, {model} {', '.join(group)}", *cells])
    return markdown([label, *ESTIMATORS, *(["least"] if points.rows[0]["least_low"] else [])], rows)


def tax_summary(root):
    """Lowest and highest of both precisions and of all CPUs that were measured with the same kernels or later ones."""
    points = Points.read("tax", root)
    points = Points([row for row in points.rows if row["machine"] != "xeon-amx-before"])
    rows = []
    for dtype, model in dict.fromkeys((row["dtype"], row["model"]) for row in points.rows):
        here, cells = points.where(dtype=dtype, model=model), []
        goal = here.rows[0]["goal"]
        for estimator in ESTIMATORS:
            taxes = sorted((row["tax"] for row in here.where(estimator=estimator).rows), key=float)
            cells.append(bold(f"{taxes[0]}-{taxes[-1]}", float(taxes[-1]) <= float(goal)))
        rows.append([f"{dtype}, {model}", *cells, goal, str(len(here.values("machine")))])
    return markdown(["a step takes, times as long", *ESTIMATORS, "goal", "CPUs"], rows)


def sharding(root):
    """How far runs on several ranks are from that on one, the worst of the seeds; a line for each way to share."""
    points, rows = Points.read("sharding", root), []
    ways = {"whole": "each has all", "shared": "all share one", "pairs": "pairs share one"}

    def worst(here, key):
        return max((row[key] for row in here.rows), key=float, default="")

    for ranks, way in sorted({(row["ranks"], row["way"]) for row in points.rows if row["ranks"] != "1"}):
        here = points.where(ranks=ranks, way=way)
        exact = here.where(sums="deterministic")
        same = sum(row["same_file"] == "yes" for row in exact.rows)
        cells = [worst(here.where(sums=sums), key) for sums in ("deterministic", "float32")
                 for key in ("step_difference", "loss_difference")]
        rows.append([f"{ranks}, {ways[way]}", *cells[:2], f"{same} of {len(exact.rows)}", *cells[2:]])
    for sums in ("bfloat16", "int8"):
        here = points.where(sums=sums)
        rows.append([f"{here.rows[0]['ranks']}, gradients travel in {sums}", "", "", "",
                     worst(here, "step_difference"), worst(here, "loss_difference")])
    return markdown(["ranks", "deterministic: a step's loss", "held-out loss", "same file", "else: a step's loss",
                     "held-out loss"], rows)


FSDP = "shared, bfloat16 weights, bfloat16 gradients"


def shard_bytes(root):
    """What a rank sends in a step, on two and four ranks."""
    points, rows = Points.read("shard-training", root).where(study="bytes"), []
    for variant in points.values("variant"):
        cells = []
        for ranks in ("2", "4"):
            row = points.where(variant=variant, ranks=ranks).only()
            cells += [row["megabytes"], row["over_plan"], row["blocks_over_fsdp"]]
        rows.append([variant, *cells])
    return markdown(["a rank sends in a step", "2 ranks: MB", "over plan", "blocks over FSDP", "4 ranks: MB",
                     "over plan", "blocks over FSDP"], rows)


def shard_link(root):
    """Steps over a slow link, beside gathering bfloat16."""
    points, rows = Points.read("shard-training", root).where(study="link"), []
    peer = float(points.where(variant=FSDP).only()["seconds"])
    for row in points.rows:
        times = peer / float(row["seconds"])
        rows.append([row["variant"], row["megabytes"], row["seconds"], bold(f"{times:.2f}", times >= 1.5),
                     row["share_in_collectives"]])
    return markdown(["2 ranks, 1 Gbit/s", "MB a step", "s a step", "times faster", "share in collectives"], rows)


def shard_memory(root):
    """The most that rank 0 has in use."""
    rows = [[row["model"], row["variant"], row["ranks"], row["peak_mib"], row["planned_mib"]]
            for row in Points.read("shard-training", root).where(study="memory").rows]
    return markdown(["model", "", "ranks", "peak, MiB", "planned, MiB"], rows)


TABLES = {
    "matched-6e-3": matched_6e_3, "matched-3e-3": matched_3e_3, "fresh-seeds": fresh_seeds,
    "other-corpus": other_corpus, "lambda": lambda_of_ridge_trust, "mask-width": mask_width,
    "masks-apart": masks_apart, "ablation": ablation, "sparse-2to4": sparse_2to4, "gpt-11m": gpt_11m,
    "gpt-11m-3e-3": gpt_11m_3e_3, "gpt-11m-ternary": gpt_11m_ternary, "gemma-bfloat16": gemma_bfloat16,
    "gemma-float32": gemma_float32, "gemma-end": gemma_end, "demo": demo,
    "grid-gradient": grid_gradient, "train-step": train_step,
    "inference": inference, "packed": packed, "packed-models": packed_models,
    "packed-one-bit": packed_one_bit, "sharding": sharding,
    "shard-bytes": shard_bytes, "shard-link": shard_link, "shard-memory": shard_memory,
    "quant-bench": quant_bench, "quant-bench-short": quant_bench_short,
    "kernel-cache": kernel_cache, "tax-summary": tax_summary,
    "tax-xeon-amx": lambda root: tax(root, "xeon-amx", "tax"),
    "tax-before": lambda root: tax(root, "xeon-amx-before", "tax, before"),
    "tax-zen4": lambda root: tax(root, "zen4", "tax, Zen 4"),
    "tax-xeon-avx512": lambda root: tax(root, "xeon-avx512", "tax, AVX-512 without BF16"),
}


def documents(root: pathlib.Path) -> list[pathlib.Path]:
    """Those whose tables are made from points; docs/lab/README.md is an index."""
    lab = [path for path in sorted((root / "docs" / "lab").glob("*.md")) if path.name != "README.md"]
    return [root / "docs" / "results.md", *lab]


def is_table_line(line: str) -> bool:
    return line.lstrip().startswith("|")


def difference_of_tables(place: str, have: list[str], want: list[str]) -> list[str]:
    """The first line that differs; nothing where none does."""
    for line, (here, there) in enumerate(itertools.zip_longest(have, want, fillvalue="nothing"), start=1):
        if here != there:
            return [f"{place}: line {line} of the table is '{here}' and should be '{there}'"]
    return []


def with_tables(text: str, name_of_document: str, root: pathlib.Path,
                tables: dict | None = None) -> tuple[str, list[str], set[str]]:
    """The document as it should be, what is wrong with it, and the tables that it has. `tables`: TABLES, or another
    document's."""
    tables = tables or TABLES
    lines, out, problems, seen = text.splitlines(), [], [], set()
    at = 0
    while at < len(lines):
        out.append(lines[at])
        marker = MARKER.fullmatch(lines[at].strip())
        begin = at = at + 1
        while at < len(lines) and is_table_line(lines[at]) and (marker or is_table_line(lines[begin - 1])):
            at += 1
        place = f"{name_of_document}:{begin}"
        if marker and marker[1] in tables:
            wanted = tables[marker[1]](root).splitlines()
            problems += difference_of_tables(f"{place}: {marker[1]}", lines[begin:at], wanted)
            seen.add(marker[1])
            out += wanted
            continue
        if marker:
            problems.append(f"{place}: no table is called {marker[1]}; there are {', '.join(tables)}")
        elif is_table_line(lines[begin - 1]):
            problems.append(f"{place}: a table without a line `<!-- table NAME -->` above it")
        out += lines[begin:at]
    return "\n".join(out) + "\n", problems, seen


def check_or_write(root: pathlib.Path, write: bool) -> int:
    problems, seen = [], set()
    for path in documents(root):
        text = path.read_text(encoding="utf-8")
        wanted, found, tables = with_tables(text, str(path.relative_to(root)), root)
        seen |= tables
        if write and wanted != text:
            path.write_text(wanted, encoding="utf-8")
            found = with_tables(wanted, str(path.relative_to(root)), root)[1]
        problems += found
    problems += [f"table {name} stands in no document" for name in TABLES if name not in seen]
    for problem in problems:
        print(f"results_tables: {problem}", file=sys.stderr)
    return 1 if problems else 0


def main(arguments: list[str]) -> int:
    root = ROOT
    if arguments[:1] == ["--root"]:  # For its test: another folder with docs/ and results/.
        root, arguments = pathlib.Path(arguments[1]), arguments[2:]
    if arguments in (["--check"], ["--write"]):
        return check_or_write(root, arguments == ["--write"])
    unknown = [name for name in arguments if name not in TABLES]
    if unknown:
        print(f"results_tables: no table is called {unknown[0]}; there are {', '.join(TABLES)}", file=sys.stderr)
        return 2
    for name in arguments or TABLES:
        print(f"<!-- table {name} -->\n{TABLES[name](root)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
