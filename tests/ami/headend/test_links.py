from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from openami.ami.headend.links import DOWN_FOR, SILENT_MAX, LinkDownError, Links
from openami.ami.headend.model import Address, Purpose
from openami.ami.headend.turns import Turns
from openami.shared.clock import ManualClock

HERE = Address("10.0.0.1", 4059, b"\x01")
THERE = Address("10.0.0.2", 4059, b"\x01")


@pytest.fixture
def manual() -> ManualClock:
    return ManualClock(datetime(2026, 3, 1, tzinfo=UTC))


async def hold(links: Links, serial: str, address: Address, purpose: Purpose, log: list[str]) -> None:
    async with links.permit(serial, address, purpose):
        log.append(serial)
        await asyncio.sleep(0)


@pytest.mark.parametrize(("purpose", "carried"), [(Purpose.SCHEDULE, 2), (Purpose.CONTROL, 3)])
async def test_a_segment_carries_only_so_many_sessions(manual: ManualClock, purpose: Purpose, carried: int) -> None:
    links = Links(manual, permits_per_segment=3)
    most = 0

    async def session(serial: str) -> None:
        nonlocal most
        async with links.permit(serial, HERE, purpose):
            most = max(most, links.open)
            await asyncio.sleep(0)

    await asyncio.gather(*(session(f"M{number}") for number in range(9)))
    assert most == carried
    assert links.open == 0


async def test_an_order_finds_a_permit_that_the_schedule_left_free(manual: ManualClock) -> None:
    links = Links(manual, permits_per_segment=2)
    log: list[str] = []
    async with links.permit("scheduled", HERE, Purpose.SCHEDULE):
        waiting = asyncio.create_task(hold(links, "second", HERE, Purpose.SCHEDULE, log))
        await asyncio.sleep(0)
        await hold(links, "ordered", HERE, Purpose.ON_DEMAND, log)
        assert log == ["ordered"], "and it takes none from the schedule"
    await waiting
    assert log == ["ordered", "second"]


async def test_segments_do_not_wait_for_one_another(manual: ManualClock) -> None:
    links = Links(manual, permits_per_segment=1)
    async with links.permit("A", HERE, Purpose.SCHEDULE), links.permit("B", THERE, Purpose.SCHEDULE):
        assert links.open == 2


async def test_orders_overtake_the_schedule(manual: ManualClock) -> None:
    links = Links(manual, permits_per_segment=1)
    log: list[str] = []
    async with links.permit("first", HERE, Purpose.SCHEDULE):
        tasks = [
            asyncio.create_task(hold(links, serial, HERE, purpose, log))
            for serial, purpose in [
                ("scheduled", Purpose.SCHEDULE),
                ("demanded", Purpose.ON_DEMAND),
                ("ordered", Purpose.CONTROL),
            ]
        ]
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert log == ["ordered", "demanded", "scheduled"]


async def test_a_meter_has_one_session_at_a_time(manual: ManualClock) -> None:
    links = Links(manual)
    log: list[str] = []
    async with links.permit("M", HERE, Purpose.SCHEDULE):
        task = asyncio.create_task(hold(links, "M", HERE, Purpose.CONTROL, log))
        await asyncio.sleep(0)
        assert log == []
    await task
    assert log == ["M"]


async def test_orders_that_wait_for_one_meter_leave_the_permits_to_its_neighbours(manual: ManualClock) -> None:
    links = Links(manual, permits_per_segment=2)
    log: list[str] = []
    async with links.permit("M", HERE, Purpose.CONTROL):
        waiting = [asyncio.create_task(hold(links, "M", HERE, Purpose.CONTROL, log)) for _ in range(3)]
        await asyncio.sleep(0)
        await hold(links, "neighbour", HERE, Purpose.ON_DEMAND, log)
        assert log == ["neighbour"]
        assert links.permits()[0] | {"segment": ""} == {"segment": "", "open": 1, "of": 2, "waiting": 3}
    await asyncio.gather(*waiting)
    assert log == ["neighbour", "M", "M", "M"]
    assert links.permits() == []


async def test_a_waiter_that_is_cancelled_while_its_meter_is_busy_is_forgotten(manual: ManualClock) -> None:
    links = Links(manual, permits_per_segment=1)
    log: list[str] = []
    async with links.permit("M", HERE, Purpose.CONTROL):
        task = asyncio.create_task(hold(links, "M", HERE, Purpose.CONTROL, log))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert links.permits() == []
    await hold(links, "M", HERE, Purpose.CONTROL, log)


async def test_a_permit_that_comes_together_with_a_cancellation_is_passed_on(manual: ManualClock) -> None:
    links = Links(manual, permits_per_segment=1)
    log: list[str] = []
    async with links.permit("M", HERE, Purpose.CONTROL):
        task = asyncio.create_task(hold(links, "N", HERE, Purpose.CONTROL, log))
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await hold(links, "O", HERE, Purpose.CONTROL, log)
    assert log == ["O"]


async def test_a_meter_that_moved_in_the_middle_of_a_session_is_not_spoken_with_twice(manual: ManualClock) -> None:
    links = Links(manual)
    log: list[str] = []
    async with links.permit("M", HERE, Purpose.SCHEDULE):
        task = asyncio.create_task(hold(links, "M", THERE, Purpose.CONTROL, log))
        await asyncio.sleep(0)
        assert log == []
    await task
    assert log == ["M"]


async def test_a_cancelled_waiter_loses_no_permit(manual: ManualClock) -> None:
    links = Links(manual, permits_per_segment=1)
    log: list[str] = []
    async with links.permit("A", HERE, Purpose.SCHEDULE):
        task = asyncio.create_task(hold(links, "B", HERE, Purpose.SCHEDULE, log))
        await asyncio.sleep(0)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await hold(links, "C", HERE, Purpose.SCHEDULE, log)
    assert log == ["C"]


async def test_neighbours_of_a_dead_link_fail_at_once_until_it_is_probed_again(manual: ManualClock) -> None:
    links = Links(manual)
    links.unreachable(HERE, "connection refused")
    with pytest.raises(LinkDownError, match=r"10\.0\.0\.1:4059 is down: connection refused"):
        await hold(links, "M", HERE, Purpose.SCHEDULE, [])
    assert "connection refused" in links.down_segments()["10.0.0.1:4059"]
    await hold(links, "N", THERE, Purpose.SCHEDULE, [])
    manual.advance(DOWN_FOR)
    await hold(links, "M", HERE, Purpose.SCHEDULE, [])


async def test_silence_of_several_meters_is_a_dead_link_and_one_answer_clears_it(manual: ManualClock) -> None:
    links = Links(manual)
    for _ in range(SILENT_MAX - 1):
        links.silent(HERE)
    await hold(links, "M", HERE, Purpose.SCHEDULE, [])
    links.silent(HERE)
    with pytest.raises(LinkDownError, match="3 meters in a row"):
        await hold(links, "M", HERE, Purpose.SCHEDULE, [])
    links.reached(HERE)
    await hold(links, "M", HERE, Purpose.SCHEDULE, [])
    assert links.down_segments() == {}


async def test_after_an_outage_one_silent_probe_is_enough(manual: ManualClock) -> None:
    links = Links(manual)
    for _ in range(SILENT_MAX):
        links.silent(HERE)
    manual.advance(DOWN_FOR + timedelta(seconds=1))
    await hold(links, "probe", HERE, Purpose.SCHEDULE, [])
    links.silent(HERE)
    with pytest.raises(LinkDownError):
        await hold(links, "M", HERE, Purpose.SCHEDULE, [])


async def test_an_order_overtakes_the_regular_reading_of_its_meter_that_waits_for_a_permit(
    manual: ManualClock,
) -> None:
    links = Links(manual, permits_per_segment=2)
    log: list[str] = []
    async with links.permit("first", HERE, Purpose.SCHEDULE):
        regular = asyncio.create_task(hold(links, "M", HERE, Purpose.SCHEDULE, log))
        await asyncio.sleep(0)
        await hold(links, "M", HERE, Purpose.ON_DEMAND, log)
        assert log == ["M"], "who only waits does not hold the meter"
        assert not regular.done()
    await regular
    assert log == ["M", "M"]


async def test_a_regular_reading_under_way_is_hurried_by_an_order_for_its_meter(manual: ManualClock) -> None:
    turns = Turns()
    links = Links(manual, permits_per_segment=3, turns=turns)
    log: list[str] = []
    async with links.permit("M", HERE, Purpose.SCHEDULE):
        with turns.of("M") as turn, turns.of("N") as other:
            second = asyncio.create_task(hold(links, "M", HERE, Purpose.SCHEDULE, log))
            await asyncio.sleep(0)
            assert not turn.hurried, "a regular one hurries nobody"
            order = asyncio.create_task(hold(links, "M", HERE, Purpose.CONTROL, log))
            await asyncio.sleep(0)
            assert (turn.hurried, other.hurried, log) == (True, False, [])
    await asyncio.gather(order, second)
    assert links.open == 0


async def test_a_dead_link_gives_meter_and_permit_back(manual: ManualClock) -> None:
    links = Links(manual, permits_per_segment=1)
    links.unreachable(HERE, "unplugged")
    for _ in range(2):
        with pytest.raises(LinkDownError):
            await hold(links, "M", HERE, Purpose.CONTROL, [])
    manual.advance_to(manual.now() + DOWN_FOR)
    log: list[str] = []
    await hold(links, "M", HERE, Purpose.CONTROL, log)
    assert log == ["M"]
