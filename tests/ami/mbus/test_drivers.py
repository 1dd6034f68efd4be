"""Drivers test themselves with the telegrams in their files; and no bytes of a manufacturer can hurt them."""

from __future__ import annotations

import json
import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from openami import cli
from openami.ami.mbus import Header, MBusError
from openami.ami.mbus import driver as driver_module
from openami.ami.mbus.compact import FormatBook, compact_form
from openami.ami.mbus.driver import Driver, add_drivers, drivers, known_formats, own_records, parse_driver
from openami.ami.mbus.errors import BadDriverError, ScrambledError, UnknownFormatError
from openami.ami.mbus.radio import decode_radio
from openami.ami.mbus.records import RawRecord, data_size, split_records
from openami.ami.telegrams.decode import decode
from openami.ami.telegrams.languages import mbus_reading

if TYPE_CHECKING:
    from collections.abc import Iterator

LONG_FRAME = 0x68
ANY = Header("12345678", "ABC", 1, 7, 0)


@pytest.mark.parametrize("driver", drivers(), ids=lambda driver: driver.name)
def test_a_driver_reads_its_own_telegrams(driver: Driver):
    assert driver.examples, "a driver without a telegram is not tested"
    for example in driver.examples:
        wired = example.octets[0] == LONG_FRAME
        (told,) = decode(example.octets, language="mbus" if wired else "wmbus", key=example.key)
        assert not told.error
        found = [
            (each.quantity, each.value.hex() if isinstance(each.value, bytes) else str(each.value), each.unit)
            for each in told.readings
        ]
        assert found == list(example.readings)


@given(st.sampled_from([driver.meters[0][0] for driver in drivers()]), st.integers(0, 255), st.integers(0, 255))
def test_the_drivers_of_a_model_are_those_that_speak_for_it(maker: str, version: int, medium: int):
    spoken = [driver for driver in drivers() if driver.speaks_for(maker, version, medium)]
    for driver in spoken:
        assert any(
            meter[0] == maker and meter[1] in ("*", f"{version:02X}") and meter[2] in ("*", f"{medium:02X}")
            for meter in driver.meters
        )
    found = driver_module._payloads_for(maker, version, medium)
    assert list(found) == [payload for driver in spoken for payload in driver.payloads]
    assert driver_module._payloads_for(maker, version, medium) is found, "looked up once"


def test_names_are_told_apart_and_meters_have_three_parts():
    assert len({driver.title for driver in drivers()}) == len(drivers())
    assert all(len(meter) == 3 for driver in drivers() for meter in driver.meters)


def number_of(part: str) -> int:
    return 1 if part == "*" else int(part, 16)


@given(
    st.sampled_from([driver for driver in drivers() if driver.payloads]),
    st.binary(max_size=80),
    st.booleans(),
    st.sampled_from([None, 0xA0, 0xA1, 0xA2, 0xB6]),
)
def test_any_bytes_of_a_manufacturer_are_read_or_refused(driver: Driver, data: bytes, behind: bool, information: int):
    maker, version, medium = driver.meters[0]
    header = Header("12345678", maker, number_of(version), number_of(medium), 0)
    try:
        own_records(header, data, information=information, head=bytes(8), behind_records=behind)
    except MBusError as error:
        assert error.hint  # noqa: PT017 - whichever error it is, it tells what to do


def test_a_scrambled_telegram_of_another_maker_is_refused():
    header = Header("10000006", "SAP", 0xD4, 1, 0)
    with pytest.raises(ScrambledError):
        own_records(header, bytes(20), information=0xA2, head=bytes(8))


def test_values_behind_tags_end_at_the_first_unknown_one():
    text = """
        title = "A model"
        meters = ["ABC * *"]
        [[payload]]
        behind_records = true
        field = [
            { quantity = "volume", tag = "10", at = 0, size = 2, exponent = 1, unit = "m3" },
            { quantity = "energy", tag = "20", at = 0, size = 2, unit = "Wh" },
        ]
        [payload.walk]
        start = 1
        sizes = { 10 = 2, 20 = 2 }
    """
    (payload,) = parse_driver("a", text).payloads
    assert [(each.quantity, each.value) for each in payload.read(b"\x00\x10\x05\x00\x20\x07\x00")] == [
        ("volume", 50),
        ("energy", 7),
    ]
    assert [each.value for each in payload.read(b"\x00\x10\x05\x00\x30\x20\x07\x00")] == [50]
    assert payload.read(b"\x00\x10\x05") == []


@pytest.mark.parametrize(
    ("place", "data", "value"),
    [
        ('at = 0, coding = "packed date"', "9F33", date(2025, 12, 31)),
        ('at = 0, coding = "packed date"', "0000", None),
        ('at = 0, coding = "day", after = 2', "10089F33", date(2026, 4, 1)),
        ('at = 0, coding = "day", after = 2', "10080000", None),
        ('at = 0, size = 3, coding = "bcd date"', "311225", date(2025, 12, 31)),
        ('at = 0, size = 3, coding = "bcd date"', "3A1225", None),
        ("at = [0, 2], exponent = -1", "59003100", Decimal("13.8")),
        ("at = 0, divide = 3", "0600", 2),
        ("at = 0, divide = 3", "0700", Decimal("2.333333")),
        ('at = 0, coding = "signed", exponent = 1', "FFFF", -10),
        ('at = 0, coding = "bcd"', "AB12", None),
        ('at = 0, coding = "twelve low"', "F123", 0x123),
        ('at = 0, coding = "twelve high"', "AC51", 0x5AC),
        ('at = 1, vif = 0, size = 4, coding = "bcd"', "1363961300", Decimal("139.663")),
        ("at = 1", "0000", None),
    ],
)
def test_codings(place: str, data: str, value: object):
    text = f'title = "A"\nmeters = []\n[[payload]]\nfield = [{{ quantity = "value", {place} }}]'
    found = parse_driver("a", text).payloads[0].read(bytes.fromhex(data))
    assert [each.value for each in found] == ([] if value is None else [value])


@given(
    st.lists(st.sampled_from(["0413", "0C78", "0DFD11", "02FD17", "426C", "8C0413"]), min_size=1, max_size=8), st.data()
)
def test_a_compact_frame_is_its_full_one(formats: list[str], data: st.DataObject):
    raws = []
    for each in formats:
        part = bytes.fromhex(each)
        first = b"\x05" if part[0] == 0x0D else b""
        size = data_size(part[0], first) - len(first)
        dib = 2 if part[0] & 0x80 else 1
        raws.append(RawRecord(part[:dib], part[dib:], first + data.draw(st.binary(min_size=size, max_size=size))))
    book = FormatBook()
    compact = compact_form(raws)
    with pytest.raises(UnknownFormatError, match="not seen in full"):
        book.expand(compact)
    book.learn(raws)
    assert book.expand(compact) == raws
    with pytest.raises(UnknownFormatError, match="checksum"):
        book.expand(compact[:2] + bytes((compact[2] ^ 1,)) + compact[3:])


@given(st.binary(max_size=60))
def test_any_bytes_are_no_compact_frame(data: bytes):
    book = FormatBook()
    with pytest.raises(MBusError):
        book.expand(data)
    signature = compact_form(split_records(bytes.fromhex("0413D2040000"))[0])[:2]
    book.learn(split_records(bytes.fromhex("0413D2040000"))[0])
    with pytest.raises(MBusError):
        book.expand(signature + data)


def test_formats_of_drivers_split_into_records():
    for parts in known_formats():
        assert all(len(part) >= 2 for part in parts)


def test_a_telegram_of_a_maker_without_driver_names_what_is_missing():
    body = bytes.fromhex("44 4304 78563412 01 07 A7") + bytes(8)
    with pytest.raises(MBusError, match="A7h") as error:
        decode_radio(bytes([len(body)]) + body)
    assert "ABC 01 07 needs a driver" in error.value.hint
    assert own_records(ANY, bytes(4)) is None


def test_a_reading_of_a_driver_is_named_like_any_other():
    (payload,) = next(driver for driver in drivers() if driver.name == "techem_water").payloads
    record = payload.read(bytes.fromhex("06 9F33 5900 1008 3100"))[1]
    assert mbus_reading(record, "UTC").quantity == "volume, storage 1"


@pytest.fixture
def no_drivers_added() -> Iterator[None]:
    yield
    driver_module._added.clear()
    driver_module._payloads_for.cache_clear()


GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "telegrams.md"


@pytest.mark.usefixtures("no_drivers_added")
def test_the_driver_of_the_guide_is_taken_from_a_folder(tmp_path: Path):
    text = next(
        block for block in re.findall(r"```toml\n(.*?)```", GUIDE.read_text(), re.DOTALL) if "meters = " in block
    )
    (tmp_path / "mine.toml").write_text(text)
    octets = parse_driver("mine", text).examples[0].octets
    assert "needs a driver" in decode(octets)[0].error
    for _ in range(2):  # taken twice it is there once
        (mine,) = add_drivers(tmp_path)
        assert [driver.name for driver in drivers()].count("mine") == 1
    test_a_driver_reads_its_own_telegrams(mine)
    assert "--drivers" in GUIDE.read_text()
    result = CliRunner().invoke(cli.app, ["decode", "--json", "--drivers", str(tmp_path), "-"], input=octets)
    assert json.loads(result.output)["readings"][0]["value"] == 4.711
    wrong = CliRunner().invoke(cli.app, ["decode", "--drivers", str(tmp_path / "nothing"), "-"], input=octets)
    assert "is no folder" in str(wrong.exception)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("meters = []", "'title' is missing"),
        ('title = "x"\nmeters = []\n[[payload]]\nfield = [{ quantity = "v" }]', "'at' is missing"),
        ('title = "x"\nmeters = []\n[[payload]]\nfield = [{ quantity = "v", at = 0, coding = "guess" }]', "guess"),
        ('title = "x"\nmeters = []\n[[payload]]\nfield = [{ quantity = "v", at = 0, colour = 1 }]', "colour"),
        ('title = "x"\nmeters = []\nformats = ["zz"]', "hexadecimal"),
        ("title =", "Invalid value"),
    ],
)
@pytest.mark.usefixtures("no_drivers_added")
def test_a_file_that_is_no_driver_says_why(tmp_path: Path, text: str, reason: str):
    (tmp_path / "bad.toml").write_text(text)
    with pytest.raises(BadDriverError, match=f"(?s)driver bad .*{reason}") as error:
        add_drivers(tmp_path)
    assert "guides/telegrams.md" in error.value.hint
    assert all(driver.name != "bad" for driver in drivers())


LAYOUTS = """
title = "A meter whose first byte says what follows"
meters = ["ABC * *"]
[[payload]]
behind_records = true
begins = "01"
field = [{ quantity = "voltage", at = 1, size = 1, mask = 0x0F, table = { 2 = "3.05", 3 = "3.7" }, unit = "V" }]
[[payload]]
behind_records = true
begins = "02"
field = [
    { quantity = "leak date", at = 1, size = 3, coding = "bcd year first" },
    { quantity = "volume", at = 4, coding = "unsigned or none", repeat = 2, step = 2, exponent = -2, unit = "m3" },
]
"""


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ("0102", [("voltage", Decimal("3.05"))]),
        ("01F3", [("voltage", Decimal("3.7"))]),
        ("01F4", []),
        ("01", []),
        ("022508310A00FFFF", [("leak date", date(2025, 8, 31)), ("volume", Decimal("0.10"))]),
        ("0200000001001400", [("volume", Decimal("0.01")), ("volume", Decimal("0.20"))]),
    ],
)
def test_the_first_byte_says_what_follows(data: str, found: list[tuple[str, object]]):
    octets = bytes.fromhex(data)
    payload = next(each for each in parse_driver("a", LAYOUTS).payloads if octets.startswith(each.begins))
    assert [(record.quantity, record.value) for record in payload.read(octets)] == found


def test_a_first_byte_that_no_driver_knows_is_left_as_it_is():
    header = Header("00000000", "BMT", 0x15, 7, 0)
    assert own_records(header, bytes.fromhex("05CA00000000"), behind_records=True)
    assert own_records(header, bytes.fromhex("41CA00000000"), behind_records=True) is None


@pytest.mark.parametrize(
    ("data", "value"), [("0000fa43", Decimal(500)), ("c3f54840", Decimal("3.14")), ("0000c0ff", None), ("0000fa", None)]
)
def test_a_floating_point_number_is_its_shortest_decimal(data: str, value: Decimal | None):
    text = 'title = "t"\nmeters = ["ABC * *"]\n[[payload]]\nrecord = "05FF2F"\n'
    text += 'field = [{ quantity = "pulse constant", at = 0, size = 4, coding = "float" }]\n'
    (payload,) = parse_driver("a", text).payloads
    assert [record.value for record in payload.read(bytes.fromhex(data))] == ([] if value is None else [value])
