"""Files of the field seam and packed Arrow and Parquet files; what is in no format."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import ipc, parquet
from tests.mdus.unify.adapters.both_ways import by_columns, by_series

from openami.mdus.unify import adapters
from openami.mdus.unify.adapters import cim
from openami.mdus.unify.adapters.cim import Cim
from openami.mdus.unify.adapters.packed import Packed
from openami.shared.contract import field

AT = datetime(2026, 3, 1, tzinfo=UTC)
CODE = field.ReadingTypeCode.parse("0.0.2.4.1.1.12.0.0.0.0.0.0.0.0.3.72.0")
DIAL = field.ReadingTypeCode.parse("0.0.0.1.1.1.12.0.0.0.0.0.0.0.0.3.72.0")


def meter(number: int) -> field.MeterReading:
    block = field.IntervalBlock.of(
        CODE, 1772323200 + 900 * np.arange(96), 900, np.arange(96) + number,
        qualities=[(field.VALID_BY_DEVICE,)], quality_index=np.ones(96, np.uint16),
    )  # fmt: skip
    register = field.Reading(reading_type=DIAL, at=AT, value=Decimal("12.345"))
    return field.MeterReading(meter=field.Identity.named(f"M{number}"), blocks=(block,), readings=(register,))


def message(count: int) -> bytes:
    readings = field.MeterReadings(tuple(map(meter, range(count))))
    return field.encode(field.event(field.Verb.CREATED, readings, source="AMS-1", at=AT))


def test_a_message_file_is_read_as_the_field_door_would() -> None:
    data = message(3)
    assert adapters.sniff(data[:4096]).name == "iec61968-9"
    (batch,) = Cim().read(io.BytesIO(data))
    found = adapters.summarise("x", "iec61968-9", [batch])
    assert [(each["id"], each["count"], each["sum"]) for each in found["channels"][:2]] == [
        (f"M0/{CODE}", 96, 4.56), (f"M0/{DIAL}", 1, 12.345),
    ]  # fmt: skip
    assert found["channels"][0]["qualities"] == {"1.0.0": 96}
    assert not found["refused"]
    decoded = field.decode(data).payload
    assert isinstance(decoded, field.MeterReadings)
    blocks = [each for reading in batch.payload.readings for each in reading.blocks]
    assert blocks == [block for reading in decoded.readings for block in reading.blocks]


def test_a_long_file_comes_in_bounded_batches() -> None:
    batches = list(Cim().read(io.BytesIO(message(1050))))
    assert len(batches) == 2
    assert sum(len(series.block) for batch in batches for series in batch.series if series.block.interval_s) == 100_800


def test_pieces_of_any_size_give_the_same_readings(monkeypatch: pytest.MonkeyPatch) -> None:
    data = message(40)
    whole = [series.block for batch in Cim().read(io.BytesIO(data)) for series in batch.series]
    assert len(whole) == 80
    for size in (1000, 40_000, 170_003):
        monkeypatch.setattr(cim, "_CHUNK", size)
        parts = [series.block for batch in Cim().read(io.BytesIO(data)) for series in batch.series]
        assert parts == whole


def test_a_file_with_comments_is_read_by_the_parser_alone() -> None:
    data = message(3)
    odd = data.replace(b"<IntervalReadings>", b"<!-- <IntervalReadings> --><IntervalReadings>", 5)
    blocks = [
        [series.block for batch in Cim().read(io.BytesIO(each)) for series in batch.series] for each in (data, odd)
    ]
    assert blocks[0] == blocks[1]


def test_bad_parts_of_a_file_are_refused_and_the_others_stand() -> None:
    data = message(2).replace(b"<value>0.001</value>", b"<value>x</value>", 1)
    (batch,) = Cim().read(io.BytesIO(data))
    assert sum(len(series.block) for series in batch.series if series.block.interval_s) == 191
    assert batch.refusals[0].object_name == "M0"


@pytest.mark.parametrize("scan_from_bytes", [0, 1 << 18])
def test_a_register_of_too_many_digits_is_refused_and_the_others_stand(scan_from_bytes: int) -> None:
    second = field.Reading(reading_type=DIAL, at=AT + timedelta(days=1), value=Decimal(13))
    meters = [replace(meter(number), readings=(*meter(number).readings, second)) for number in range(4)]
    sent = field.event(field.Verb.CREATED, field.MeterReadings(tuple(meters)), source="AMS-1", at=AT)
    whole = field.encode(sent)
    assert whole.count(b"<value>12.345</value>") == 4
    parts = whole.split(b"<value>12.345</value>")
    data = b"<value>12.345</value>".join(parts[:3]) + b"<value>1234567890123456789.5</value>" + parts[3]
    data += b"<value>12.345</value>" + parts[4]
    adapter = Cim(scan_from_bytes=scan_from_bytes)
    batches = [*adapter.read(io.BytesIO(data))]
    (refusal,) = (one for batch in batches for one in batch.refusals)
    assert (refusal.position, refusal.object_name) == (f"MeterReading[3]/Readings {DIAL}", "M2")
    assert "1234567890123456789.5 at 2026-03-01T00:00:00" in refusal.reason
    kept = [one for batch in batches for one in batch.series if one.registers]
    both = [Decimal("12.345"), Decimal(13)]
    assert [[each.value for each in one.registers] for one in kept] == [both, both, both[1:], both]
    assert by_columns(adapter, data) == by_series(adapter, data)


def test_event_files_are_read_too() -> None:
    events = [field.EndDeviceEvent(created=AT, code=field.event_code("power.off")) for _ in range(3)]
    data = field.encode(field.event(field.Verb.CREATED, field.EndDeviceEvents(tuple(events)), source="A", at=AT))
    found = adapters.summarise("x", "y", Cim().read(io.BytesIO(data.replace(b"3.26.0.47", b"?", 1))))
    assert (found["events"], len(found["refused"])) == (2, 1)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<!DOCTYPE x [<!ENTITY y 'z'>]>" + message(1).split(b"?>")[1], "document type"),
        (message(1)[:-30], "not well-formed"),
        (message(1).replace(b"http://iec.ch/TC57/2011/MeterReadings#", b"urn:mine"), "name space"),
        (b"", "not well-formed"),
    ],
)
def test_hostile_and_broken_files_are_refused(data: bytes, reason: str) -> None:
    refusals = [refusal for batch in Cim().read(io.BytesIO(data)) for refusal in batch.refusals]
    assert reason in refusals[-1].reason


def table(**changes: Any) -> pa.Table:
    facts: dict[str, Any] = {
        "meter": ["M1", "M2"],
        "reading_type": [str(CODE), str(CODE)],
        "start": pa.array([AT, AT], pa.timestamp("us", "UTC")),
        "interval_s": [900, 900],
        "scale": [0, 0],
        "values": [[1, 2, None], [4] * 96],
    }
    return pa.table(facts | changes)


def written(kind: str, data: pa.Table) -> bytes:
    sink = io.BytesIO()
    if kind == "parquet":
        parquet.write_table(data, sink)
    else:
        with ipc.new_file(sink, data.schema) as writer:
            writer.write_table(data)
    return sink.getvalue()


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_packed_files_are_read_row_by_row_of_days(kind: str) -> None:
    data = written(kind, table(quality=["1.0.0", "2.8.0 1.4.9"]))
    assert adapters.sniff(data[:4096]).name == "packed"
    (batch,) = Packed().read(io.BytesIO(data))
    first, second = batch.series
    assert (first.block.values.tolist(), first.block.missing.tolist()) == ([1, 2, 0], [False, False, True])
    assert first.block.starts[0] == int(AT.timestamp())
    assert second.block.quality_sets[1] == (field.QualityCode(2, 8, 0), field.QualityCode(1, 4, 9))
    assert batch.payload.readings[1].label == "M2"


def test_seconds_may_be_plain_integers_and_slices_keep_their_values() -> None:
    many = 5000
    data = table(
        meter=[f"M{n}" for n in range(many)], reading_type=[str(CODE)] * many, start=[n * 900 for n in range(many)],
        interval_s=[900] * many, scale=[0] * many, values=[[n, n + 1] for n in range(many)],
    )  # fmt: skip
    series = [each for batch in Packed().read(io.BytesIO(written("arrow", data))) for each in batch.series]
    assert [each.block.values[0] for each in series] == list(range(many))
    assert [int(each.block.starts[0]) for each in series[:3]] == [0, 900, 1800]


def test_bad_rows_are_refused_by_number() -> None:
    data = table(reading_type=["1.2.3", str(CODE)], interval_s=pa.array([900, None], pa.int32()))
    (batch,) = Packed().read(io.BytesIO(written("arrow", data)))
    assert batch.series == ()
    assert [refusal.position for refusal in batch.refusals] == ["row 1", "row 2"]


def test_bad_files_are_refused() -> None:
    (batch,) = Packed().read(io.BytesIO(written("parquet", table().drop_columns(["scale"]))))
    assert "scale" in batch.refusals[0].reason
    (batch,) = Packed().read(io.BytesIO(written("parquet", table())[:-40]))
    assert "cannot be read" in batch.refusals[0].reason


SCHEMA = b'<xs:schema xmlns:m="http://iec.ch/TC57/2011/MeterReadings#"><xs:element name="MeterReadings"/></xs:schema>'


@pytest.mark.parametrize("head", [b"", b"hello", b"a,b,c\n1,2,3\n", b"<html/>", SCHEMA])
def test_a_file_in_no_known_format_is_told(head: bytes) -> None:
    with pytest.raises(adapters.UnknownFormatError, match="nem12"):
        adapters.sniff(head)


def test_an_adapter_can_be_named() -> None:
    for adapter in adapters.ADAPTERS:
        assert adapters.adapter_named(adapter.name) is adapter
    with pytest.raises(adapters.UnknownFormatError):
        adapters.adapter_named("nonsense")
