"""How much of a load each validation rule and each estimation method takes: a table, in this one process."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from bench._ground import QUICK, ground, run
from bench._rows import row
from openami.mdus.loading import load_waiting
from openami.mdus.vee.catalogue import checks, methods

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from openami.shared.postgres import EmbeddedPostgres

METERS = 500 if QUICK else 10_000
GOAL_PERCENT = 5.0


async def measure(postgres: EmbeddedPostgres, folder: Path) -> list[dict[str, Any]]:
    taken: Counter[str] = Counter()
    watch(taken)
    async with ground(postgres, folder, "rules", METERS) as here:
        with ThreadPoolExecutor(1) as one:
            await here.store("arrow", [0], METERS)
            await load_waiting(lambda: one, here.place, here.database)
            taken.clear()
            await here.store("arrow", [1, 2], METERS)
            start = time.perf_counter()
            await load_waiting(lambda: one, here.place, here.database)
            whole_s = time.perf_counter() - start
    shares = ((rule_id, 100 * seconds / whole_s) for rule_id, seconds in taken.most_common())
    return [row(f"rule {rule_id}: share of a load", share, "%", goal=GOAL_PERCENT) for rule_id, share in shares]


def watch(taken: Counter[str]) -> None:
    """Let every rule of the catalogue note how long it takes."""
    for rules in (checks(), methods()):
        for rule_id, rule in list(rules.items()):
            timed: Any = replace(cast("Any", rule), function=_timed(rule_id, cast("Any", rule).function, taken))
            cast("dict[str, Any]", rules)[rule_id] = timed


def _timed(rule_id: str, function: Callable[..., Any], taken: Counter[str]) -> Callable[..., Any]:
    def run_timed(*arguments: Any) -> Any:  # noqa: ANN401 - any rule
        start = time.perf_counter()
        result = function(*arguments)
        taken[rule_id] += time.perf_counter() - start  # type: ignore[assignment] # seconds, not a count
        return result

    return run_timed


if __name__ == "__main__":
    run(measure)
