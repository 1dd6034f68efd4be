"""What of a change goes to the back office, as properties of matrices and spans."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from openami.mdus.registry.ids import ProfileId
from openami.mdus.registry.slices import OPEN_INSTANT
from openami.mdus.series import Calendar, ChannelDays
from openami.mdus.services.codes import EnterpriseCodes, ItemStatus, item_status
from openami.mdus.services.upload_rules import Feed, bundles, items_of, rows_of_each, uncovered
from openami.shared.quality import EMPTY, MISSING, VALID, Origin, Verdict, quality
from openami.shared.spans import Span

START = datetime(2026, 3, 1, tzinfo=UTC)
CALENDAR = Calendar("UTC", 3600)
INDEX, STATUSES = EnterpriseCodes().status_index()
DAY = np.array([date(2026, 3, 1).toordinal()], np.int64)
ESTIMATED = quality(Origin.E01_LINEAR, Verdict.PV)
qualities = st.lists(st.sampled_from([EMPTY, MISSING, VALID, ESTIMATED]), min_size=24, max_size=24)
instants = st.integers(0, 48).map(lambda hours: START + timedelta(hours=hours))
spans = st.tuples(instants, instants).map(lambda pair: Span(min(pair), max(pair)))


FOR_EVER = Span(START, OPEN_INSTANT)


def feed(span: Span = FOR_EVER) -> Feed:
    return Feed(7, ProfileId("P"), span, CALENDAR, "KWH", -3)


def days(values: list[int], packed: list[int], *, version: int = 1) -> ChannelDays:
    found = ChannelDays.empty(np.array([7], np.int64), DAY, 24)
    found.values[0], found.quality[0], found.version[0] = values, packed, version
    return found


@given(qualities, qualities)
def test_first_values_are_created_and_known_ones_changed(before: list[int], after: list[int]):
    values = list(range(24))
    found = items_of(feed(), days(values, before), days(values, after), INDEX)
    created = {int(one) for part in found if not part.replaces for one in part.start_s}
    changed = {int(one) for part in found if part.replaces for one in part.start_s}
    first = int(START.timestamp())
    for slot, (old, new) in enumerate(zip(before, after, strict=True)):
        start = first + slot * 3600
        assert (start in created) == (old == EMPTY != new)
        assert (start in changed) == (EMPTY not in (old, new) and old != new), "a better status is news"


@given(spans)
def test_only_intervals_that_overlap_the_assignment_leave(span: Span):
    nothing = days([0] * 24, [EMPTY] * 24, version=0)
    found = items_of(feed(span), nothing, days([1] * 24, [VALID] * 24), INDEX)
    starts = {int(one) for part in found for one in part.start_s}
    for slot in range(24):
        hour = Span(START + timedelta(hours=slot), START + timedelta(hours=slot + 1))
        assert (int(hour.start.timestamp()) in starts) == (hour.overlap(span) is not None)


@given(st.lists(st.integers(1, 24), min_size=1, max_size=5), st.integers(1, 30))
def test_messages_hold_no_more_than_allowed_and_lose_nothing(sizes: list[int], limit: int):
    nothing = days([0] * 24, [EMPTY] * 24, version=0)
    (whole,) = items_of(feed(), nothing, days(list(range(24)), [VALID] * 24), INDEX)
    parts = [whole.part(0, size) for size in sizes]
    made = bundles(parts, limit)
    assert all(sum(len(one) for one in message) <= limit for message in made)
    left = [int(value) for message in made for one in message for value in one.values]
    assert left == [int(value) for one in parts for value in one.values]


@given(st.lists(st.integers(1, 5), max_size=20))
def test_the_rows_of_each_channel_are_all_of_them_in_order(channels: list[int]):
    rows = rows_of_each(np.array(channels, np.int64))
    assert {channel: found.tolist() for channel, found in rows.items()} == {
        channel: [row for row, one in enumerate(channels) if one == channel] for channel in set(channels)
    }


@given(spans, st.lists(spans, max_size=4))
def test_what_is_uncovered_is_inside_and_touches_no_cover(span: Span, covers: list[Span]):
    parts = uncovered(span, covers)
    for hour in range(48):
        at = START + timedelta(hours=hour, minutes=30)
        expected = at in span and not any(at in one for one in covers)
        assert sum(at in one for one in parts) == int(expected)


def test_each_quality_has_the_status_of_its_worth():
    assert item_status(EMPTY) is None
    assert item_status(MISSING) is ItemStatus.MISSING
    assert item_status(VALID) is ItemStatus.VALID
    assert item_status(ESTIMATED) is ItemStatus.ESTIMATED
    assert item_status(quality(Origin.MEASURED, Verdict.FV)) is ItemStatus.IMPLAUSIBLE
    assert [STATUSES[INDEX[one]] for one in (EMPTY, VALID, ESTIMATED, MISSING)] == ["", "01", "02", "99"]
