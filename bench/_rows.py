"""What a benchmark prints: one JSON row a figure, as `bench.run` reads them."""

from __future__ import annotations

import json
import os
import platform
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

MACHINE = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def row(
    name: str, value: float, unit: str, *, goal: float | None = None, beside: tuple[str, float] | None = None
) -> dict[str, Any]:
    """One figure; `beside` is what it is held against, by default the goal."""
    baseline, against = beside or (("the goal", goal) if goal else (None, None))
    return {
        "name": name,
        "value": round(value, 3) if value < 1000 else round(value),
        "unit": unit,
        "baseline": baseline,
        "baseline_value": None if against is None else round(against, 3),
        "ratio": round(value / against, 3) if against else None,
        "goal": goal,
        "machine": MACHINE,
    }


def times_as_fast(name: str, value: float, unit: str, *, beside: tuple[str, float], goal: float) -> dict[str, Any]:
    """The duration of something, held against another's: the ratio, and its goal, say how many times as fast we are."""
    return row(name, value, unit, beside=beside) | {"ratio": round(beside[1] / value, 1), "goal": goal}


def rate_beside(name: str, value: float, unit: str, *, beside: tuple[str, float], goal: float) -> dict[str, Any]:
    """A rate held against another's; the goal is one of the ratio."""
    return row(name, value, unit, beside=beside) | {"goal": goal}


def print_rows(rows: Iterable[dict[str, Any]]) -> None:
    """One row a line."""
    for one in rows:
        print(json.dumps(one), flush=True)
