"""Those who may wait go on one a turn of the loop, in order; a cancelled one costs nobody its turn."""

from __future__ import annotations

import asyncio

import pytest

from openami.ami.headend.turns import Turns


async def test_one_goes_on_in_each_turn_and_what_is_urgent_comes_between():
    turns, log = Turns(), []

    async def regular(name: str) -> None:
        await turns.take()
        log.append(name)

    async def urgent() -> None:
        for step in range(3):
            log.append(f"urgent {step}")
            await asyncio.sleep(0)

    await asyncio.gather(*(regular(f"regular {number}") for number in range(20)), urgent())
    assert [each for each in log if each.startswith("regular")] == [f"regular {number}" for number in range(20)]
    assert log.index("urgent 2") <= 6, "an order never waits for all who are ready"


async def test_a_cancelled_one_costs_nobody_its_turn():
    turns = Turns()
    tasks = [asyncio.create_task(turns.take()) for _ in range(3)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.wait_for(asyncio.gather(*tasks[1:]), 1)
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]


async def test_turns_go_on_after_a_pause():
    turns = Turns()
    for _ in range(3):
        await asyncio.wait_for(turns.take(), 1)
        await asyncio.sleep(0)
