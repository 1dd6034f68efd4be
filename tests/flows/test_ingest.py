"""A newcomer with a file and nothing else: one command, and its readings are in a series that stays."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.landscape, pytest.mark.postgres, pytest.mark.enable_socket]

NEM12 = "100,NEM12,202603010000,A,B\n200,NMI0000001,E1,E1,E1,N1,,KWH,30,\n300,20260301,{},A,,,20260309000000,\n900\n"


def openami(folder: Path, port: int, *words: str) -> Any:
    """A command as a person gives it."""
    where = ["--data-dir", str(folder / "data"), "--port", str(port)]
    command = [sys.executable, "-m", "openami", *words, "--json", *where]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return min(port, 64_000)


def test_ingest_starts_an_mdus_where_none_runs_and_the_readings_stay(tmp_path: Path) -> None:
    file, port = tmp_path / "march.csv", free_port()
    file.write_text(NEM12.format(",".join(["0.5"] * 48)))
    told = openami(tmp_path, port, "ingest", str(file), "--register")
    assert (told["state"], told["readings"], told["refused"]) == ("done", 48, 0)
    (kept,) = openami(tmp_path, port, "files")
    assert (kept["name"], kept["readings"], kept["state"]) == ("march.csv", 48, "done")
