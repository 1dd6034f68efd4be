"""Runs every benchmark, prints a table, writes bench/results.json: `python -m bench.run [--quick] [NAME ...]`.

A benchmark is a module of this folder that prints JSON rows, one a line: name, value, unit, baseline (what it is held
against in the same run), baseline_value, ratio, goal. It measures a small fleet when QUICK=1 is in its environment.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent
RESULTS = HERE / "results.json"
NOTHING_WHEN_SMALL = {"enterprise_bulk", "mdus_rules", "mdus_scale", "mdus_series"}
"""Bulk, shares, growth and reads among many say little of small fleets: quick only if named."""
FIELDS = ("name", "value", "unit", "baseline", "baseline_value", "ratio", "goal", "machine")


def machine() -> str:
    """What the figures were measured on."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return f"{os.cpu_count()} x {cpu}, Python {platform.python_version()}, {platform.system()} {platform.release()}"


def run(module: str, *, quick: bool) -> list[dict[str, Any]]:
    """The rows that one benchmark prints; a benchmark that fails is an error, not an empty list."""
    environment = os.environ | ({"QUICK": "1"} if quick else {})
    command = [sys.executable, "-m", f"bench.{module}"]
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"bench.{module} failed with exit code {done.returncode}.")
    rows: list[dict[str, Any]] = []
    for line in done.stdout.splitlines():
        if line.startswith(("{", "[")):
            found = json.loads(line)
            rows += found if isinstance(found, list) else [found]
    return rows


def modules_here(*, quick: bool) -> list[str]:
    """The benchmarks of this folder, in order."""
    left_out = {"run"} | (NOTHING_WHEN_SMALL if quick else set())
    return sorted(path.stem for path in HERE.glob("[!_]*.py") if path.stem not in left_out)


def main() -> None:
    """Run what was named, or everything."""
    quick = "--quick" in sys.argv or os.environ.get("QUICK") == "1"
    named = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    modules = named or modules_here(quick=quick)
    here, results = machine(), []
    for module in modules:
        started = time.perf_counter()
        for row in run(module, quick=quick):
            complete = {name: row.get(name) for name in FIELDS} | {"machine": here}
            results.append(complete)
            show(complete)
        print(f"  ({module}: {time.perf_counter() - started:.1f} s)")
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print(f"{len(results)} figures in {RESULTS.relative_to(ROOT)}; machine: {here}")


def show(row: dict[str, Any]) -> None:
    """One figure as a line."""
    against = f"  {row['ratio']:.2f} x {row['baseline']}" if row["ratio"] is not None and row["baseline"] else ""
    goal = f"  (goal: {row['goal']})" if row["goal"] is not None else ""
    print(f"{row['name']:<52} {row['value']:>14,.4g} {row['unit']}{against}{goal}", flush=True)


if __name__ == "__main__":
    main()
