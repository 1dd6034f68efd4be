"""Whatever we can say, we can read back; whatever arrives is a message or a refusal."""

from __future__ import annotations

import contextlib
from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from types import UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openami.shared.contract import field
from openami.shared.contract.field.nouns import NOUNS
from openami.shared.contract.field.readings import MeterReadings

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from openami.shared.contract.field.envelope import Noun

AT = datetime(2026, 3, 1, 2, 10, tzinfo=UTC)
# Leaf texts are trimmed on reading, and an absent optional text is None rather than empty.
TEXTS = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_categories=["Cc"]), min_size=1, max_size=8)
INSTANTS = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - zone below
DECIMALS = st.decimals(-(10**9), 10**9, allow_nan=False, places=3)
SMALL = st.integers(0, 300)

SCALARS: dict[Any, SearchStrategy[Any]] = {
    str: TEXTS,
    datetime: INSTANTS,
    date: st.dates(date(1990, 1, 1), date(2100, 1, 1)),
    Decimal: DECIMALS,
    int: SMALL,
    bool: st.booleans(),
    field.ReadingTypeCode: st.lists(SMALL, min_size=18, max_size=18).map(lambda n: field.ReadingTypeCode(*n)),
    field.QualityCode: st.builds(field.QualityCode, SMALL, SMALL, SMALL),
    field.EventCode: st.builds(field.EventCode, SMALL, SMALL, SMALL, SMALL),
    field.ControlCode: st.builds(field.ControlCode, SMALL, SMALL, SMALL, SMALL),
    field.Level: st.sampled_from(field.Level),
}


@cache
def values_of(cls: Any) -> SearchStrategy[Any]:
    """Values of a dataclass by its annotations; optional parts are rare and lists short, or trees explode."""
    if cls in SCALARS:
        return SCALARS[cls]
    hints = get_type_hints(cls)
    return st.builds(cls, **{each.name: _field_of(hints[each.name]) for each in fields(cls)})


def _field_of(hint: Any) -> SearchStrategy[Any]:
    if get_origin(hint) is tuple:
        return st.lists(values_of(get_args(hint)[0]), max_size=1).map(tuple)
    if get_origin(hint) in {Union, UnionType}:
        inner = next(arm for arm in get_args(hint) if arm is not type(None))
        return st.none() | values_of(inner)
    return values_of(hint)


def codes() -> SearchStrategy[field.QualityCode]:
    return st.builds(field.QualityCode, SMALL, SMALL, SMALL)


@st.composite
def blocks(draw: st.DrawFn) -> field.IntervalBlock:
    """A block as a writer could mean it; the scale is never coarser than the multiplier of the code."""
    interval_s, code = draw(st.sampled_from([(900, 2), (1800, 5), (3600, 7)]))
    count = draw(st.integers(1, 12))
    multiplier = draw(st.sampled_from([-3, 0, 3]))
    sets = draw(st.lists(st.lists(codes(), min_size=1, max_size=2).map(tuple), max_size=3, unique=True))
    index = np.array(draw(st.lists(st.integers(0, len(sets)), min_size=count, max_size=count)), np.uint16)
    used = [each for number, each in enumerate(sets, 1) if number in index]
    first_use = sorted(used, key=lambda each: int(np.flatnonzero(index == sets.index(each) + 1)[0]))
    index = np.array([0 if not n else first_use.index(sets[n - 1]) + 1 for n in index.tolist()], np.uint16)
    missing = np.array(draw(st.lists(st.booleans(), min_size=count, max_size=count)))
    numbers = np.array(draw(st.lists(st.integers(-(10**12), 10**12), min_size=count, max_size=count)), np.int64)
    return field.IntervalBlock.of(
        field.ReadingTypeCode(measuring_period=code, accumulation=4, multiplier=multiplier, unit=72),
        draw(st.integers(0, 2_000_000)) * 900 + interval_s * np.arange(count),
        interval_s,
        np.where(missing, 0, numbers),
        scale=multiplier if missing.all() else multiplier - draw(st.integers(0, 4)),
        missing=missing,
        qualities=first_use,
        quality_index=index,
        reported=draw(st.none() | INSTANTS.map(lambda instant: instant.replace(microsecond=0))),
        source=draw(st.none() | TEXTS),
    )


REGISTERS = st.builds(
    field.Reading,
    reading_type=st.builds(field.ReadingTypeCode, multiplier=st.just(3), unit=st.just(72), accumulation=st.just(1)),
    at=INSTANTS,
    value=st.none() | DECIMALS,
    qualities=st.lists(codes(), max_size=2).map(tuple),
)
METER_READINGS: SearchStrategy[Noun] = st.builds(
    MeterReadings,
    st.lists(
        st.builds(
            field.MeterReading,
            blocks=st.lists(blocks(), max_size=2).map(tuple),
            readings=st.lists(REGISTERS, max_size=2).map(tuple),
        ),
        max_size=3,
    ).map(tuple),
)


def payloads(cls: Any) -> SearchStrategy[Any]:
    return METER_READINGS if cls is MeterReadings else values_of(cls)


@pytest.mark.parametrize("noun", sorted(NOUNS))
@pytest.mark.parametrize("typed", [False, True])
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)
@given(data=st.data())
def test_every_noun_comes_back_as_it_was(noun: str, typed: bool, data: st.DataObject) -> None:
    payload = data.draw(payloads(NOUNS[noun]))
    verb = data.draw(st.sampled_from([field.Verb.CREATE, field.Verb.CREATED, field.Verb.REPLY, field.Verb.CANCEL]))
    header = data.draw(headers(verb, "MeterReadings" if noun == "GetMeterReadings" else noun))
    envelope = field.Envelope(header=header, payload=payload)
    found = field.decode(field.encode(envelope, typed=typed))
    assert found == envelope
    assert not found.refusals
    assert not found.notes


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(readings=METER_READINGS)
def test_what_was_written_ahead_is_sent_as_if_it_had_not_been(readings: MeterReadings) -> None:
    ahead = MeterReadings(tuple(map(field.write_ahead, readings.readings)))
    header = field.event(field.Verb.CREATED, readings, source="AMS1", at=AT).header
    plain = field.encode(field.Envelope(header=header, payload=readings))
    assert field.encode(field.Envelope(header=header, payload=ahead)) == plain
    assert ahead == readings


BLOCK = field.IntervalBlock.of(
    field.ReadingTypeCode.parse("0.0.2.4.1.1.12.0.0.0.0.0.0.0.0.3.72.0"),
    np.array([0, 900, 1800]),
    900,
    np.array([412, 0, 12_345]),
    missing=np.array([False, True, False]),
    qualities=[(field.QualityCode(1, 0, 0),), (field.KNOWN_MISSING_BY_AMS,)],
    quality_index=np.array([1, 2, 1], np.uint16),
    reported=AT,
    source="AMS1",
)
ALIKE = replace(BLOCK, values=np.array([7, 0, 8]))
UNLIKE = [
    replace(BLOCK, starts=BLOCK.starts + 900),
    replace(BLOCK, missing=np.array([True, False, False]), values=np.array([0, 5, 6])),
    replace(BLOCK, quality_index=np.array([0, 2, 1], np.uint16)),
    replace(BLOCK, quality_sets=(*BLOCK.quality_sets[:2], (field.QualityCode(1, 4, 2),))),
    replace(BLOCK, reported=AT + timedelta(seconds=1)),
    replace(BLOCK, source="AMS2"),
    replace(
        BLOCK,
        starts=BLOCK.starts[:0],
        values=BLOCK.values[:0],
        missing=BLOCK.missing[:0],
        quality_index=BLOCK.quality_index[:0],
    ),
]


@pytest.mark.parametrize("other", [ALIKE, *UNLIKE])
def test_a_block_is_written_as_it_is_whatever_stands_before_it(other: field.IntervalBlock) -> None:
    header = field.event(field.Verb.CREATED, MeterReadings(), source="AMS1", at=AT).header
    payload = MeterReadings((field.MeterReading(blocks=(BLOCK, other, BLOCK, ALIKE)),))
    found = field.decode(field.encode(field.Envelope(header=header, payload=payload))).payload
    assert isinstance(found, MeterReadings)
    for written, read in zip(payload.readings[0].blocks, found.readings[0].blocks, strict=True):
        assert read.starts.tolist() == written.starts.tolist()
        assert read.missing.tolist() == written.missing.tolist()
        energies = [[Decimal(value).scaleb(each.scale) for value in each.values.tolist()] for each in (read, written)]
        assert energies[0] == energies[1]
        told = [[each.quality_sets[index] for index in each.quality_index] for each in (read, written)]
        assert told[0] == told[1]
        if len(written):
            assert (read.reported, read.source) == (written.reported, written.source)


@given(
    reason=st.none() | TEXTS,
    source=st.none() | TEXTS,
    times=st.lists(st.tuples(INSTANTS, INSTANTS, st.none() | st.integers(-(10**9), 10**9)), max_size=4),
)
def test_registers_that_share_their_frame_keep_what_is_their_own(
    reason: str | None, source: str | None, times: list[tuple[datetime, datetime, int | None]]
) -> None:
    readings = tuple(
        field.Reading(
            reading_type=BLOCK.reading_type,
            at=at,
            value=None if value is None else Decimal(value).scaleb(-3),
            qualities=(field.VALID_BY_DEVICE,),
            reason=reason,
            reported=reported,
            source=source,
        )
        for at, reported, value in times
    )
    payload = MeterReadings((field.MeterReading(readings=readings),))
    header = field.event(field.Verb.CREATED, payload, source="AMS1", at=AT).header
    found = field.decode(field.encode(field.Envelope(header=header, payload=payload))).payload
    assert isinstance(found, MeterReadings)
    assert found.readings[0].readings == readings


@st.composite
def headers(draw: st.DrawFn, verb: field.Verb, noun: str) -> field.Header:
    user = draw(st.none() | TEXTS)
    return field.Header(
        verb=verb,
        noun=noun,
        timestamp=draw(INSTANTS),
        source=draw(TEXTS),
        message_id=str(draw(st.uuids())),
        correlation_id=str(draw(st.uuids())),
        context=draw(st.none() | TEXTS),
        async_reply=draw(st.booleans()),
        reply_address=draw(st.none() | TEXTS),
        ack_required=draw(st.none() | st.booleans()),
        user_id=user,
        organization=None if user is None else draw(TEXTS),
        comment=draw(st.none() | TEXTS),
        properties=tuple(draw(st.lists(st.tuples(TEXTS, TEXTS), max_size=2))),
    )


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_queries_and_replies_come_back_as_they_were(data: st.DataObject) -> None:
    request = field.Request(
        start=data.draw(st.none() | INSTANTS),
        end=data.draw(st.none() | INSTANTS),
        options=tuple(data.draw(st.lists(st.tuples(TEXTS, TEXTS), max_size=2))),
        ids=tuple(data.draw(st.lists(TEXTS, max_size=2))),
        query=data.draw(st.none() | values_of(field.GetMeterReadings)),
    )
    asked = field.Envelope(header=data.draw(headers(field.Verb.GET, "MeterReadings")), request=request)
    assert field.decode(field.encode(asked)) == asked
    reply = field.Reply(
        result=data.draw(st.sampled_from(field.Result)),
        errors=tuple(data.draw(st.lists(values_of(field.FieldError).filter(_names_its_object), max_size=3))),
        ids=tuple(data.draw(st.lists(TEXTS, max_size=2))),
        operation_id=data.draw(st.none() | SMALL),
    )
    answered = field.Envelope(header=data.draw(headers(field.Verb.REPLY, "MeterReadings")), reply=reply)
    assert field.decode(field.encode(answered)) == answered


def _names_its_object(error: field.FieldError) -> bool:
    """A kind of object without an object has no place in the schema."""
    return error.object_name is not None or error.object_type is None


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_refusal(data: bytes) -> None:
    with pytest.raises(field.FieldContractError):
        field.decode(data)


WHOLE = field.encode(
    field.event(
        field.Verb.CREATED,
        field.MeterReadings(
            (
                field.MeterReading(
                    meter=field.Identity.named("M1", "SerialNumber"),
                    blocks=(
                        field.IntervalBlock.of(
                            field.ReadingTypeCode.parse("0.0.2.4.1.1.12.0.0.0.0.0.0.0.0.3.72.0"),
                            900 * np.arange(3, dtype=np.int64),
                            900,
                            np.array([412, 0, 7]),
                            qualities=[(field.VALID_BY_DEVICE,)],
                            quality_index=np.ones(3, np.uint16),
                        ),
                    ),
                ),
            )
        ),
        source="AMS-1",
        at=AT,
        message_id="cdd3c641-3929-486f-b331-539e6b7adf94",
    )
)


@settings(max_examples=300)
@given(st.integers(0, len(WHOLE)), st.integers(0, 40), st.binary(max_size=12))
def test_a_damaged_message_is_a_message_or_a_refusal(position: int, cut: int, insert: bytes) -> None:
    with contextlib.suppress(field.FieldContractError):
        assert field.decode(WHOLE[:position] + insert + WHOLE[position + cut :]).header.message_id
