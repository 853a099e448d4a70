#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every query of dashboards and alerts, run by a real Prometheus that scrapes a live coordinator with a job running.

A dashboard's query must return data; an alert's expression must evaluate, and each metric that it names must exist.
Usage: queries_test.py BIN_DIR SOURCE_DIR
"""
import json
import math
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from ridgeline_stack import Stack  # noqa: E402

PATIENCE_SECONDS = 60


class Prometheus:
    """A Prometheus of our own on a free port. Use with `with`."""

    def __init__(self, folder, target, source_dir):
        self.folder = Path(folder)
        self.folder.mkdir()
        shutil.copy(source_dir / "dashboards" / "prometheus" / "alerts.yml", self.folder)
        config = (source_dir / "dashboards" / "prometheus" / "prometheus.yml").read_text()
        config = config.replace("127.0.0.1:7118", target).replace("scrape_interval: 5s", "scrape_interval: 1s")
        (self.folder / "prometheus.yml").write_text(config)
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{listener.getsockname()[1]}"

    def __enter__(self):
        self.log = open(self.folder / "log", "w+")
        self.process = subprocess.Popen(
            [find("prometheus"), f"--config.file={self.folder}/prometheus.yml",
             f"--storage.tsdb.path={self.folder}/data", f"--web.listen-address={self.address}"],
            stdout=self.log, stderr=self.log)
        return self

    def __exit__(self, *unused):
        self.process.terminate()
        self.process.wait(timeout=30)
        self.log.close()

    def query(self, expression):
        """The result vector; ValueError with Prometheus' message if it refuses the expression."""
        url = f"http://{self.address}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as error:
            raise ValueError(f"{expression}: {error.read().decode()}") from error

    def has_data(self, expression):
        return any(math.isfinite(float(series["value"][1])) for series in self.query(expression))

    def wait_for_data(self, expressions, meanwhile=lambda: None):
        """The expressions that are without data when patience ends."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        waiting = list(expressions)
        while True:
            meanwhile()
            try:
                waiting = [e for e in waiting if not self.has_data(e)]
            except urllib.error.URLError:
                if self.process.poll() is not None:
                    raise RuntimeError(f"prometheus ended: {(self.folder / 'log').read_text()[-3000:]}")
            if not waiting or time.monotonic() > deadline:
                return waiting
            time.sleep(0.5)


def find(program):
    path = shutil.which(program, path="/usr/bin:/usr/local/bin") or shutil.which(program)
    if not path:
        raise SystemExit(f"{program} is not installed (Debian: apt-get install prometheus)")
    return path


def dashboards(source_dir):
    return [json.loads(p.read_text()) for p in sorted((source_dir / "dashboards" / "grafana").glob("*.json"))]


def dashboard_queries(source_dir):
    """(dashboard and panel, expression)."""
    found = []
    for board in dashboards(source_dir):
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                found.append((f"{board['uid']} / {panel['title']}", target["expr"]))
    return found


def alert_expressions(source_dir):
    text = (source_dir / "dashboards" / "prometheus" / "alerts.yml").read_text()
    found = re.findall(r"^( +)expr: (.+)\n((?:\1 +.+\n)*)", text, re.MULTILINE)  # Of one line, or folded below ">-".
    return [" ".join(f"{first.removeprefix('>-')} {rest}".split()) for _, first, rest in found]


def check_shape(source_dir):
    """Fixed uids, and every panel and target reads its data source from the variable."""
    assert {b["uid"] for b in dashboards(source_dir)} == {"ridgeline-run", "ridgeline-fleet"}
    for board in dashboards(source_dir):
        variables = {v["name"]: v["type"] for v in board["templating"]["list"]}
        assert variables.get("datasource") == "datasource", board["uid"]
        for panel in board["panels"]:
            if panel["type"] == "row":
                continue
            assert panel["targets"], panel["title"]
            for part in [panel, *panel["targets"]]:
                assert part["datasource"]["uid"] == "${datasource}", panel["title"]


def check_rules(source_dir, folder):
    """promtool: syntax of rules and configuration, and each alert fires on made-up trouble."""
    copy = folder / "rules"
    shutil.copytree(source_dir / "dashboards" / "prometheus", copy)
    shutil.copy(source_dir / "tests" / "prometheus" / "alerts_fire.yml", copy)
    for arguments in (["check", "rules", "alerts.yml"], ["check", "config", "prometheus.yml"],
                      ["test", "rules", "alerts_fire.yml"]):
        subprocess.run([find("promtool"), *arguments], cwd=copy, check=True)


def check_queries(source_dir, prometheus, stack, job_id):
    queries = dashboard_queries(source_dir)
    concrete = {e: e.replace("$job_id", job_id).replace("$__rate_interval", "1m") for _, e in queries}
    # Ranks that exchange something: a sum of all operations is more than zero.
    for metric in ("ridgeline_collective_bytes_total", "ridgeline_collective_duration_seconds_count"):
        concrete[metric] = f"sum(rate({metric}[1m])) > 0"
        queries.append(("collectives", metric))
    left = [e for e in concrete.values() if "$" in e]
    assert not left, f"variables that this test does not know: {left}"
    # Somebody looks at the job now and then: without calls there is no call duration.
    empty = set(prometheus.wait_for_data(sorted(set(concrete.values())), meanwhile=lambda: stack.job(job_id)))
    for panel, expression in queries:
        print(f"{'EMPTY' if concrete[expression] in empty else 'ok   '} {panel}: {concrete[expression]}")
    alerts = alert_expressions(source_dir)
    assert len(alerts) >= 7, alerts
    names = sorted(set(re.findall(r"\bridgeline_\w+", " ".join(alerts))))
    for expression in alerts:
        prometheus.query(expression)
    missing = prometheus.wait_for_data([f"count({name})" for name in names])
    print(f"{len(alerts)} alert expressions evaluate; their metrics: {', '.join(names)}")
    assert not empty and not missing, f"no data: {sorted(empty)} {missing}"


def main():
    bin_dir, source_dir = sys.argv[1], Path(sys.argv[2]).resolve()
    check_shape(source_dir)
    with tempfile.TemporaryDirectory(prefix="ridgeline-prometheus-") as name:
        folder = Path(name)
        check_rules(source_dir, folder)
        with Stack(bin_dir, folder, ranks=2) as stack:
            with Prometheus(folder / "prometheus", stack.metrics_address, source_dir) as prometheus:
                missing = prometheus.wait_for_data(['up{job="ridgeline"} == 1'])
                assert not missing, f"Prometheus cannot scrape {stack.metrics_address}"
                stack.prepare_dataset()
                job_id = stack.submit("watched", steps=1_000_000)
                stack.wait_for(job_id, lambda j: j["state"] == "RUNNING", "running")
                check_queries(source_dir, prometheus, stack, job_id)
                state = stack.job(job_id)["state"]
                assert state == "RUNNING", f"the job was {state} before the queries were done"
                stack.ridgeline("cancel", job_id)


if __name__ == "__main__":
    main()
