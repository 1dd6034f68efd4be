"""A short campaign of the coverage-guided fuzzer; `make fuzz` runs the long one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECONDS = 5


def test_no_bytes_hurt_any_decoder():
    pytest.importorskip("atheris", reason="the fuzzer is there for Linux on x86-64 only")
    command = [sys.executable, "tools/fuzz.py", "--target", "everything", "--seconds", str(SECONDS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-6000:]
    assert done.stdout == f"everything: {SECONDS} s, nothing found\n"
