from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from openami.ami.headend.shipment import BadShipmentError, physical_address, rows_of
from openami.shared.secrets import SealBrokenError, Sealer

NOW = datetime(2026, 2, 28, tzinfo=UTC)
SEALER = Sealer(bytes(32))


def device(**changes: object) -> dict[str, Any]:
    whole = {
        "serial": "E0001",
        "kind": "electricity",
        "concentrator_host": "127.0.0.1",
        "concentrator_port": 4059,
        "gateway_address": "0001",
        "lls_password": "12345678",
    }
    return {name: value for name, value in (whole | changes).items() if value is not None}


def test_a_shipment_becomes_rows_with_sealed_passwords() -> None:
    (row,) = rows_of({"devices": [device()]}, SEALER, NOW)
    assert (row["serial"], row["host"], row["port"], row["physical_address"]) == ("E0001", "127.0.0.1", 4059, b"\0\1")
    sealed = row["sealed_password"]
    assert isinstance(sealed, bytes)
    assert b"12345678" not in sealed
    assert SEALER.open(sealed, context="E0001") == b"12345678"
    with pytest.raises(SealBrokenError):
        SEALER.open(sealed, context="E0002")


def test_a_bare_list_is_a_shipment_too() -> None:
    gas = device(serial="G1", kind="gas", mbus_id="12345678", lls_password=None)
    rows = rows_of([device(), gas], SEALER, NOW)
    assert [row["mbus_id"] for row in rows] == [None, "12345678"]
    assert rows[1]["sealed_password"] is None


@pytest.mark.parametrize("kind", ["gas", "water", "heat"])
def test_every_kind_of_a_one_way_meter_is_shipped(kind: str) -> None:
    (row,) = rows_of([device(serial="M1", kind=kind, mbus_id="12345678", lls_password=None)], SEALER, NOW)
    assert (row["kind"], row["mbus_id"]) == (kind, "12345678")


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({}, "no devices"),
        ({"devices": []}, "no devices"),
        ("text", "no devices"),
        ([7], "Device 0 is not an object"),
        ([device(serial=None)], "serial of device 0 is missing"),
        ([device(kind="steam")], "kind 'steam' of device E0001 is unknown"),
        ([device(lls_password=None)], "lls_password of device E0001 is missing"),
        ([device(kind="water", lls_password=None)], "mbus_id of device E0001 is missing"),
        ([device(concentrator_port=70000)], "concentrator_port 70000"),
        ([device(concentrator_port="x")], "is not a number"),
        ([device(concentrator_host=" ")], "concentrator_host of device E0001 is missing"),
        ([device(gateway_address="xyz")], "gateway_address 'xyz'"),
        ([device(), device()], "E0001 stands in the shipment twice"),
        ([device(encryption_key="00" * 15)], "The keys of device E0001 do not fit"),
        ([device(encryption_key="secret")], "encryption_key of device E0001 is not hexadecimal"),
        ([device(system_title="4F41Z")], "system_title of device E0001 is not hexadecimal"),
        ([device(encryption_key="00" * 16, security_suite=3)], "security_suite 3 of device E0001 is not from 0 to 2"),
        ([device(link="pigeon")], "link 'pigeon' of device E0001 is unknown"),
        ([device(profile="klingon")], "The profile of device E0001"),
    ],
)
def test_a_bad_shipment_names_the_device_and_the_field(body: object, found: str) -> None:
    with pytest.raises(BadShipmentError, match=found):
        rows_of(body, SEALER, NOW)


def test_a_meter_that_dials_in_has_no_address_and_a_password_meter_its_title() -> None:
    """The title tells a concentrator's cache from the meter where there are no keys."""
    (row,) = rows_of([device(link="dial-in", concentrator_host=None, system_title="4F41450000000001")], SEALER, NOW)
    assert (row["host"], row["port"], row["sealed_keys"]) == ("", 0, None)
    assert row["system_title"] == bytes.fromhex("4F41450000000001")


def test_gateway_addresses_are_octets_or_a_number_or_absent() -> None:
    assert physical_address("0A1b", "x") == b"\x0a\x1b"
    assert physical_address(258, "x") == b"\0\0\1\2"
    assert physical_address(None, "x") == b""
