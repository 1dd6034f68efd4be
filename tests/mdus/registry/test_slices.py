from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.mdus.registry.errors import PeriodError
from openami.mdus.registry.ids import bare
from openami.mdus.registry.model import same
from openami.mdus.registry.slices import OPEN_DATE, OPEN_INSTANT, Period, replaced, without_overlap


@dataclass(frozen=True, slots=True)
class Slice:
    period: Period
    key: str = ""


def period(first: int, last: int) -> Period:
    return Period.inclusive(date(2026, 3, first), date(2026, 3, last))


def test_the_last_day_of_a_message_belongs_to_the_period():
    march = period(1, 31)
    assert date(2026, 3, 31) in march
    assert date(2026, 4, 1) not in march
    assert march.last == date(2026, 3, 31)


def test_open_ends_stay_open():
    open_ended = Period.inclusive(date(2026, 3, 1), OPEN_DATE)
    assert open_ended.past_last == OPEN_DATE == open_ended.last
    assert OPEN_DATE in open_ended
    assert open_ended.span("Europe/Amsterdam").end == OPEN_INSTANT


def test_a_period_becomes_instants_in_its_zone():
    span = period(29, 29).span("Europe/Amsterdam")
    assert span.start == datetime(2026, 3, 28, 23, tzinfo=UTC)
    assert span.duration_s == 23 * 3600, "the night of the clock change has 23 hours"


def test_the_beginning_of_the_calendar_has_instants_too():
    assert Period(date.min, OPEN_DATE).span("Europe/Amsterdam").start.year == 1


def test_a_period_that_ends_before_it_starts_is_refused():
    with pytest.raises(PeriodError, match="ends on 2026-03-04 before it starts on 2026-03-06"):
        Period.inclusive(date(2026, 3, 6), date(2026, 3, 3))


def test_overlapping_slices_are_refused_and_others_come_in_order():
    ordered = without_overlap([Slice(period(10, 20)), Slice(period(1, 9))], "Registers")
    assert [one.period.first.day for one in ordered] == [1, 10]
    with pytest.raises(PeriodError, match="Registers: 2026-03-01 to 2026-03-10 and 2026-03-10 to 2026-03-20 overlap"):
        without_overlap([Slice(period(10, 20)), Slice(period(1, 10))], "Registers")


def test_a_complete_list_replaces_all_and_an_incomplete_one_only_its_own_keys():
    kept = [Slice(period(1, 5), "a"), Slice(period(1, 5), "b")]
    sent = [Slice(period(1, 9), "b")]
    assert replaced(kept, sent, complete=True, key=lambda one: one.key) == (sent[0],)
    assert replaced(kept, sent, complete=False, key=lambda one: one.key) == (kept[0], sent[0])


@given(st.text("0123456789AB", min_size=1, max_size=18), st.integers(0, 5))
def test_leading_zeros_never_separate_two_spellings(identifier: str, zeros: int):
    assert bare("0" * zeros + identifier) == bare(identifier)
    assert same("0" * zeros + identifier, identifier)


def test_zero_is_an_identifier():
    assert bare("000") == "0"
    assert not same("0", "10")
