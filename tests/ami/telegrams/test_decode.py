"""What do these bytes say? Every vector in its own language, told and not told."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.ami.dlms.hdlc.frames import Frame, FrameKind, HdlcAddress
from openami.ami.mbus.compact import compact_form
from openami.ami.mbus.records import split_records
from openami.ami.telegrams.decode import OCTETS_MAX, TooMuchToDecodeError, UnknownLanguageError, decode, from_hex
from openami.ami.telegrams.languages import LANGUAGES, server_text
from openami.ami.telegrams.model import json_value
from openami.ami.telegrams.units import unit_of_code

VECTORS = Path(__file__).parents[2] / "vectors"
MBUS = sorted((VECTORS / "mbus" / "libmbus" / "test-frames").glob("*.hex"))
P1 = sorted(path for path in (VECTORS / "p1").glob("*.txt") if not path.name.startswith("LICENSE"))
ALL = [("mbus", path) for path in MBUS] + [("p1", path) for path in P1] + [("sml", VECTORS / "sml" / "ttyUSB0-2.dump")]


@pytest.mark.parametrize(("language", "path"), ALL, ids=lambda value: getattr(value, "stem", value))
def test_the_language_is_found(language: str, path: Path):
    octets = path.read_bytes()
    found = decode(octets)
    assert {telegram.language for telegram in found} == {language}
    assert all(telegram.meter and telegram.readings and not telegram.error for telegram in found)
    assert decode(octets, language=language) == found
    for telegram in found:
        told = json.loads(json.dumps(telegram.as_json()))
        assert set(told) == {"language", "meter", "time", "readings", "error"}
        assert all(
            set(each) in ({"obis", "value", "unit", "time"}, {"quantity", "value", "unit", "time"})
            for each in told["readings"]
        )


def test_a_readout_is_the_last_guess():
    (line,) = (VECTORS / "iec62056_21" / "smartmeter-obis_d0_telegrams.jsonl").read_text().splitlines()
    (told,) = decode(json.loads(line)["telegram"].encode())
    assert (told.language, told.readings[0].obis, told.readings[0].value) == ("iec62056-21", "6.8", Decimal("29.055"))


def test_a_damaged_p1_telegram_is_not_taken_for_a_readout():
    damaged = (
        (VECTORS / "p1" / "telegram_v5.txt").read_bytes().replace(b"1-0:1.8.1(000004.426", b"1-0:1.8.1(000004.427")
    )
    (told,) = decode(damaged)
    assert told.language == "p1"
    assert "CRC" in told.error
    assert not told.readings


def test_many_telegrams_in_one_file():
    frames = b" ".join(path.read_bytes().strip() for path in MBUS)
    told = decode(b"# all of them\n" + frames)
    assert len(told) == len(MBUS)
    assert {telegram.language for telegram in told} == {"mbus"}


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (b"68 03\n03 68", b"\x68\x03\x03\x68"),
        (b"0x68 0x03", b"\x68\x03"),
        (b"# comment\n6803", b"\x68\x03"),
        (b"680", b"680"),
        (b"\xef\xbb\xbf68-03:10|0A_16,68", b"\x68\x03\x10\x0a\x16\x68"),
        (b"/ISK5\r\n", b"/ISK5\r\n"),
        (b"", b""),
    ],
)
def test_hexadecimal_text(text: bytes, plain: bytes):
    assert from_hex(text) == plain


@given(st.binary(max_size=300))
def test_any_bytes_are_answered(octets: bytes):
    told = decode(octets)
    assert told
    assert all(telegram.readings or telegram.error or telegram.language != "unknown" for telegram in told)
    for language in LANGUAGES:
        assert decode(octets, language=language)


def test_what_cannot_be_decoded_says_so():
    assert "Nothing was understood" in decode(b"hello")[0].error
    assert "no whole telegram" in decode(b"hello", language="p1")[0].error
    assert decode(b"68 03 03 68 08", language="mbus")[0].error
    with pytest.raises(UnknownLanguageError, match="mbus"):
        decode(b"", language="klingon")
    with pytest.raises(TooMuchToDecodeError):
        decode(bytes(OCTETS_MAX + 1))


def test_half_a_byte_is_told_of(fixtures: Path):
    (row,) = [row for row in driver_rows(fixtures) if row["driver"] == "qwaterv2" and row["id"] == "33333333"]
    (told,) = decode(row["telegram_hex"].encode())
    assert told.error == "There are 123 hexadecimal digits, an odd number: one is missing, or one is too many."
    (told,) = decode(row["telegram_hex"][:-1].encode())
    assert "odd number" not in told.error


def driver_rows(fixtures: Path) -> list[dict[str, Any]]:
    lines = (fixtures / "wmbus" / "wmbusmeters_driver_tests.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_of_all_telegrams_of_the_drivers_two_say_nothing_with_their_keys(fixtures: Path):
    """One is a compact frame whose full form nobody sent, of one there is half a byte too much."""
    silent = []
    for row in driver_rows(fixtures):
        key = bytes.fromhex(row["key"]) if len(row["key"] or "") == 32 else None
        told = decode(row["telegram_hex"].encode(), key=key)
        assert all(each.language in {"wmbus", "mbus", "unknown"} for each in told)
        silent += [(row["driver"], each.error) for each in told if each.error or not each.readings]
    assert [driver for driver, _ in silent] == ["kamwater", "qwaterv2"]
    assert "was not seen in full" in silent[0][1]


def test_json_keeps_values_exact():
    assert json_value(Decimal("1605.055")) == 1605.055
    assert json_value(Decimal("12.0")) == 12
    assert json_value(Decimal("0.1000000000000000000001")) == "0.1000000000000000000001"
    assert json_value(b"\x01\xff") == "01ff"
    assert json_value(date(2026, 3, 1)) == "2026-03-01"
    assert json_value(None) is None


def test_server_ids_as_printed_on_the_meter():
    assert server_text(bytes.fromhex("0a01454d480000417d95")) == "1EMH0004291989"
    assert server_text(bytes.fromhex("0901454d48000041f045")) == "0901454D48000041F045"


def test_a_radio_telegram_with_and_without_its_key():
    plain = "2E44A5119870659930037A060020052F2F0C933E842784060A3B00000A5A5901C4016D3B37DF2CCC01933E24032606"
    (told,) = decode(plain.encode())
    assert (told.language, told.meter) == ("wmbus", "DME99657098")
    assert (told.readings[0].quantity, told.readings[0].value, told.readings[0].unit) == (
        "volume, at base conditions", Decimal("6842.784"), "m3",
    )  # fmt: skip
    encrypted = bytes.fromhex("2E44A5119870659930037A06002005") + bytes(range(32))
    (told,) = decode(encrypted)
    assert (told.language, "encrypted" in told.error) == ("wmbus", True)
    assert "The key opens nothing readable" in decode(encrypted, key=bytes(16), language="wmbus")[0].error


DLMS = VECTORS / "dlms"
CAPTURES = sorted((DLMS / "captures").glob("*.log"))
PUSHES = [json.loads(line) for line in (DLMS / "han_payloads.jsonl").read_text().splitlines()]


def secret(path: Path) -> bytes | None:
    return bytes.fromhex(path.read_text().strip()) if path.exists() else None


def captured(path: Path) -> bytes:
    text = path.read_text(encoding="utf-8-sig")
    return bytes.fromhex("".join(digit for digit in text if digit in "0123456789abcdefABCDEF"))


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_pushes_of_nine_makes_are_found_and_opened(path: Path):
    key, auth_key = secret(path.with_suffix(".key")), secret(path.with_suffix(".gak"))
    told = decode(captured(path), key=key, auth_key=auth_key)
    assert [telegram.language for telegram in told] == ["dlms"]
    if path.stem == "hdlc_landis_gyr_zmf100":
        assert "checksum is wrong" in told[0].error, "the capture was edited"
        assert (told[0].meter, len(told[0].readings)) == ("40799390", 18)
        return
    if path.stem == "mbus_kmswest":
        assert "ciphered" in told[0].error, "its key was not published"
    else:
        assert told[0].readings
        assert told[0].meter


@pytest.mark.parametrize("row", PUSHES, ids=lambda row: f"{row['maker']}-{row['name']}")
def test_bare_pushes_of_consumer_ports(row: dict[str, Any]):
    (told,) = decode(bytes.fromhex(row["llc_and_apdu_hex"])[3:])
    assert (told.language, told.error) == ("dlms", "")
    assert decode(row["llc_and_apdu_hex"].encode()) == [told], "the link's header in front changes nothing"
    expected = row["decoded_by_amshan"]
    if "meter_id" in expected and row["maker"] != "kamstrup":
        assert told.meter == expected["meter_id"]
    power = next(each for each in told.readings if each.obis.endswith(":1.7.0"))
    assert power.value == expected["active_power_import"]


def test_pushes_in_the_tcp_wrapper():
    apdu = bytes.fromhex(PUSHES[0]["llc_and_apdu_hex"])[3:]
    wrapped = bytes.fromhex("0001 0001 0066") + len(apdu).to_bytes(2, "big") + apdu
    told = decode(wrapped + wrapped + b"\x00\x02garbage")
    assert [(telegram.language, len(telegram.readings)) for telegram in told] == [("dlms", 1), ("dlms", 1)]


def test_units_and_identities_that_a_push_leaves_out():
    (told,) = decode(captured(DLMS / "captures" / "raw_egd_example.log"))
    assert told.meter == "EGD012345", "the logical device name comes before the numbers of the utility"
    units = {each.obis: each.unit for each in told.readings}
    assert (units["1-0:1.7.0"], units["1-0:1.8.1"], units["0-0:17.0.0"]) == ("W", "Wh", "")
    assert unit_of_code(bytes((1, 0, 43, 8, 0, 255))) == "varh"
    assert unit_of_code(bytes((1, 0, 29, 7, 0, 255))) == "VA"
    assert unit_of_code(bytes((1, 0, 32, 7, 0, 255))) == "", "voltages are scaled, each maker in its own way"
    assert unit_of_code(bytes((7, 0, 1, 8, 0, 255))) == unit_of_code(bytes((1, 0, 81, 7, 0, 255))) == ""


def test_hdlc_with_octet_stuffing_and_without_a_message():
    plain = bytes.fromhex(PUSHES[0]["llc_and_apdu_hex"])
    frame = Frame(HdlcAddress(0x20), HdlcAddress(0x10), FrameKind.UI, plain).encode()
    inner = frame[1:-1].replace(b"\x7d", b"\x7d\x5d").replace(b"\x7e", b"\x7d\x5e").replace(b"\x01", b"\x7d\x21")
    assert decode(b"\x7e" + inner + b"\x7e") == decode(frame)
    (told,) = decode(bytes.fromhex("7ea00801020110378d7e"))
    assert (told.language, "no HDLC frame" in told.error) == ("dlms", True)


def test_a_push_in_blocks_tells_what_is_missing(fixtures: Path):
    lines = (fixtures / "dlms" / "swiss_push_frames_smartmeter-datacollector.jsonl").read_text().splitlines()
    rows = {row["name"]: "\n".join(row["hdlc_frames_hex"]).encode() for row in map(json.loads, lines)}
    (told,) = decode(rows["UNENCRYPTED_INVALID_DATA"])
    assert (told.language, "a block of it is missing" in told.error) == ("dlms", True)
    (told,) = decode(rows["ENCRYPTED_DATA_NO_PUSHLIST"])
    assert "4c475a6773781fd0 is ciphered" in told.error


RADIO = "2E44A5119870659930037A060020052F2F0C933E842784060A3B00000A5A5901C4016D3B37DF2CCC01933E24032606"


@pytest.mark.parametrize(
    "text",
    [
        f"{RADIO}\n{RADIO}\n",
        f"1122{RADIO}33{RADIO}",
        f"T1;1;1;2019-04-03 19:10:42.000;97;148;99657098;0x{RADIO.lower()}\n# 2E44A511\nC1;0;0;;;;;0x{RADIO}\n",
        f"2020-08-10 20:40:47,,,Wireless-MBus,,99657098,,CRC,,,{RADIO},,22\n,,{RADIO}\n",
        f"telegram=|{RADIO[:30]}_{RADIO[30:50]}|{RADIO[50:]}|+5\n" * 2,
        f'{{"meter": 1, "telegram": "{RADIO}"}}\n{{"telegram": "{RADIO}"}}\n',
    ],
    ids=["hexadecimal", "noise", "rtl_wmbus", "rtl_433", "marks", "json lines"],
)
def test_what_receivers_write_is_a_stream_of_telegrams(text: str):
    told = decode(text.encode())
    assert [(telegram.language, telegram.meter, telegram.error) for telegram in told] == [
        ("wmbus", "DME99657098", "")
    ] * 2
    assert told == decode(text.encode(), language="wmbus")


def test_a_compact_telegram_is_read_with_the_full_one_that_came_before_or_after():
    full = "1A44AE4C785634120107 8C0001 78 02FD08AABB 0413D2040000".replace(" ", "")
    records, _, _ = split_records(bytes.fromhex("02FD08AABB0413D2040000"))
    body = bytes.fromhex("44AE4C7856341201078C000179") + compact_form(records)
    full = f"{len(bytes.fromhex(full)) - 1:02X}{full[2:]}"
    compact = (bytes([len(body)]) + body).hex()
    for lines in (f"{full}\n{compact}\n", f"x {compact}\ny {full}\n"):
        told = decode(lines.encode())
        assert [telegram.readings[1].value for telegram in told] == [Decimal("1.234")] * 2
    (alone,) = decode(compact.encode())
    assert (alone.language, "was not seen in full" in alone.error) == ("wmbus", True)


def test_the_reason_is_told_in_the_language_that_the_bytes_begin_as():
    (told,) = decode(b"680303680801701816")
    assert (told.language, bool(told.error)) == ("mbus", True)
    (told,) = decode(b"\x10\x44\xae\x4c\x78\x56\x34\x12\x01\x07\xb0" + bytes(6))
    assert (told.language, told.meter, "needs a driver" in told.error) == ("wmbus", "SEN12345678", True)
