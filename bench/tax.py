# SPDX-License-Identifier: Apache-2.0
"""What quantization costs: whole training steps with it over the same steps without it, which is the tax.

A process a case, in which the two take turns: a machine whose speed changes within seconds changes both of a pair.
Prints a table and writes OUT/tax.json. There `ratio` is the time without over the time with, so that more is better as
in all results; `tax` is its inverse.
"""

import argparse
import dataclasses
import pathlib

import contest
import machine

MOST_TAX = {"float32": 1.04, "bfloat16": 1.10}
PRECISIONS = ("a4w4", "a1w1")
# With the options of each.
ESTIMATORS = {"ste": (), "ridge": (), "quest": ("--hadamard",), "ridge_trust": ("--hadamard",)}


@dataclasses.dataclass(frozen=True)
class Workload:
    batch: int
    seq_len: int
    pairs: int  # Of a step with quantization and one without, one after the other.


WORKLOADS = {"gpt-nano": Workload(batch=12, seq_len=128, pairs=60), "gpt-11m": Workload(batch=8, seq_len=256, pairs=20),
             "gemma3-270m": Workload(batch=1, seq_len=512, pairs=4)}


@dataclasses.dataclass(frozen=True)
class Case:
    model: str
    dtype: str
    precision: str
    estimator: str

    def side(self, program: str) -> contest.Side:
        workload = WORKLOADS[self.model]
        return contest.Side(f"{self.precision} {self.estimator}", (
            program, "--tax", "--model", self.model, "--dtype", self.dtype, "--batch", str(workload.batch),
            "--seq-len", str(workload.seq_len), "--steps", str(workload.pairs), "--quant", self.precision,
            "--estimator", self.estimator, *ESTIMATORS[self.estimator]))


def measure(program: str, case: Case) -> dict:
    sample = contest.run(case.side(program))
    result = sample.result
    least_seconds = result["plain_seconds"] + result["least_quantizer_seconds"]
    row = {"work": f"{case.model} {case.dtype}, {case.precision} {case.estimator}", "ours": result["seconds"],
           "peer": result["plain_seconds"], "peer_name": "without quantization", "limit": least_seconds,
           "ratio": 1 / result["tax"], "better": "lower", "goal": 1 / MOST_TAX[case.dtype], "unit": "s a step",
           "tax": result["tax"], "least_tax": least_seconds / result["plain_seconds"], "most_tax": MOST_TAX[case.dtype],
           "tax_quartiles": result["tax_quartiles"], "pairs": result["pairs"], "threads": result["threads"],
           "others_had_at_most": sample.interference}
    print(f"{row['work']:<44} {row['ours']:>9.4f} {row['peer']:>9.4f} {row['tax']:>7.3f} "
          f"{row['tax_quartiles'][0]:>6.2f}-{row['tax_quartiles'][1]:<5.2f} {row['least_tax']:>6.3f} "
          f"{row['most_tax']:>5.2f}{'' if row['tax'] <= row['most_tax'] else '  missed'}", flush=True)
    return row


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    contest.add_arguments(parser)
    parser.add_argument("--model", nargs="+", default=list(WORKLOADS), choices=list(WORKLOADS))
    return parser.parse_args()


def main() -> None:
    options = parse_arguments()
    contest.require_idle(options.busy)
    about_machine = machine.description()
    print(f"tax on {about_machine['cpu']}: medians of pairs of steps")
    print(f"{'work':<44} {'with, s':>9} {'without':>9} {'tax':>7} {'quartiles':>12} {'least':>6} {'goal':>5}")
    rows = [measure(options.program, Case(model, dtype, precision, estimator)) for model in options.model
            for dtype in options.dtype for precision in PRECISIONS for estimator in ESTIMATORS]
    contest.save(options.out / "tax.json", rows, about_machine)


if __name__ == "__main__":
    main()
