"""The demo's wall time: the whole landscape, a street, a month; QUICK=1 takes ten homes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    """Run `openami demo --exit` in a folder of its own and print what it took."""
    quick = os.environ.get("QUICK") == "1"
    homes = "10" if quick else "50"
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "openami", "demo", "--exit", "--homes", homes, "--port", "8700"]
        started = time.perf_counter()
        done = subprocess.run(
            [*command, "--data-dir", str(Path(folder) / "demo")], capture_output=True, text=True, check=False
        )
        wall_s = time.perf_counter() - started
    if done.returncode != 0:
        raise SystemExit(done.stdout + done.stderr)
    row = {
        "name": f"demo, {homes} homes, one month: wall time",
        "value": wall_s,
        "unit": "s",
        "baseline": "the goal",
        "baseline_value": 120.0,
        "ratio": wall_s / 120.0,
        "goal": "under 120 s on two cores",
    }
    print(json.dumps(row))


if __name__ == "__main__":
    main()
