"""Each function once, over the real protocol: not that the answer was good counts, but what the meter shows then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.ami.headend.functions import rows_acting, rows_reading  # noqa: F401 - they enter their rows
from tests.ami.headend.functions.rows import ROWS
from tests.ami.headend.functions.test_effects_at_home import ROWS as AT_HOME

from openami.ami.headend.functions.catalogue import FUNCTIONS

if TYPE_CHECKING:
    from tests.ami.headend.functions.world import World


def test_every_function_has_one_row() -> None:
    assert not ROWS.keys() & AT_HOME.keys()
    assert sorted({*ROWS, *AT_HOME}) == sorted(FUNCTIONS), "a function without a row, or a row without a function"


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name not in AT_HOME])
async def test_what_a_function_does_shows_at_the_meter(world: World, name: str) -> None:
    wanted = ROWS[name]
    if wanted.before is not None:
        wanted.before(world)
    given = wanted.parameters(world) if callable(wanted.parameters) else wanted.parameters
    wanted.check(world, await world.done(name, given))
