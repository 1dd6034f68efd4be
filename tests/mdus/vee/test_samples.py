"""The backtest as a command: recordings and files as samples, methods ranked by the error that is left."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from typer.testing import CliRunner

from openami import cli
from openami.cli_mdus.samples import TooLittleError, from_file

if TYPE_CHECKING:
    from collections.abc import Callable

runner = CliRunner()
DOCS = Path(__file__).parents[3] / "docs" / "guides"


@pytest.fixture
def year(tmp_path: Path) -> Callable[[int], Path]:
    """A file of a home with a regular evening and some noise."""

    def write(days: int) -> Path:
        random = np.random.default_rng(7)
        lines = ["LCLid,tstp,energy_kWh"]
        for place in range(days * 48):
            stamp = np.datetime64("2026-01-05T00:00:00") + np.timedelta64(1800 * place, "s")
            energy = (0.4 if 34 <= place % 48 < 44 else 0.1) + random.integers(0, 50) / 1000
            lines.append(f"M1,{str(stamp).replace('T', ' ')},{energy:.3f}")
        path = tmp_path / f"home{days}.csv.gz"
        path.write_bytes(gzip.compress("\n".join(lines).encode()))
        return path

    return write


def test_a_file_is_a_sample_of_its_whole_days(year: Callable[[int], Path]) -> None:
    ((name, interval_s, days),) = from_file(year(40))
    assert (interval_s, len(days), days.count) == (1800, 40, 48)
    assert "1 channels" in name
    with pytest.raises(TooLittleError):
        list(from_file(year(10)))


def test_the_command_ranks_methods_by_what_is_left_after_scaling(year: Callable[[int], Path]) -> None:
    told = json.loads(runner.invoke(cli.app, ["vee", "backtest", str(year(60)), "--json"]).output)
    scores = {(one["method"], one["gap_s"]): one["scaled_error_share"] for one in told[0]["scores"]}
    assert scores["E03", 43_200] < scores["E01", 43_200]
    assert "| E03 |" in runner.invoke(cli.app, ["vee", "backtest", str(year(60))]).output


def test_the_table_in_the_guide_is_that_of_the_recordings() -> None:
    """The default order, a line up to two hours and like days beyond, is the one with the least error; as it says."""
    shown = runner.invoke(cli.app, ["vee", "backtest"]).output
    guide = (DOCS / "mdus.md").read_text()
    rows = [line for line in shown.splitlines() if line.startswith("| E")]
    assert rows
    assert [row for row in rows if row not in guide] == []


def test_rules_are_shown_with_their_source() -> None:
    told = json.loads(runner.invoke(cli.app, ["vee", "rules", "--rule-set", "aemo", "--json"]).output)
    (like_day,) = (one for one in told["rules"] if one["id"] == "E04")
    assert like_day["parameters"]["table"]["source"].startswith("WA-App3")
    assert "UBP 1.4.4" in runner.invoke(cli.app, ["vee", "rules"]).output
