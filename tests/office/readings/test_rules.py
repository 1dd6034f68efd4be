from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.office.readings.errors import TooFine
from openami.office.readings.reported import instant_of_reading, milli_of
from openami.office.readings.results import milli
from openami.office.readings.rules import RULES, Candidates, advance_milli, check

if TYPE_CHECKING:
    from numpy.typing import NDArray

NOON = datetime(2026, 3, 10, 12)  # noqa: DTZ001 - in UTC, as in all columns


def _candidates(
    *values: int,
    before: tuple[float, int] | None = None,
    after: tuple[float, int] | None = None,
    wanted: timedelta | None = None,
    unit: str = "KWH",
) -> Candidates:
    """Readings at noon; a neighbour is given in days from then and its value."""

    def at(days: float | None) -> NDArray[np.datetime64]:
        instant = np.datetime64("NaT") if days is None else np.datetime64(NOON + timedelta(days=days))
        return np.full(len(values), instant, "datetime64[us]")

    def milli(of: tuple[float, int] | None) -> NDArray[np.int64]:
        return np.full(len(values), of[1] if of else 0)

    return Candidates(
        at=at(0),
        value_milli=np.array(values, np.int64),
        unit=[unit] * len(values),
        whole_digits=np.full(len(values), 6),
        before_at=at(before and before[0]),
        before_milli=milli(before),
        after_at=at(after and after[0]),
        after_milli=milli(after),
        wanted_at=at(None if wanted is None else wanted / timedelta(days=1)),
    )


def _rules(candidates: Candidates) -> list[str]:
    return [objection[:3] for objection in check(candidates).get(0, ())]


def test_rules_have_ids_and_sentences() -> None:
    assert [rule.id for rule in RULES] == ["P01", "P02", "P03", "P04"]
    assert all(rule.sentence.endswith(".") for rule in RULES)


def test_an_ordinary_reading_is_plausible() -> None:
    near = _candidates(1_010_000, before=(-30, 1_000_000), after=(1, 1_011_000), wanted=timedelta())
    assert check(near) == {}
    assert check(_candidates()) == {}


@pytest.mark.parametrize("value", [-1, 10**9])
def test_p01_digits(value: int) -> None:
    assert "P01" in _rules(_candidates(value))


def test_p02_below_the_one_before_or_above_the_one_after() -> None:
    assert _rules(_candidates(999, before=(-1, 1000))) == ["P02"]
    assert _rules(_candidates(1001, after=(1, 1000))) == ["P02"]
    assert _rules(_candidates(1000, before=(-1, 1000), after=(1, 1000))) == []


RANGE = 10**9  # six whole digits, in thousandths
LAST = RANGE - 1


@pytest.mark.parametrize(
    ("value", "before", "days"),
    [(0, LAST, 1), (55_200 * 24 - 1, LAST, 1), (499_999, RANGE - 500_000, 1), (1, RANGE // 2 + 2, 400)],
)
def test_p02_a_register_that_turned_over_went_on_from_zero(value: int, before: int, days: int) -> None:
    assert _rules(_candidates(value, before=(-days, before))) == []
    assert _rules(_candidates(before, after=(days, value))) == [], "the late reading before it is judged the same"


@pytest.mark.parametrize(
    ("value", "before", "days", "said"),
    [
        (55_200 * 24, LAST, 1, "to turn over, it would need 1324.801, more than a connection can carry"),
        (1, 900_000_000, 1, "to turn over, it would need 100000.001, more"),
        (400_000_000, 900_000_000, 4000, "400000.000 is below 900000.000 of 2015-03-28"),
        (0, RANGE // 2, 4000, "0.000 is below 500000.000"),
    ],
)
def test_p02_a_fall_that_is_no_overrun_is_refused_and_says_why(value: int, before: int, days: int, said: str) -> None:
    (objections,) = check(_candidates(value, before=(-days, before))).values()
    assert [one[:3] for one in objections] == ["P02"], "one reason is enough"
    assert said in objections[0]
    (objections,) = check(_candidates(before, after=(days, value))).values()
    assert objections[0].startswith("P02: ")
    assert " is above " in objections[0]


def test_p02_without_a_limit_half_the_range_decides() -> None:
    assert _rules(_candidates(1, before=(-1, RANGE // 2 + 2), unit="L")) == []
    assert _rules(_candidates(1, before=(-1, RANGE // 2), unit="L")) == ["P02"]


@given(st.integers(0, LAST), st.integers(0, 55_200 * 24))
def test_what_a_connection_carried_in_a_day_is_plausible_wherever_the_register_stood(before: int, used: int) -> None:
    value = (before + used) % RANGE
    assert _rules(_candidates(value, before=(-1, before))) == []
    assert advance_milli(np.int64(before), np.int64(value), np.int64(RANGE)) == used


def test_p03_no_house_uses_more_than_its_fuse_allows() -> None:
    assert _rules(_candidates(55_200 * 24, before=(-1, 0))) == []
    assert _rules(_candidates(55_200 * 24 + 1, before=(-1, 0))) == ["P03"]


def test_p04_far_from_the_day_it_was_ordered_for() -> None:
    assert _rules(_candidates(1, wanted=-timedelta(days=3))) == []
    assert _rules(_candidates(1, wanted=-timedelta(days=3, seconds=1))) == ["P04"]


def test_each_reading_is_judged_by_itself_and_told_in_words() -> None:
    found = check(_candidates(5_000, 20_000, -1, 9_000, before=(-1, 10_000), after=(1, 19_999)))
    assert found == {
        0: ("P02: 5.000 is below 10.000 of 2026-03-09 12:00 UTC",),
        1: ("P02: 20.000 is above 19.999 of 2026-03-11 12:00 UTC",),
        2: ("P01: -0.001 does not fit on a display of 6 digits", "P02: -0.001 is below 10.000 of 2026-03-09 12:00 UTC"),
        3: ("P02: 9.000 is below 10.000 of 2026-03-09 12:00 UTC",),
    }


def test_what_is_used_and_when_it_was_read_is_told_in_words() -> None:
    much = _candidates(26_000_000, before=(-0.5, 0), wanted=timedelta(days=30), unit="M3")
    assert check(much)[0] == (
        "P03: 26000.000 in 12.00 hours is more than a connection can carry",
        "P04: read at 2026-03-10 12:00 UTC, wanted for 2026-04-09 12:00 UTC",
    )
    assert check(_candidates(26_000_000, before=(-0.5, 0), unit="MJ")) == {}, "no limit is known for this unit"


@given(st.integers(-(10**20), 10**20), st.integers(0, 10))
def test_texts_become_thousandths_or_it_is_said_why_not(number: int, decimals: int) -> None:
    value = Decimal(number).scaleb(-decimals)
    (milli_,), (exact,), (fits,) = milli_of(pa.array(["0", format(value, "f")])[1:])
    assert exact == (value * 1000 == int(value * 1000))
    assert fits == (-(2**63) <= int(value * 1000) < 2**63)
    if exact and fits:
        assert milli_ == value * 1000


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
