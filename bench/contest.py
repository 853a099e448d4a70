# SPDX-License-Identifier: Apache-2.0
"""Sides that run the same work, a process each and in turn (A B B A), so that a machine that speeds up or slows down
meets all of them; medians of ratios within a round; and a note when others used the machine meanwhile.

bench/train_step.py and bench/inference.py say what the sides are; bench/tax.py runs its processes in the same way.
"""

import argparse
import dataclasses
import importlib.util
import json
import os
import pathlib
import statistics
import subprocess
import sys

import machine

# Of the machine's cores, had by others while something was timed: more, and the figures are marked.
MOST_INTERFERENCE = 0.05


@dataclasses.dataclass(frozen=True)
class Side:
    name: str
    command: tuple[str, ...]


@dataclasses.dataclass
class Sample:
    """One process: the object that it printed (seconds, tokens, loss, ...), with `peak_gib` as the kernel has it."""

    result: dict
    interference: float


class Contest:
    """Sides that run the same configuration; the last one is the peer. Subclasses say what rows come of it."""

    SAME: tuple[str, ...] = ()  # Of their results, what all sides have to agree in.
    SAME_LOSS = 0.2  # Nats: random weights of two generators, both near log(vocabulary).

    def __init__(self, work: str, ours: list[Side], peer: Side) -> None:
        self.work, self.ours, self.peer = work, ours, peer
        self.samples: dict[str, list[Sample]] = {side.name: [] for side in [*ours, peer]}

    def run_round(self, number: int) -> None:
        sides = [*self.ours, self.peer]
        for side in sides if number % 2 == 0 else reversed(sides):
            sample = run(side)
            self.samples[side.name].append(sample)
            print(f"  {self.work:<24} {side.name:<26} {self.summary(sample)}  {sample.result['peak_gib']:5.2f} GiB  "
                  f"others had {sample.interference:.0%}", file=sys.stderr)
        for side in self.ours:
            self.check_same_work(side)

    def check_same_work(self, side: Side) -> None:
        ours, peer = self.samples[side.name][-1].result, self.samples[self.peer.name][-1].result
        for key in self.SAME:
            if ours[key] != peer[key]:
                sys.exit(f"{self.work}: {side.name} has {key} {ours[key]}, {self.peer.name} has {peer[key]}: "
                         "they do not compute the same thing")
        if abs(ours["loss"] - peer["loss"]) > self.SAME_LOSS:
            sys.exit(f"{self.work}: loss {ours['loss']} at random weights, the peer's is {peer['loss']}")

    def summary(self, sample: Sample) -> str:
        raise NotImplementedError

    def rows(self) -> list[dict]:
        raise NotImplementedError

    def row(self, side: Side, what: str, key: str, *, better: str, goal: float, unit: str,
            limit: str | None = None) -> dict:
        """`key` is of both results, `limit`, which it cannot exceed, of ours; a ratio above 1: we are better."""
        ours, peer = ([sample.result[key] for sample in self.samples[name]] for name in (side.name, self.peer.name))
        ratios = [a / b if better == "higher" else b / a for a, b in zip(ours, peer)]
        samples = self.samples[side.name] + self.samples[self.peer.name]
        most = statistics.median([sample.result[limit] for sample in self.samples[side.name]]) if limit else None
        return {"work": f"{self.work}, {what}", "ours": statistics.median(ours), "peer": statistics.median(peer),
                "peer_name": self.peer.name, "limit": most, "ratio": statistics.median(ratios), "better": better,
                "goal": goal, "unit": unit, "ratio_spread": [min(ratios), max(ratios)], "rounds": len(ratios),
                "others_had_at_most": max(sample.interference for sample in samples)}


def run(side: Side) -> Sample:
    """Peak memory and CPU time are what the kernel says about the finished process."""
    watch = machine.Interference()
    threads = os.environ.get("OMP_NUM_THREADS", str(os.cpu_count()))
    environment = os.environ | {"OMP_NUM_THREADS": threads, "OMP_PROC_BIND": "true"}
    with subprocess.Popen(side.command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        text = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(side.command)}: ended with code {process.returncode}")
    return Sample(json.loads(text.splitlines()[-1]) | {"peak_gib": usage.ru_maxrss / 1024 / 1024},
                  watch.share(usage.ru_utime + usage.ru_stime))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("program", help="the built benchmark, build/bin/..._bench")
    parser.add_argument("out", type=pathlib.Path, help="folder for the result")
    parser.add_argument("--dtype", nargs="+", default=["float32", "bfloat16"], choices=["float32", "bfloat16"])
    parser.add_argument("--busy", action="store_true", help="run on a machine that is not idle, and mark the result")


def require_packages(packages: tuple[str, ...]) -> None:
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing:
        wanted = " ".join("torch==2.11.*" if package == "torch" else package for package in packages)
        sys.exit(f"{sys.argv[0]}: {sys.executable} lacks {', '.join(missing)}: pip install {wanted}")


def require_idle(busy: bool) -> None:
    others = machine.idle_share_of_others()
    if others > MOST_INTERFERENCE and not busy:
        sys.exit(f"{sys.argv[0]}: others use {others:.0%} of this machine: wait until it is idle, or pass --busy to "
                 "see figures that prove nothing")


def run_rounds(contests: list[Contest], rounds: int) -> dict:
    """Returns what there is to say about the machine."""
    about_machine = machine.description()
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
        for contest in contests:
            contest.run_round(number)
    return about_machine


def report(path: pathlib.Path, contests: list[Contest], packages: tuple[str, ...], about_machine: dict) -> None:
    """Prints a table and writes it to the path."""
    rows = [row for contest in contests for row in contest.rows()]
    peer = contests[0].samples[contests[0].peer.name][0].result
    print(f"{path.stem} on {about_machine['cpu']}, {peer['threads']} threads, "
          + ", ".join(f"{package} {peer[package]}" for package in packages))
    print(f"{'work':<44} {'ours':>8} {'peer':>8} {'limit':>8} {'ratio':>7} {'spread':>13} {'goal':>5}  unit")
    for row in rows:
        limit = "" if row["limit"] is None else f"{row['limit']:.2f}"
        print(f"{row['work']:<44} {row['ours']:>8.2f} {row['peer']:>8.2f} {limit:>8} {row['ratio']:>6.2f}x "
              f"{row['ratio_spread'][0]:>6.2f}-{row['ratio_spread'][1]:<6.2f} {row['goal']:>4}x  {row['unit']} "
              f"(peer: {row['peer_name']}){'' if row['ratio'] >= row['goal'] else '  missed'}")
    save(path, rows, about_machine, versions={package: peer[package] for package in packages}, threads=peer["threads"])


def hold(contests: list[Contest], packages: tuple[str, ...], options: argparse.Namespace, name: str) -> None:
    """All of it: checks, `options.rounds` rounds, the table and OUT/NAME.json."""
    require_packages(packages)
    require_idle(options.busy)
    about_machine = run_rounds(contests, options.rounds)
    report(options.out / f"{name}.json", contests, packages, about_machine)


def save(path: pathlib.Path, rows: list[dict], about_machine: dict, **more: object) -> None:
    disturbed = max((row["others_had_at_most"] for row in rows), default=0.0)
    idle = disturbed <= MOST_INTERFERENCE
    if not idle:
        print(f"NOT IDLE: others had up to {disturbed:.0%} of the machine during a run; these ratios prove nothing.")
    document = {"machine": about_machine | {"idle": idle, "load_average_after": os.getloadavg()}, **more, "rows": rows}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
