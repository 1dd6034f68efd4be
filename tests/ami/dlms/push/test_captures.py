"""Pushes captured from real meters decode to the values their readers published."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.ami.dlms import Data, Obis, Tag
from openami.ami.dlms.errors import DlmsError, SecurityFailureError
from openami.ami.dlms.hdlc import PushReader
from openami.ami.dlms.push import Listener, MBusReader, Push
from openami.ami.dlms.security import Keys
from openami.ami.dlms.times import CosemDateTime

VECTORS = Path(__file__).parents[3] / "vectors" / "dlms"
CAPTURES = VECTORS / "captures"
NAMES = sorted(path.stem for path in CAPTURES.glob("*.log"))

_TAGS = {
    Tag.UNSIGNED32: "UINT32",
    Tag.UNSIGNED16: "UINT16",
    Tag.UNSIGNED8: "UINT8",
    Tag.INTEGER8: "INT8",
    Tag.INTEGER16: "INT16",
    Tag.INTEGER32: "INT32",
    Tag.UNSIGNED64: "UINT64",
    Tag.INTEGER64: "INT64",
    Tag.ENUM: "ENUM",
    Tag.BOOLEAN: "BOOLEAN",
    Tag.OCTET_STRING: "OCTETSTRING",
    Tag.VISIBLE_STRING: "VISIBLESTRING",
    Tag.NULL: "NULLDATA",
}


def octets_of(name: str) -> bytes:
    text = (CAPTURES / f"{name}.log").read_text(encoding="utf-8-sig")
    return bytes.fromhex("".join(character for character in text if character in "0123456789abcdefABCDEF"))


def keys_of(name: str, **changed: Any) -> Keys | None:
    path = CAPTURES / f"{name}.key"
    if not path.exists():
        return None
    gak = CAPTURES / f"{name}.gak"
    authentication = bytes.fromhex(gak.read_text().strip()) if gak.exists() else b""
    return Keys(**{"encryption": bytes.fromhex(path.read_text().strip()), "authentication": authentication, **changed})


def pushes(name: str, keys: Keys | None) -> list[Push]:
    octets = octets_of(name)
    apdus: list[bytes] = []
    if name.startswith("raw"):
        apdus = [octets]
    else:
        reader = MBusReader() if name.startswith("mbus") else PushReader()
        for at in range(0, len(octets), 17):
            reader.receive(octets[at : at + 17])
            while (apdu := reader.next_apdu()) is not None:
                apdus.append(apdu)
        if isinstance(reader, MBusReader):
            assert reader.discarded == 0
    listener = Listener(lambda _title: keys)
    found = [listener.take(apdu) for apdu in apdus]
    return [push for push in found if push is not None]


def leaves(data: Data) -> list[Data]:
    if isinstance(data.value, tuple):
        return [leaf for member in data.value for leaf in leaves(member)]
    return [data]


def same(found: Data, name: str, value: str | None) -> bool:
    """Whether a leaf is what the published reading says."""
    if isinstance(found.value, bytes) and name in ("OCTETSTRING", "InstanceId"):
        texts = {found.value.hex(), found.value.decode("latin-1").rstrip("\x00"), ".".join(map(str, found.value))}
        if len(found.value) == 12:
            stamp = CosemDateTime.decode(found.value)
            if str(value)[:10] == f"{stamp.date.year:04}-{stamp.date.month:02}-{stamp.date.day:02}":
                return True
        return str(value) in texts or str(value).lower() in texts
    if name in ("ClassId", "AttributeId"):
        return found.integer() == int(str(value), 16)
    return _TAGS.get(found.tag) == name and (value is None or str(found.value) == value)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("mbus_kmswest", "hdlc_landis_gyr_zmf100")])
def test_a_captured_push_holds_what_was_published(name: str) -> None:
    expected = ET.fromstring((CAPTURES / f"{name}_decoded.xml").read_text())
    keys = keys_of(name)
    read = pushes(name, keys)
    assert len(read) == 1
    push = read[0]
    if expected.tag == "GeneralGloCiphering":
        assert push.title.hex().upper() == expected.attrib["SystemTitle"]
        assert push.counter == int(expected.attrib["FrameCounter"])
        expected = next(child for child in expected if child.tag == "DataNotification")
    assert push.notification.invoke == int(expected.attrib["LongInvokeId"], 16)
    published = [
        element
        for part in list(expected)[1:]
        for element in part.iter()
        if element.tag not in ("STRUCTURE", "ARRAY", "AttributeDescriptor")
    ]
    found = leaves(push.body)
    assert len(found) == len(published)
    for leaf, element in zip(found, published, strict=True):
        assert same(leaf, element.tag, element.attrib.get("Value")), (leaf, element.tag, element.attrib)
    assert push.values


def test_swapped_tags_are_mended_and_a_spoilt_frame_is_not() -> None:
    octets = octets_of("hdlc_landis_gyr_zmf100")
    reader = PushReader()
    reader.receive(octets)
    assert reader.next_apdu() is None, "the capture was edited: its checksum is wrong"
    push = Listener().take(octets[12:-3])
    assert push is not None
    assert len(push.values) == 18
    values = {str(value.obis): value for value in push.values}
    assert values["1-0:1.7.0.255"].number == 560
    assert values["1-0:31.7.0.255"].number == Decimal("2.44")
    assert values["0-0:2.8.0.255"].number == 95334


def test_a_push_is_authentic_only_with_its_authentication_key() -> None:
    name = "hdlc_landis_gyr_e450"
    assert pushes(name, keys_of(name))[0].authentic
    without = pushes(name, keys_of(name, authentication=b""))[0]
    assert not without.authentic
    assert len(without.values) == len(pushes(name, keys_of(name))[0].values)
    with pytest.raises(SecurityFailureError):
        pushes(name, keys_of(name, authentication=bytes(16)))


def test_a_ciphered_push_without_keys_names_the_meter() -> None:
    with pytest.raises(SecurityFailureError, match="454c536570000001"):
        pushes("mbus_kmswest", None)


def test_values_carry_their_code_scale_and_unit() -> None:
    values = {str(value.obis): value for value in pushes("mbus_netz_noe_p1", keys_of("mbus_netz_noe_p1"))[0].values}
    assert (values["1-0:1.8.0.255"].number, values["1-0:1.8.0.255"].unit) == (Decimal(12937), 30)
    assert (values["1-0:32.7.0.255"].number, values["1-0:32.7.0.255"].unit) == (Decimal("233.7"), 35)
    breaker = [value for value in pushes("raw_sagecom_xt211", None)[0].values if value.class_id == 70]
    assert breaker[0].attribute == 3
    assert breaker[0].value.integer() == 1


_QUANTITIES = {
    "active_power_import": "1.7",
    "active_power_export": "2.7",
    "reactive_power_import": "3.7",
    "reactive_power_export": "4.7",
    **{f"current_l{phase}": f"{11 + 20 * phase}.7" for phase in (1, 2, 3)},
    **{f"voltage_l{phase}": f"{12 + 20 * phase}.7" for phase in (1, 2, 3)},
    "active_power_import_total": "1.8",
    "active_power_export_total": "2.8",
}
HAN = [json.loads(line) for line in (VECTORS / "han_payloads.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("row", HAN, ids=lambda row: f"{row['maker']}-{row['name']}")
def test_consumer_ports_of_three_makers_give_the_published_numbers(row: dict[str, Any]) -> None:
    push = Listener().take(bytes.fromhex(row["llc_and_apdu_hex"])[3:])
    assert push is not None
    values = {f"{value.obis.octets[2]}.{value.obis.octets[3]}": value for value in push.values}
    compared = 0
    for name, expected in row["decoded_by_amshan"].items():
        if name in _QUANTITIES:
            number = values[_QUANTITIES[name]].number
            assert number is not None
            assert float(number) == expected, name
            compared += 1
        elif (
            name in ("meter_id", "meter_type")
            and not row["name"].startswith("no_list_1")
            and row["maker"] != "kamstrup"
        ):
            code = Obis.of("0-0:96.1.0" if name == "meter_id" else "0-0:96.1.7")
            assert next(value for value in push.values if value.obis == code).value.text() == expected
            compared += 1
    assert compared


@given(
    st.binary(max_size=100), st.sampled_from(["", "0f0000000100", "0f00000001000202160101", "db0000", "e0800001000005"])
)
def test_any_octets_are_a_push_or_an_error(octets: bytes, head: str) -> None:
    listener = Listener(lambda _title: Keys(bytes(16)))
    try:
        listener.take(bytes.fromhex(head) + octets)
    except DlmsError:
        return


@given(
    st.lists(st.binary(min_size=1, max_size=200), min_size=1, max_size=3), st.integers(1, 30), st.binary(max_size=10)
)
def test_m_bus_segments_are_joined_in_a_dirty_stream(apdus: list[bytes], size: int, noise: bytes) -> None:
    stream = noise.replace(b"\x68", b"")
    for apdu in apdus:
        pieces = [apdu[at : at + max(size, 13)] for at in range(0, len(apdu), max(size, 13))]
        for number, piece in enumerate(pieces):
            final = 0x10 if number == len(pieces) - 1 else 0
            fields = bytes((0x53, 0xFF, number | final, 1, 0x67)) + piece
            head = bytes((0x68, len(fields), len(fields), 0x68))
            stream += head + fields + bytes((sum(fields) & 0xFF, 0x16))
    reader, found = MBusReader(), []
    for at in range(0, len(stream), 11):
        reader.receive(stream[at : at + 11])
        while (apdu_found := reader.next_apdu()) is not None:
            found.append(apdu_found)
    assert found == apdus


@given(st.binary(max_size=300))
def test_any_octets_on_the_bus_are_survived(octets: bytes) -> None:
    reader = MBusReader()
    reader.receive(octets.replace(b"\x00", b"\x68\x08\x08\x68"))
    while reader.next_apdu() is not None:
        pass
