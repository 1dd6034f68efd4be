"""Frames of real meters (BSD-3-Clause, see the vectors' SOURCES.md) against the values another decoder found.

Each frame has its values twice: in base units (`.norm.xml`), and as sent, beside the unit that they count (`.xml`).
"""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest
from lxml import etree

from openami.ami.mbus import FixedData, LocalTime, LongFrame, MBusError, VariableData, decode, decode_telegram
from openami.ami.mbus.errors import (
    ChecksumError,
    ControlInformationError,
    FrameLengthError,
    FrameStartError,
    HeaderTruncatedError,
    RecordTruncatedError,
    SlaveError,
    TextTooLongError,
    TooManyExtensionsError,
)
from openami.ami.mbus.header import medium_name
from openami.ami.mbus.records import Function, Record

VECTORS = Path(__file__).parents[2] / "vectors" / "mbus" / "libmbus"
GOOD = sorted(VECTORS.glob("test-frames/*.hex"))
FAULTY = sorted([*VECTORS.glob("error-frames/*.hex"), *VECTORS.glob("unsupported-frames/*.hex")])
SAID = sorted(VECTORS.glob("error-frames/*.xml"))
UNITS = {"m^3": "m3", "m^3/h": "m3/h", "-": "", "Units for H.C.A.": "units"}
QUANTITIES = {
    "Fabrication No": "fabrication number",
    "H.C.A.": "heat cost allocation",
    "Model / Version": "model and version",
    "Time point (date)": "time point",
    "Time point (date & time)": "time point",
}
COUNTED = re.compile(
    r"(?:[A-Z].*? \()?\s*(?P<step>\d[\d.e-]*)?\s*(?P<prefix>my|m|k|M|)\s*"
    r"(?P<symbol>Wh|J|W|m\^3/h|m\^3|deg C|%RH|V|A|seconds|hours|days)\)?"
)
PREFIXES = {"my": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1), "k": Decimal(1000), "M": Decimal(1_000_000)}
SYMBOLS = {"m^3": "m3", "m^3/h": "m3/h", "deg C": "°C", "%RH": "", "seconds": "s", "hours": "s", "days": "s"}
SECONDS = {"hours": 3600, "days": 86_400}
FUNCTIONS = {
    "Instantaneous value": Function.INSTANTANEOUS,
    "Maximum value": Function.MAXIMUM,
    "Minimum value": Function.MINIMUM,
    "Value during error state": Function.ERROR_STATE,
}
ERRORS = {
    "application_busy": SlaveError,
    "premature_end_of_data2": RecordTruncatedError,
    "premature_end_of_dif1": RecordTruncatedError,
    "premature_end_of_dif2": RecordTruncatedError,
    "premature_end_of_record": SlaveError,
    "too_long_var_vif": TextTooLongError,
    "too_many_difes": SlaveError,
    "too_many_records": SlaveError,
    "too_many_vife": TooManyExtensionsError,
    "too_short_header": HeaderTruncatedError,
    "unimplemented_ci": SlaveError,
    "invalid_length": FrameLengthError,
    "invalid_length2": HeaderTruncatedError,
    "manual_frame1": FrameStartError,
    "manual_frame6": ControlInformationError,
}


def octets(path: Path) -> bytes:
    text = path.read_text()
    if path.stem == "manual_frame1":  # its first digit is missing upstream as well
        text = "0" + text
    return bytes.fromhex(text)


def telegram_of(path: Path) -> VariableData | FixedData:
    frame = decode(octets(path))
    assert isinstance(frame, LongFrame)
    return decode_telegram(frame)


def expected_of(path: Path, suffix: str = ".norm.xml") -> etree._Element:
    return etree.fromstring(path.with_name(path.stem + suffix).read_bytes())


def test_all_vectors_are_there():
    assert (len(GOOD), len(FAULTY), len(SAID)) == (46, 15, 5)


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_identity(path: Path):
    slave = expected_of(path).find("SlaveInformation")
    assert slave is not None
    telegram = telegram_of(path)
    if isinstance(telegram, FixedData):
        assert telegram.identification == slave.findtext("Id")
        assert telegram.access_number == int(slave.findtext("AccessNumber") or "")
        return
    header = telegram.header
    assert header.identification == (slave.findtext("Id") or "").zfill(8)
    assert header.manufacturer == slave.findtext("Manufacturer")
    assert header.version == int(slave.findtext("Version") or "")
    assert header.access_number == int(slave.findtext("AccessNumber") or "")
    assert header.status == int(slave.findtext("Status") or "", 16)
    assert f"{header.configuration:04X}" == slave.findtext("Signature")
    medium = (slave.findtext("Medium") or "").split(" (")[0].lower().replace(": ", " ").replace(" / ", " ")
    assert medium_name(header.medium).split()[0] == medium.split()[0]


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_records(path: Path):
    telegram = telegram_of(path)
    elements = [element for element in expected_of(path).findall("DataRecord") if len(element)]
    if isinstance(telegram, FixedData):
        assert [str(counter.value) for counter in telegram.counters] == [each.findtext("Value") for each in elements]
        return
    functions = [element.findtext("Function") for element in elements]
    assert telegram.more_records_follow == ("More records follow" in functions)
    elements = [element for element in elements if element.findtext("Function") in FUNCTIONS]
    records = [record for record in telegram.records if record.quantity != "reserved"]
    for element, record in zip(elements, records, strict=True):
        check(element, record)


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_records_as_they_were_sent(path: Path):
    telegram, elements = telegram_of(path), expected_of(path, ".xml").findall("DataRecord")
    if isinstance(telegram, FixedData):
        expected = [(each.findtext("Value"), each.findtext("Unit")) for each in elements]
        shown = [
            (str(each.value), "reserved but historic" if each.historic else each.unit) for each in telegram.counters
        ]
        assert shown == expected
        return
    elements = [element for element in elements if element.findtext("Function") in FUNCTIONS]
    for element, record in zip(elements, telegram.records, strict=True):
        check_place(element, record)
        check_counted(element.findtext("Unit") or "", element.findtext("Value") or "", record)


def check_counted(unit: str, value: str, record: Record) -> None:
    """The value is a count of the unit, which holds a power of ten: `Volume (1e-2  m^3)`."""
    counted = COUNTED.fullmatch(unit)
    if counted is None or record.value is None:
        assert counted or record.unit in ("", "units"), unit
        check_value(value, record)
        return
    step, prefix, symbol = counted.group("step", "prefix", "symbol")
    difference = unit.startswith("Temperature Difference")  # which they count in degrees, and we in kelvins
    assert record.unit == ("K" if difference else SYMBOLS.get(symbol, symbol))
    one = Decimal(step or 1) * PREFIXES[prefix] * SECONDS.get(symbol, 1)
    check_value(str(Decimal(value) * one), record, max(one, Decimal(1)))


def check(element: etree._Element, record: Record) -> None:
    quantity, unit = element.findtext("Quantity") or "", element.findtext("Unit") or ""
    check_place(element, record)
    assert record.quantity in (quantity, QUANTITIES.get(quantity, quantity.lower()))
    assert record.unit == UNITS.get(unit, unit.replace("Â", ""))
    check_value(element.findtext("Value") or "", record)


def check_place(element: etree._Element, record: Record) -> None:
    assert record.function is FUNCTIONS[element.findtext("Function") or ""]
    assert record.storage == int(element.findtext("StorageNumber") or "")
    assert record.tariff == int(element.findtext("Tariff") or "0")
    assert record.subunit == int(element.findtext("Device") or "0")


def check_value(expected: str, record: Record, one: Decimal = Decimal(1)) -> None:
    """Numbers are printed with six digits behind the point, of `one`."""
    match record.value:
        case bytes() as data:  # the manufacturer's own: the other decoder guesses a number
            assert data in record.raw.data
        case LocalTime(wall, _, valid):
            assert not valid or f"{wall:%Y-%m-%dT%H:%M:00}" == expected.removesuffix("Z")
        case None:  # no digits of BCD, no date: we say so, the other decoder prints something
            raw = record.raw.data
            assert raw == bytes(len(raw)) or any(nibble > "9" for nibble in raw.hex())
        case int() | Decimal() as number:
            assert abs(number - Decimal(expected)) <= Decimal("1e-6") * (one + abs(Decimal(expected)))
        case other:
            assert str(other) == expected


@pytest.mark.parametrize("path", FAULTY, ids=lambda path: path.stem)
def test_faulty_frames_are_refused_with_their_reason(path: Path):
    with pytest.raises(MBusError) as caught:
        telegram_of(path)
    assert type(caught.value) is ERRORS[path.stem]
    assert caught.value.hint


@pytest.mark.parametrize("path", SAID, ids=lambda path: path.stem)
def test_what_a_slave_reports_is_said_in_the_words_of_the_other_decoder(path: Path):
    said = expected_of(path, ".xml").findtext("SlaveInformation/Error") or ""
    with pytest.raises(SlaveError) as caught:
        telegram_of(path.with_suffix(".hex"))
    assert letters(caught.value.meaning) == letters(said)


def letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def test_a_damaged_byte_is_found_by_the_checksum():
    damaged = bytearray(octets(GOOD[0]))
    damaged[20] ^= 0x01
    with pytest.raises(ChecksumError):
        decode(bytes(damaged))


def test_pymeterbus_frame():
    telegram = telegram_of(VECTORS.parent / "pymeterbus" / "test-frames__WEP-indoor.hex")
    assert isinstance(telegram, VariableData)
    assert telegram.header.manufacturer == "WEP"
