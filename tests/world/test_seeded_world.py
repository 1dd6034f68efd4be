"""A seeded world: messages on both seams are lost, doubled, delayed, and so are answers; the table is the same."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest
from tests.flows.landscape import settings_for, tell_story

from openami.testing import LossyWire

if TYPE_CHECKING:
    from pathlib import Path

    from openami.demo.table import Line

pytestmark = [
    pytest.mark.landscape,
    pytest.mark.enable_socket,
    pytest.mark.timeout(900),
]
PORT = 21700
SEED = 20260301


async def live(folder: Path) -> tuple[list[Line], list[LossyWire]]:
    """The story with a bad line in front of every area on a seam."""
    plain = settings_for(folder, PORT)
    async with AsyncExitStack() as stack:
        wires = {
            area: await stack.enter_async_context(
                LossyWire(plain.address(area).url, PORT + 50 + number, seed=SEED + number, loss=0.1, doubling=0.2)
            )
            for number, area in enumerate(("headend", "mdus", "office"))
        }
        settings = settings_for(folder, PORT, **{f"{area}_url": wire.url for area, wire in wires.items()})
        told = await tell_story(settings)
    return told.lines, list(wires.values())


def test_lost_doubled_and_reordered_messages_change_nothing(tmp_path: Path) -> None:
    lines, wires = asyncio.run(live(tmp_path / "data"))
    assert [line.why for line in lines if not line.agrees] == []
    for wire in wires:
        hurt = (wire.counters.requests_lost, wire.counters.answers_lost, wire.counters.doubled, wire.counters.delayed)
        assert min(hurt) > 0, f"the wire before {wire.target} did not misbehave: {wire.counters}"
