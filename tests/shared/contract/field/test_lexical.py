"""Single texts and values."""

from __future__ import annotations

import contextlib
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.shared.contract.field import lexical
from openami.shared.contract.field.errors import (
    BadInstantError,
    BadValueError,
    FieldContractError,
    InstantWithoutOffsetError,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01T00:15:00Z", datetime(2026, 3, 1, 0, 15, tzinfo=UTC)),
        ("2026-03-01T08:15:00+08:00", datetime(2026, 3, 1, 0, 15, tzinfo=UTC)),
        ("2026-03-01T04:45:00+04:30", datetime(2026, 3, 1, 0, 15, tzinfo=UTC)),
        ("2026-02-28T24:00:00Z", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2017-10-11T19:19:12.1554361Z", datetime(2017, 10, 11, 19, 19, 12, 155436, tzinfo=UTC)),
        (" 2026-03-01T00:15:00.5Z ", datetime(2026, 3, 1, 0, 15, 0, 500000, tzinfo=UTC)),
    ],
)
def test_instants_are_read_in_every_form_that_the_schema_allows(text: str, expected: datetime) -> None:
    assert lexical.parse_instant(text) == expected


@pytest.mark.parametrize(
    "text", ["", "false", "10/11/2017 7:19:12 PM", "2026-02-30T00:00:00Z", "2026-03-01", "0001-01-01T00:00:00+14:00"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(BadInstantError, match="not a time"):
        lexical.parse_instant(text)


def test_a_stamp_without_offset_needs_an_agreed_zone() -> None:
    with pytest.raises(InstantWithoutOffsetError, match="offset"):
        lexical.parse_instant("2026-07-01T00:00:00")
    agreed = lexical.parse_instant("2026-07-01T00:00:00", "Europe/Amsterdam")
    assert agreed == datetime(2026, 6, 30, 22, tzinfo=UTC)


@given(st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1)), st.integers(-14, 14))  # noqa: DTZ001 - the zone is drawn
def test_an_instant_comes_back_from_its_text(local: datetime, hours: int) -> None:
    instant = local.replace(tzinfo=timezone(timedelta(hours=hours)))
    assert lexical.parse_instant(lexical.format_instant(instant)) == instant


def test_a_naive_time_is_never_written() -> None:
    with pytest.raises(InstantWithoutOffsetError):
        lexical.format_instant(datetime(2026, 3, 1))  # noqa: DTZ001 - the point of the test


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15, places=6))
def test_a_decimal_comes_back_from_its_text(value: Decimal) -> None:
    assert lexical.parse_decimal(lexical.format_decimal(value)) == value


@pytest.mark.parametrize("text", ["", "1e5", "NaN", "0x1", "1,5", "\u0663", "1_000"])
def test_what_is_no_decimal_is_refused(text: str) -> None:
    with pytest.raises(BadValueError):
        lexical.parse_decimal(text)


def test_infinity_is_never_written() -> None:
    with pytest.raises(BadValueError):
        lexical.format_decimal(Decimal("Infinity"))


@given(st.text(max_size=20))
def test_any_text_gives_a_value_or_a_refusal(text: str) -> None:
    for parse in (
        lexical.parse_instant, lexical.parse_boolean, lexical.parse_integer, lexical.parse_decimal, lexical.parse_date,
    ):  # fmt: skip
        with contextlib.suppress(FieldContractError):
            parse(text)


def test_booleans_integers_and_dates() -> None:
    assert [lexical.parse_boolean(text) for text in ("true", "1", "True", "false", "0")] == [True] * 3 + [False] * 2
    assert lexical.parse_integer("-12") == -12
    assert lexical.parse_date("2026-03-01+01:00") == date(2026, 3, 1)
