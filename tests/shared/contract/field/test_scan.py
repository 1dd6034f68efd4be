"""The scan over the bytes and the XML parser give the same answer, or the scan stands back."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from openami.shared.contract import field
from openami.shared.contract.field import wire
from openami.shared.contract.field.markup import DEFAULT_LIMITS
from openami.shared.contract.field.scan import scan_readings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AT = datetime(2026, 3, 1, tzinfo=UTC)
CODE = field.ReadingTypeCode.parse("0.0.2.4.1.1.12.0.0.0.0.0.0.0.0.3.72.0")
SETS = [
    (field.VALID_BY_DEVICE,),
    (field.KNOWN_MISSING_BY_AMS,),
    (field.QualityCode(1, 4, 9), field.QualityCode(1, 2, 32)),
]


@pytest.fixture(autouse=True, scope="module")
def _scan_small_messages_too() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wire, "SCAN_FROM_BYTES", 0)
        yield


def block(
    count: int, seed: int = 0, source: str | None = "AMS-1", reported: datetime | None = AT, slots: int = -1
) -> field.IntervalBlock:
    """A block of `count` readings, of those the ones whose bits are set in `slots`."""
    draw = np.random.default_rng(seed)
    index, values = draw.integers(0, 4, count), draw.integers(-5, 10**6, count)
    kept = np.flatnonzero([slots >> slot & 1 for slot in range(count)])
    missing = index[kept] == 2
    return field.IntervalBlock.of(
        CODE, 1772323200 + 900 * kept, 900, np.where(missing, 0, values[kept]),
        missing=missing, qualities=SETS, quality_index=index[kept].astype(np.uint16), reported=reported, source=source,
    )  # fmt: skip


def message(*blocks: field.IntervalBlock) -> bytes:
    readings = tuple(field.MeterReading(meter=field.Identity.named(f"M{n}"), blocks=(b,)) for n, b in enumerate(blocks))
    return field.encode(field.event(field.Verb.CREATED, field.MeterReadings(readings), source="A", at=AT))


def slowly(data: bytes) -> field.Envelope:
    return wire._decode(data, None, DEFAULT_LIMITS, None)


def agree(data: bytes) -> None:
    try:
        expected = slowly(data)
    except field.FieldContractError as error:
        with pytest.raises(type(error)):
            field.decode(data)
        return
    found = field.decode(data)
    assert found == expected
    assert found.notes == expected.notes
    assert [(each.code, each.object_name) for each in found.refusals] == [
        (each.code, each.object_name) for each in expected.refusals
    ]


PLAIN = message(block(5, 1), block(4, 2), block(1, 3))


def test_our_own_messages_are_scanned_whole() -> None:
    scan = scan_readings(PLAIN)
    assert scan is not None
    assert [len(run.values) for run in scan.runs] == [5, 4, 1]
    assert b"<value>" not in scan.rest
    agree(PLAIN)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 12), st.integers(0, 99)), min_size=1, max_size=5),
    st.sampled_from(["AMS-1", None]), st.sampled_from([AT, None]),
)  # fmt: skip
def test_both_ways_read_what_we_write(
    shapes: list[tuple[int, int]], source: str | None, reported: datetime | None
) -> None:
    data = message(*(block(count, seed, source, reported) for count, seed in shapes))
    assert scan_readings(data) is not None
    agree(data)


def indented(data: bytes) -> bytes:
    return data.replace(b"><", b">\n    <")


def with_offsets(data: bytes) -> bytes:
    return data.replace(b"00Z</", b"00+00:00</")


def with_prefix(data: bytes) -> bytes:
    inner = data.replace(b'<MeterReadings xmlns="', b'<x:MeterReadings xmlns:x="')
    tags = """MeterReadings MeterReading IntervalBlocks IntervalReadings timeStamp value timePeriod end start
        reportedDateTime source ReadingQualities Meter Names name"""
    for tag in tags.split():
        inner = inner.replace(f"<{tag}>".encode(), f"<x:{tag}>".encode())
        inner = inner.replace(f"</{tag}>".encode(), f"</x:{tag}>".encode())
    return inner.replace(b"<ReadingQualityType", b"<x:ReadingQualityType").replace(b"<ReadingType", b"<x:ReadingType")


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 2**12 - 1), st.integers(0, 3)), min_size=2, max_size=6),
    st.sampled_from([bytes, indented, with_offsets]), st.sampled_from([AT, None]),
)  # fmt: skip
def test_blocks_of_the_same_day_with_gaps_of_their_own(
    shapes: list[tuple[int, int]], dress: Callable[[bytes], bytes], reported: datetime | None
) -> None:
    """A record is held against the one at its place in the block before: here some lack it, or are of another form."""
    data = dress(message(*(block(12, seed, reported=reported, slots=slots) for slots, seed in shapes)))
    scan = scan_readings(data)
    assert scan is not None
    assert [len(run.values) for run in scan.runs] == [slots.bit_count() for slots, _ in shapes]
    agree(data)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 3), st.integers(0, 400), st.sampled_from(b"0129<>/ Z.") | st.integers(0, 255))
def test_a_record_that_differs_in_one_byte_from_its_twin(number: int, offset: int, byte: int) -> None:
    data = message(*(block(3, 1, slots=7) for _ in range(4)))
    at = [one.start() for one in re.finditer(b"<IntervalBlocks>", data)][number] + offset
    agree(data[:at] + bytes([byte]) + data[at + 1 :])


@pytest.mark.parametrize("dress", [indented, with_offsets, with_prefix])
def test_other_plain_forms_are_scanned_too(dress: object) -> None:
    data = dress(PLAIN)  # type: ignore[operator] # one of the three above
    assert scan_readings(data) is not None
    agree(data)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<value>", b"<value> "),
        (b"00:15:00Z", b"00:15:00.5Z"),
        (b"00:15:00Z", b"24:15:00Z"),
        (b"<value>", b"<value>1e"),
        (b"1.0.0", b"1.0.x"),
        (b"<source>AMS-1</source>", b"<source>AMS&amp;1</source>"),
        (b"<IntervalReadings>", b'<IntervalReadings a="b">'),
        (b"<IntervalReadings>", b"<IntervalReadings><!-- hm -->"),
        (b"<IntervalReadings>", b"<!--<IntervalReadings>"),
        (b"</IntervalReadings>", b""),
        (b"</IntervalReadings>", b"</IntervalReadings></IntervalReadings>"),
        (b"<timePeriod>", b"<extra>x</extra><timePeriod>"),
        (b"<IntervalReadings>", b'<IntervalReadings scanned="00-0"/><IntervalReadings>'),
        (b'<ReadingType ref="0', b'<ReadingType ref="x'),
        (b"<IntervalReadings>", b"<IntervalReadings/><IntervalReadings>"),
        (b"<IntervalReadings>", b"x<IntervalReadings>"),
        (b"</end><start>", b"</end>  <start>"),
        (b"UTF-8", b"ISO-8859-1"),
        (b"<MeterReading>", b"<MeterReading><?pi <IntervalReadings> ?>"),
        (b"<MeterReading>", b"<MeterReading><![CDATA[<IntervalReadings>]]>"),
        (b"<?xml", b"<!DOCTYPE x [<!ENTITY e 'x'>]><?xml"),
        (b"03-01T", b"02-29T"),
        (b"03-01T", b"13-01T"),
        (b"00Z</end>", b"00+15:00</end>"),
        (b"<value>", b"<value>000000000000000000000"),
        (b"<value>", b"<value>-"),
        (b"<value>", b"<value>12345678901234567"),
        (b"</value>", b".250</value>"),
    ],
)
@pytest.mark.parametrize("count", [1, -1])
def test_whatever_is_odd_both_ways_agree(old: bytes, new: bytes, count: int) -> None:
    assert old in PLAIN
    agree(PLAIN.replace(old, new, count))


@given(st.text("0123456789.+-", min_size=1, max_size=26))
@example("+0.0")
@example(".")
@example("-.5")
@example("0" * 25)
@example("9" * 19)
def test_whatever_stands_in_a_value_both_ways_agree(text: str) -> None:
    value = b"<value>%s</value>" % text.encode()
    agree(PLAIN.replace(PLAIN[PLAIN.index(b"<value>") : PLAIN.index(b"</value>") + 8], value))


@given(st.integers(0, 24), st.sampled_from(b"0123456789TZ:.+-9 "), st.integers(0, 2))
def test_whatever_stands_in_a_time_both_ways_agree(place: int, character: int, which: int) -> None:
    tag = (b"<timeStamp>", b"<start>", b"<end>")[which]
    at = PLAIN.index(tag) + len(tag) + place
    agree(PLAIN[:at] + bytes([character]) + PLAIN[at + 1 :])


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, len(PLAIN)), st.integers(0, 30), st.binary(max_size=10) | st.sampled_from([b"<", b"9", b"</value>"])
)
@example(PLAIN.index(b"<value>") + 7, 1, b"")
@example(PLAIN.index(b"</IntervalReadings>"), 0, b" ")
@example(PLAIN.index(b'ref="1.0.0"') + 5, 5, b"\x80....")
def test_however_a_message_is_damaged_both_ways_agree(position: int, cut: int, insert: bytes) -> None:
    agree(PLAIN[:position] + insert + PLAIN[position + cut :])


def test_a_block_that_is_only_partly_plain_is_read_by_the_parser() -> None:
    odd = PLAIN.replace(b"</IntervalReadings><IntervalReadings>", b"</IntervalReadings>text<IntervalReadings>", 1)
    assert scan_readings(odd) is None  # two runs, one block
    agree(odd)
    found = field.decode(odd).payload
    assert isinstance(found, field.MeterReadings)
    assert len(found.readings[0].blocks[0]) == 5


def test_a_document_cannot_name_a_run_of_ours() -> None:
    scan = scan_readings(PLAIN)
    again = scan_readings(PLAIN)
    assert scan is not None
    assert again is not None
    assert scan.token != again.token
    assert scan.run_of(f"{again.token}-0") is None
    assert scan.run_of(None) is None


def test_a_calculation_or_a_strange_length_is_noticed_on_both_ways() -> None:
    half_hours = PLAIN.replace(str(CODE).encode(), str(CODE).replace("0.0.2.", "0.0.5.").encode())
    found = field.decode(half_hours)
    assert {each.reason.split(":")[0] for each in found.refusals} == {
        "a period that is not the 1800 s of the reading type"
    }
    agree(half_hours)
