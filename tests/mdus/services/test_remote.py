"""Series by profile number: any spelling, parts of intervals, meters that follow each other."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.mdus.processes.conftest import played_field

from openami.mdus.registry import profiles
from openami.mdus.registry.ids import ProfileId, TaskId
from openami.mdus.registry.model import Profile, ProfileRole
from openami.mdus.services.remote import (
    RemoteSeries,
    UnknownProfileError,
    _ordered,
    _with_first_part,
    profile_among,
    whole_span,
)
from openami.shared.spans import Span

if TYPE_CHECKING:
    from openami.mdus.services.remote import ProfileValues

DAY = date(2026, 3, 10)
MIDNIGHT = datetime(2026, 3, 9, 23, tzinfo=UTC)
HOUR = timedelta(hours=1)


def role(start: datetime, end: datetime) -> ProfileRole:
    return ProfileRole(TaskId("T1"), Span(start, end), "1")


def test_a_number_is_known_in_any_spelling_and_a_strange_one_is_refused_by_its_number():
    known = {"17": Profile(ProfileId("000017"))}
    for spelling in ("17", "0017", "000000000000000017"):
        assert profile_among(known, spelling) is known["17"]
    with pytest.raises(UnknownProfileError, match="Assign a measurement task") as reason:
        profile_among(known, "18")
    assert (reason.value.number, reason.value.category) == ("1010", "PRE.IDE")


def test_a_profile_reaches_from_its_first_role_to_its_last():
    later, sooner = role(MIDNIGHT + 5 * HOUR, MIDNIGHT + 9 * HOUR), role(MIDNIGHT, MIDNIGHT + 2 * HOUR)
    assert whole_span(Profile(ProfileId("1"), roles=(later, sooner))) == Span(MIDNIGHT, MIDNIGHT + 9 * HOUR)
    assert whole_span(Profile(ProfileId("1"))) is None


@pytest.mark.parametrize(("minutes", "begins"), [(0, 0), (1, 0), (29, 0), (30, 30), (59, 30)])
def test_an_interval_of_which_a_part_is_wanted_is_read_whole(minutes: int, begins: int):
    part = Span(MIDNIGHT + timedelta(minutes=minutes), MIDNIGHT + 2 * HOUR)
    read = _with_first_part(part, 1800)
    assert (read.start, read.end) == (MIDNIGHT + timedelta(minutes=begins), part.end)


def test_what_two_meters_gave_is_in_order_of_time_and_the_shared_interval_is_there_twice():
    old, new = np.array([0, 1800], np.int64), np.array([1800, 3600], np.int64)
    quality = np.zeros(2, np.uint8)
    found = _ordered("KWH", 1800, -3, [new, old], [new + 5, old + 7], [quality, quality + 1])
    assert found.start_s.tolist() == [0, 1800, 1800, 3600]
    assert found.values.tolist() == [7, 1805, 1807, 3605]
    assert found.quality.tolist() == [1, 0, 1, 0]
    assert len(_ordered("", 0, 0, [], [], [])) == 0


@pytest.fixture
async def read(world: Any, home: Any) -> Any:
    """What is kept of a home's profile, by RemoteSeries; its meter has delivered a day."""
    home.stored_remotely = True
    await world.office(*home.initialization())
    field = played_field(world)
    await field.discover(home)
    world.clock.advance_to(datetime(2026, 3, 10, 23, 30, tzinfo=UTC))
    await field.deliver(home, DAY, wh=125)
    await world.settle()
    remote = RemoteSeries(world.middle.series, world.middle.settings.codes)

    async def of(start: datetime, end: datetime, number: str | None = None) -> ProfileValues:
        async with world.database.begin() as tx:
            profile = await remote.profile(tx, number or home.profile)
            return await remote.read(tx, profile, Span(start, end))

    return of


@pytest.mark.postgres
async def test_a_profile_is_read_in_its_own_unit_and_exactly(read: Any, home: Any):
    found = await read(MIDNIGHT, MIDNIGHT + 24 * HOUR)
    assert (found.unit_code, found.interval_s, len(found)) == ("KWH", 1800, 48)
    assert {int(one) * 10 ** (found.exponent + 3) for one in found.values} == {125}
    spelled = await read(MIDNIGHT, MIDNIGHT + HOUR, home.profile.zfill(18))
    assert len(spelled) == 2
    part = await read(MIDNIGHT + timedelta(minutes=10), MIDNIGHT + HOUR)
    assert part.start_s[0] == MIDNIGHT.timestamp(), "the interval that has begun before is there"


@pytest.mark.postgres
async def test_before_its_first_role_a_profile_has_nothing(read: Any):
    found = await read(MIDNIGHT - timedelta(days=900), MIDNIGHT - timedelta(days=899))
    assert (len(found), found.interval_s) == (0, 0)
    with pytest.raises(UnknownProfileError):
        await read(MIDNIGHT, MIDNIGHT + HOUR, "424242")


@pytest.mark.postgres
async def test_a_profile_whose_role_has_ended_is_read_to_its_end(world: Any, home: Any, read: Any):
    async with world.database.begin() as tx:
        (profile,) = (await profiles.load_profiles(tx, [home.profile])).values()
        ended = tuple(replace(one, span=Span(one.span.start, MIDNIGHT + HOUR)) for one in profile.roles)
        cut = replace(profile, roles=ended)
        remote = RemoteSeries(world.middle.series, world.middle.settings.codes)
        found = await remote.read(tx, cut, Span(MIDNIGHT, MIDNIGHT + 24 * HOUR))
    assert len(found) == 2
