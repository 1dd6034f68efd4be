"""P1 telegrams of six countries (MIT, see the vectors' SOURCES.md) against the values another parser found."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.ami.iec62056_21 import DataSetError
from openami.ami.p1 import (
    P1Error,
    P1Object,
    P1Telegram,
    TelegramChecksumError,
    TelegramCutError,
    TelegramSplitter,
    TelegramTooLongError,
    decode_p1,
)
from openami.ami.p1.stream import TELEGRAM_OCTETS_MAX
from openami.ami.p1.telegram import local_time, unhex
from openami.ami.telegrams.checksums import crc16_arc

VECTORS = Path(__file__).parents[2] / "vectors" / "p1"
FILES = sorted(path for path in VECTORS.glob("*.txt") if not path.name.startswith("LICENSE"))
ZONE = "Europe/Amsterdam"
ENERGY = {"active_power_import": "1.8.0", "active_power_export": "2.8.0", "reactive_power_import": "3.8.0"}
DSMR = {
    "ELECTRICITY_USED_TARIFF_1": "1-0:1.8.1",
    "ELECTRICITY_USED_TARIFF_2": "1-0:1.8.2",
    "ELECTRICITY_DELIVERED_TARIFF_1": "1-0:2.8.1",
    "ELECTRICITY_DELIVERED_TARIFF_2": "1-0:2.8.2",
    "CURRENT_ELECTRICITY_USAGE": "1-0:1.7.0",
    "CURRENT_ELECTRICITY_DELIVERY": "1-0:2.7.0",
    "ACTUAL_TRESHOLD_ELECTRICITY": "0-0:17.0.0",
    "INSTANTANEOUS_VOLTAGE_L1": "1-0:32.7.0",
    "INSTANTANEOUS_CURRENT_L3": "1-0:71.7.0",
    "INSTANTANEOUS_ACTIVE_POWER_L1_POSITIVE": "1-0:21.7.0",
    "VOLTAGE_SAG_L3_COUNT": "1-0:72.32.0",
    "LONG_POWER_FAILURE_COUNT": "0-0:96.7.9",
    "BELGIUM_CURRENT_AVERAGE_DEMAND": "1-0:1.4.0",
    "BELGIUM_MAXIMUM_DEMAND_MONTH": "1-0:1.6.0",
}
SWEDISH = {
    "active_power_import_total": "1-0:1.8.0",
    "active_power_export_total": "1-0:2.8.0",
    "reactive_power_import_total": "1-0:3.8.0",
    "reactive_power_export_total": "1-0:4.8.0",
    "active_power_import": "1-0:1.7.0",
    "voltage_l1": "1-0:32.7.0",
    "current_l2": "1-0:51.7.0",
}


def expected(path: Path) -> dict[str, Any]:
    values = json.loads((VECTORS / f"{path.stem}.expected.json").read_text())["values"]
    assert isinstance(values, dict)
    return values


def test_all_vectors_are_there():
    assert len(FILES) == 10


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_values(path: Path):
    telegram = decode_p1(path.read_bytes())
    names = expected(path)
    compared = 0
    for name, obis in (DSMR | SWEDISH).items():
        if name not in names:
            continue
        found = telegram.find(obis)
        assert found is not None
        assert found.number is not None
        compared += 1
        if name in SWEDISH:  # in W and Wh there, in kW and kWh here; volts and amperes are the same
            factor = 1000 if found.value.unit.startswith("k") else 1
            assert abs(found.number * factor - Decimal(str(names[name]))) <= 1  # the other parser cuts a float
        else:
            assert found.number == Decimal(str(names[name]["value"]))
            assert found.value.unit == (names[name]["unit"] or "")
    assert compared >= 3 or path.stem == "telegram_unpadded_crc"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_times_and_slaves(path: Path):
    telegram, names = decode_p1(path.read_bytes()), expected(path)
    if "P1_MESSAGE_TIMESTAMP" in names:
        assert telegram.time is not None
        assert telegram.time.instant(ZONE) == datetime.fromisoformat(names["P1_MESSAGE_TIMESTAMP"]["value"])
    for device in names.get("MBUS_DEVICES", []):
        for name, value in device.items():
            if name.endswith("METER_READING") and value["value"]:
                check_slave(telegram, device["CHANNEL_ID"], value)


def check_slave(telegram: P1Telegram, channel: int, value: dict[str, Any]) -> None:
    found = [each for each in telegram.objects if each.obis.startswith(f"0-{channel}:24.2.")]
    assert [each.number for each in found] == [Decimal(str(value["value"]))]
    assert found[0].value.unit == value["unit"]
    assert found[0].time is not None
    assert found[0].time.instant(ZONE) == datetime.fromisoformat(value["datetime"])


def test_history_becomes_one_object_a_row():
    telegram = decode_p1((VECTORS / "telegram_fluvius_v171.txt").read_bytes())
    demands = [each for each in telegram.objects if each.obis == "1-0:1.6.0"]
    wanted = expected(VECTORS / "telegram_fluvius_v171.txt")["BELGIUM_MAXIMUM_DEMAND_13_MONTHS"]
    assert [(each.number, stamp(each)) for each in demands[1:]] == [
        (Decimal(str(row["value"])), datetime.fromisoformat(row["occurred"])) for row in wanted
    ]


def stamp(each: P1Object) -> datetime:
    assert each.time is not None
    return each.time.instant(ZONE)


def test_serials_and_texts():
    assert decode_p1((VECTORS / "telegram_v5.txt").read_bytes()).serial == "K8EG004046395507"
    assert unhex("00000000000000") == "00000000000000"
    assert unhex("no hex") == "no hex"
    assert local_time("260229000000W") is None
    assert local_time("soon") is None


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_stream_cut_anywhere_gives_whole_telegrams(path: Path):
    whole = path.read_bytes()
    line = whole[len(whole) // 2 :] + whole.rstrip() + b"\r\n" + whole.rstrip() + b"\r\n"
    splitter = TelegramSplitter()
    telegrams = [each for start in range(0, len(line), 7) for each in splitter.feed(line[start : start + 7])]
    telegrams += splitter.feed(b"\r\n")
    assert telegrams[-1].rstrip() == whole.rstrip()
    assert decode_p1(telegrams[-1]) == decode_p1(whole)
    assert len([each for each in telegrams if each.rstrip() == whole.rstrip()]) == 2


@given(st.binary(max_size=400), st.binary(max_size=400))
def test_any_bytes_are_a_telegram_or_an_error(head: bytes, body: bytes):
    for octets in (head, b"/" + head + b"\r\n" + body + b"!", b"/X\r\n\r\n1-0:1.8.0(" + body + b")\r\n!\r\n"):
        try:
            decode_p1(octets)
        except (P1Error, DataSetError) as error:
            assert error.hint  # noqa: PT017 - whichever error it is, it tells what to do


@given(st.lists(st.binary(max_size=3000), max_size=8))
def test_any_stream_leaves_the_splitter_bounded(pieces: list[bytes]):
    splitter = TelegramSplitter()
    taken = sum(len(each) for piece in pieces for each in splitter.feed(piece))
    assert splitter.pending_bytes <= TELEGRAM_OCTETS_MAX
    assert taken + splitter.dropped_bytes + splitter.pending_bytes == sum(len(piece) for piece in pieces)


def test_what_is_wrong_is_named():
    good = (VECTORS / "telegram_v5.txt").read_bytes()
    with pytest.raises(TelegramChecksumError):
        decode_p1(good.replace(b"000004.426", b"000004.427"))
    with pytest.raises(TelegramCutError):
        decode_p1(good[10:])
    with pytest.raises(TelegramTooLongError):
        decode_p1(bytes(TELEGRAM_OCTETS_MAX + 1))
    with pytest.raises(DataSetError):
        decode_p1(b"/X\r\n\r\nno data set\r\n!\r\n")


def test_the_check_value_of_the_checksum():
    assert crc16_arc(b"123456789") == 0xBB3D
