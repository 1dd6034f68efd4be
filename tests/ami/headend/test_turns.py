"""Those who may wait go on one a turn of the loop, the oldest first; a cancelled one costs nobody its turn."""

from __future__ import annotations

import asyncio

import pytest

from openami.ami.headend.turns import Turns


async def regular(turns: Turns, name: str, log: list[str], steps: int = 1) -> None:
    with turns.of(name) as turn:
        for _ in range(steps):
            await turn.take()
            log.append(name)


async def test_one_goes_on_in_each_turn_and_what_is_urgent_comes_between() -> None:
    turns = Turns()
    log: list[str] = []

    async def urgent() -> None:
        for step in range(3):
            log.append(f"urgent {step}")
            await asyncio.sleep(0)

    await asyncio.gather(*(regular(turns, f"regular {number}", log) for number in range(20)), urgent())
    assert [each for each in log if each.startswith("regular")] == [f"regular {number}" for number in range(20)]
    assert log.index("urgent 2") <= 6, "an order never waits for all who are ready"


async def test_the_oldest_comes_to_its_end_first() -> None:
    turns = Turns()
    log: list[str] = []
    await asyncio.gather(*(regular(turns, name, log, steps=4) for name in ("A", "B", "C")))
    ends = [len(log) - 1 - log[::-1].index(name) for name in ("A", "B", "C")]
    assert ends == sorted(ends)
    assert log.index("C") > log[:8].count("A") == 4, "the youngest begins when there is room"


async def test_one_that_is_hurried_waits_for_nobody() -> None:
    turns = Turns()
    log: list[str] = []
    tasks = [asyncio.create_task(regular(turns, str(number), log, steps=3)) for number in range(30)]
    await asyncio.sleep(0)
    turns.hurry("29")
    turns.hurry("nobody")
    await asyncio.gather(*tasks)
    assert [index for index, name in enumerate(log) if name == "29"][-1] < 6
    assert len(log) == 90


async def test_a_cancelled_one_costs_nobody_its_turn() -> None:
    turns = Turns()
    log: list[str] = []
    tasks = [asyncio.create_task(regular(turns, str(number), log)) for number in range(3)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.gather(*tasks[1:])
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]
    assert log == ["1", "2"]
    turns.hurry("0")  # it has gone


async def test_turns_go_on_after_a_pause() -> None:
    turns = Turns()
    log: list[str] = []
    for _ in range(3):
        await regular(turns, "A", log)
        await asyncio.sleep(0)
    assert log == ["A"] * 3


async def test_a_later_session_with_the_same_meter_has_a_place_of_its_own() -> None:
    turns = Turns()
    with turns.of("A") as first:
        with turns.of("A") as second:
            turns.hurry("A")
        assert (first.hurried, second.hurried) == (False, True)
        assert second.number > first.number


async def test_while_something_urgent_is_in_hand_the_others_go_on_slowly_but_they_do() -> None:
    turns = Turns()
    log: list[str] = []
    with turns.urgent():
        tasks = [asyncio.create_task(regular(turns, str(number), log)) for number in range(3)]
        for _ in range(50):  # the steps of an order: none of them waits for a regular session
            await asyncio.sleep(0)
        assert log == ["0"]
        await tasks[1]
    await asyncio.gather(*tasks)
    assert log == ["0", "1", "2"]


async def test_what_takes_long_is_not_given_way_to_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openami.ami.headend.turns.URGENT_MAX_S", 0.0)
    monkeypatch.setattr("openami.ami.headend.turns.PAUSE_S", 3600.0)
    turns = Turns()
    log: list[str] = []
    with turns.urgent(), turns.urgent():
        tasks = [asyncio.create_task(regular(turns, str(number), log, steps=2)) for number in range(3)]
        await asyncio.gather(*tasks)
    assert len(log) == 6


async def test_an_end_gives_way_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openami.ami.headend.turns.PAUSE_S", 3600.0)
    turns = Turns()
    log: list[str] = []
    with turns.urgent():
        pass
    with pytest.raises(RuntimeError), turns.urgent():
        raise RuntimeError
    await asyncio.gather(*(regular(turns, name, log) for name in "ABC"))
    assert log == ["A", "B", "C"]
