"""The compiled loops of the scan, one by one."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from openami.shared.contract import scan_kernel as kernel
from openami.shared.contract.scan_records import DIGITS_MAX


def array(text: bytes) -> np.ndarray:
    return np.frombuffer(text, np.uint8)


@given(st.binary(max_size=60), st.integers(0, 60), st.integers(1, 255), st.binary(max_size=9))
def test_two_places_are_equal_where_no_byte_differs(text: bytes, at: int, change: int, between: bytes) -> None:
    text += b"12345678"  # shorter ones are not asked for
    twice = array(text + between + text)
    second = len(text + between)
    assert kernel._equal(twice, 0, second, len(text))
    assert kernel._equal(twice, 0, second, 0)
    other = bytearray(text)
    other[at % len(text)] ^= change
    assert not kernel._equal(array(text + between + other), 0, second, len(text))


def test_what_stands_behind_does_not_count() -> None:
    data = array(b"<a>12345</a>x<a>12345</a>y")
    assert kernel._equal(data, 0, 13, 12)
    assert not kernel._equal(data, 0, 13, 13)


@given(
    st.from_regex(r"[+-]?[0-9]{0,20}(\.[0-9]{0,20})?", fullmatch=True)
    | st.text("0123456789.+-", min_size=1, max_size=24)
)
@example("-0")
@example("0.000000000000000000001")
@example("999999999999999999")
@example("1000000000000000000")
@example("00000000000000000000.5")
@example("+.")
def test_a_number_is_what_decimal_reads(text: str) -> None:
    ok, whole, significant, decimals = kernel.number(array(text.encode()), 0, len(text))
    shaped = re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)", text)
    fits = shaped is not None and len(re.sub(r"\D", "", text).lstrip("0")) <= DIGITS_MAX
    assert ok == (fits or not text)
    if ok and text:
        assert Decimal(whole).scaleb(-decimals) == Decimal(text)
        assert significant == len(str(abs(whole)).lstrip("0"))


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@given(st.integers(-719_161 * 86_400, 2_932_896 * 86_400), st.integers(-14 * 60, 14 * 60))
def test_an_instant_is_what_datetime_reads(seconds: int, ahead_min: int) -> None:
    at = (EPOCH + timedelta(seconds=seconds)).replace(tzinfo=timezone(timedelta(minutes=ahead_min)))
    text = at.isoformat().encode()
    expected = (at - EPOCH) // timedelta(seconds=1)
    assert kernel._instant(array(text), 0, len(text)) == expected
    if not ahead_min:
        assert kernel._instant(array(text[:19] + b"Z"), 0, 20) == expected


@pytest.mark.parametrize(
    "text", [b"2026-02-29T00:00:00Z", b"2026-13-01T00:00:00Z", b"2026-03-01T24:00:00Z", b"2026-03-01 00:00:00Z",
             b"2026-03-01T00:00:00x", b"0000-03-01T00:00:00Z", b"2026-03-01T00:00:00+15:00", b"2026-04-31T00:00:00Z"],
)  # fmt: skip
def test_what_is_no_instant_is_none(text: bytes) -> None:
    assert kernel._instant(array(text), 0, len(text)) == kernel.NOT_A_TIME
