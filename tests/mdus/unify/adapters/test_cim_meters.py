"""Meters of known form are read without a tree, and give the same readings as with one."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.mdus.unify.adapters.both_ways import by_columns, by_series, rows_of

from openami.mdus.unify.adapters import cim
from openami.mdus.unify.adapters.cim import Cim
from openami.mdus.unify.columns import Piece, joined, piece_of
from openami.shared.contract import field

if TYPE_CHECKING:
    from collections.abc import Callable


AT = datetime(2026, 3, 1, tzinfo=UTC)
CODE = field.ReadingTypeCode.parse("0.0.2.4.1.1.12.0.0.0.0.0.0.0.0.3.72.0")
NO_PERIOD = field.ReadingTypeCode.parse("0.0.0.4.1.1.12.0.0.0.0.0.0.0.0.3.72.0")
DIALS = [field.ReadingTypeCode.parse(f"0.0.0.1.{flow}.1.12.0.0.0.0.0.0.0.0.3.72.0") for flow in (1, 19)]
SETS = [(field.VALID_BY_DEVICE,), (field.KNOWN_MISSING_BY_AMS,), (field.QualityCode(1, 2, 32),)]


def meter(
    number: int, *, gap: bool = False, code: field.ReadingTypeCode = CODE, mixed: bool = False, reported: bool = False
) -> Any:
    draw = np.random.default_rng(number)
    keep = draw.random(24) > 0.2 if gap else np.ones(24, np.bool_)
    index = draw.integers(0, 4, 24)[keep] if mixed else np.zeros(int(keep.sum()), np.int64)
    block = field.IntervalBlock.of(
        code, (1772323200 + 900 * np.arange(24))[keep], 900, np.where(index == 2, 0, draw.integers(0, 9000, 24)[keep]),
        missing=index == 2, qualities=SETS, quality_index=index.astype(np.uint16),
        reported=AT + timedelta(days=1, seconds=number) if reported else None,
    )  # fmt: skip
    registers = tuple(
        field.Reading(reading_type=dial, at=AT + timedelta(days=day), value=Decimal(number * 7 + day).scaleb(-day))
        for day in range(2) for dial in DIALS
    )  # fmt: skip
    meter_ = field.Identity.named(f"M{number}", "SerialNumber")
    return field.MeterReading(meter=meter_, blocks=(block, block), readings=registers)


def document(*meters: Any) -> bytes:
    return field.encode(field.event(field.Verb.CREATED, field.MeterReadings(meters), source="A", at=AT))


CIM = Cim(scan_from_bytes=0)
PLAIN = document(*map(meter, range(6)))


def agree(data: bytes) -> None:
    assert by_columns(CIM, data) == by_series(CIM, data)


def untouched(data: bytes) -> int:
    """How many meters no tree was made of."""
    pieces = [one for one in CIM.columns(io.BytesIO(data)) if isinstance(one, Piece)]
    return sum(len(one.columns.identities) for one in pieces)


def test_all_but_the_first_two_meters_need_no_tree() -> None:
    assert untouched(PLAIN) == 4
    agree(PLAIN)


def test_gaps_and_qualities_need_none_either() -> None:
    data = document(*(meter(number, gap=True, mixed=True) for number in range(8)))
    assert untouched(data) == 6
    agree(data)


def test_when_they_were_reported_is_told() -> None:
    data = document(*(meter(number, reported=True) for number in range(4)))
    assert untouched(data) == 2
    agree(data)


def test_meters_without_intervals_need_none() -> None:
    bare = [replace(meter(number), blocks=()) for number in range(10, 14)]
    data = document(*map(meter, range(3)), *bare)
    assert untouched(data) == 4
    agree(data)


def test_forms_may_alternate() -> None:
    data = document(*(meter(number, code=(CODE, NO_PERIOD)[number % 2]) for number in range(8)))
    assert untouched(data) == 5  # the first, and one of each form
    agree(data)


def indented(data: bytes) -> bytes:
    return data.replace(b"><", b">\n    <")


def without_periods(data: bytes) -> bytes:
    begin, end = data.index(b"<timePeriod>"), data.index(b"</timePeriod>")
    while begin >= 0:
        data = data[:begin] + data[end + 13 :]
        begin, end = data.find(b"<timePeriod>"), data.find(b"</timePeriod>")
    return data


def with_comment(data: bytes) -> bytes:
    return data.replace(b"<m:Header>", b"<!-- made by hand --><m:Header>")


@pytest.mark.parametrize("dress", [indented, without_periods, with_comment])
def test_other_plain_forms_need_none(dress: Callable[[bytes], bytes]) -> None:
    data = dress(PLAIN)
    assert untouched(data) == 4
    agree(data)


ODD = [
    (b"<name>M", b"<name>M&amp;"),
    (b"<name>M", b"<name>M\xc3\xa9"),
    (b"<name>M", b"<name>M\xff"),
    (b"<name>M", b"<name>" + 90 * b"M"),
    (b"<name>M", b"<name> M"),
    (b"<name>SerialNumber", b"<name>DeviceID"),
    (b"</Readings>", b"<reason>billing</reason></Readings>"),
    (b"</Readings>", b"<password>x</password></Readings>"),
    (b"<Meter>", b"<Meter><mRID>5</mRID>"),
    (b"<Meter>", b"<UsagePoint><mRID>5</mRID></UsagePoint><Meter>"),
    (b"<MeterReading>", b"<MeterReading><MeterReading/>"),
    (b"<MeterReading>", b"<MeterReading a='b'>"),
    (b"<MeterReading>", b"<MeterReading>text"),
    (b"<MeterReading>", b"<MeterReading><!-- hm -->"),
    (b"<MeterReading>", b"<MeterReading><Readings><value>1</value></Readings>"),
    (b"</MeterReading>", b"</MeterReading></MeterReadings><MeterReadings>"),
    (b"</MeterReading>", b"</MeterReading><MeterReading></MeterReading>"),
    (b"</MeterReading>", b"</MeterReading>text"),
    (b"</MeterReading>", b""),
    (b"</IntervalBlocks>", b"</IntervalBlocks><IntervalBlocks></IntervalBlocks>"),
    (b"T00:15:00Z</start>", b"T00:20:00Z</start>"),
    (b"T00:15:00Z</start>", b"T00:15:00+01:00</start>"),
    (b'1.12.0.0.0.0.0.0.0.0.3.72.0"', b'1.12.0.0.0.0.0.0.0.0.3.72.x"'),
    (b"UTF-8", b"UTF-7"),
]


@pytest.mark.parametrize("count", [1, 40, -1])
@pytest.mark.parametrize(("old", "new"), ODD)
def test_whatever_is_odd_both_ways_agree(old: bytes, new: bytes, count: int) -> None:
    assert old in PLAIN
    agree(PLAIN.replace(old, new, count))
    front, behind = PLAIN[: len(PLAIN) // 2], PLAIN[len(PLAIN) // 2 :]
    agree(front + behind.replace(old, new, count))  # when the form of the others is known already


def test_what_stands_before_a_broken_place_is_taken() -> None:
    broken = PLAIN.replace(b"<name>M5", b"<name>M\xff")
    assert untouched(broken) == 3
    agree(broken)


register = PLAIN.rindex(b"<Readings>")


@settings(max_examples=100, deadline=None)
@given(st.text("0123456789.+-eTZ:", max_size=30), st.sampled_from([b"value", b"timeStamp"]))
def test_whatever_a_register_says_both_ways_agree(text: str, tag: bytes) -> None:
    begin = PLAIN.index(b"<%s>" % tag, register) + len(tag) + 2
    end = PLAIN.index(b"</%s>" % tag, register)
    agree(PLAIN[:begin] + text.encode() + PLAIN[end:])


@settings(max_examples=150, deadline=None)
@given(
    st.integers(len(PLAIN) // 2, len(PLAIN)), st.integers(0, 30),
    st.binary(max_size=10) | st.sampled_from([b"<", b"9", b"</value>", b"<!--", b"</MeterReading>", b"<MeterReading>"]),
)  # fmt: skip
def test_however_a_file_is_damaged_both_ways_agree(position: int, cut: int, insert: bytes) -> None:
    agree(PLAIN[:position] + insert + PLAIN[position + cut :])


@pytest.mark.parametrize("size", [500, 3_000, 20_011])
def test_pieces_of_any_size_give_the_same(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    expected = by_series(CIM, PLAIN)
    monkeypatch.setattr(cim, "_CHUNK", size)
    assert by_columns(CIM, PLAIN) == expected


def test_small_files_go_to_the_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = by_series(CIM, PLAIN)

    def scan(_: bytes) -> None:
        raise AssertionError("a second of work for a file of milliseconds")

    monkeypatch.setattr(cim, "scan_readings", scan)
    assert by_columns(Cim(), PLAIN) == by_series(Cim(), PLAIN) == expected


def test_pieces_are_joined_in_their_order() -> None:
    pieces = [one if isinstance(one, Piece) else piece_of(one.series) for one in CIM.columns(io.BytesIO(PLAIN))]
    together = joined([*pieces, piece_of(())])
    separate = Counter[Any]()
    for one in pieces:
        separate += rows_of(one.columns, range(len(one.columns)))
    every = np.arange(len(together.columns))
    assert rows_of(together.columns, every.tolist()) == separate
    assert {one.meter.label() for one in together.rows(every).series} == {f"M{number}" for number in range(6)}
