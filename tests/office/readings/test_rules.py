from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.office.readings.errors import TooFine
from openami.office.readings.model import RegisterReading
from openami.office.readings.results import instant_of_reading, milli
from openami.office.readings.rules import RULES, Candidate, check

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def _candidate(value: int, **more: object) -> Candidate:
    return Candidate(RegisterReading(NOON, value), "KWH", 9, 3, **more)  # type: ignore[arg-type]


def _at(days: float, value: int) -> RegisterReading:
    return RegisterReading(NOON + timedelta(days=days), value)


def _rules(candidate: Candidate) -> list[str]:
    return [objection[:3] for objection in check(candidate)]


def test_rules_have_ids_and_sentences() -> None:
    assert [rule.id for rule in RULES] == ["P01", "P02", "P03", "P04"]
    assert all(rule.sentence.endswith(".") for rule in RULES)


def test_an_ordinary_reading_is_plausible() -> None:
    assert check(_candidate(1_010_000, before=_at(-30, 1_000_000), after=_at(1, 1_011_000), wanted_at=NOON)) == ()


@pytest.mark.parametrize("value", [-1, 10**9])
def test_p01_digits(value: int) -> None:
    assert "P01" in _rules(_candidate(value))


def test_p02_below_the_one_before_or_above_the_one_after() -> None:
    assert _rules(_candidate(999, before=_at(-1, 1000))) == ["P02"]
    assert _rules(_candidate(1001, after=_at(1, 1000))) == ["P02"]
    assert _rules(_candidate(1000, before=_at(-1, 1000), after=_at(1, 1000))) == []


def test_p03_no_house_uses_more_than_its_fuse_allows() -> None:
    assert _rules(_candidate(55_200 * 24, before=_at(-1, 0))) == []
    assert _rules(_candidate(55_200 * 24 + 1, before=_at(-1, 0))) == ["P03"]


def test_p04_far_from_the_day_it_was_ordered_for() -> None:
    assert _rules(_candidate(1, wanted_at=NOON - timedelta(days=3))) == []
    assert _rules(_candidate(1, wanted_at=NOON - timedelta(days=3, seconds=1))) == ["P04"]


@given(st.decimals(min_value=0, max_value=10**9, places=3, allow_nan=False, allow_infinity=False))
def test_three_decimals_are_exact(value: Decimal) -> None:
    assert Decimal(milli(value)).scaleb(-3) == value


def test_four_decimals_are_refused() -> None:
    assert milli(Decimal("1.23400000")) == 1234
    with pytest.raises(TooFine):
        milli(Decimal("1.2345"))


@pytest.mark.parametrize(
    ("day", "moment", "instant"),
    [
        (date(2026, 3, 31), time(23, 59, 59), datetime(2026, 3, 31, 22, tzinfo=UTC)),
        (date(2026, 4, 1), time(0, 0), datetime(2026, 3, 31, 22, tzinfo=UTC)),
        (date(2026, 2, 28), time(23, 59, 59), datetime(2026, 2, 28, 23, tzinfo=UTC)),
        (date(2026, 3, 16), time(10, 17), datetime(2026, 3, 16, 9, 17, tzinfo=UTC)),
    ],
)
def test_the_last_second_of_a_day_is_its_end(day: date, moment: time, instant: datetime) -> None:
    assert instant_of_reading("Europe/Amsterdam", day, moment) == instant
