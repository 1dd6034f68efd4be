"""The layout: same seed, same street; identities that the outside world relies on."""

from __future__ import annotations

from collections import Counter

import pytest

from openami.ami.meter.street import (
    STREETS,
    Kind,
    UnknownMeterError,
    UnknownTransformerError,
    build_street,
    lls_password,
)

LETTERS = {Kind.ELECTRICITY: "OAE", Kind.GAS: "OAG", Kind.WATER: "OAW", Kind.HEAT: "OAH"}


def test_fifty_homes_as_the_story_needs_them():
    street = build_street(50, 1)
    assert len(street.homes) == 50
    assert len(street.transformers) == 5
    kinds = Counter((device.kind, device.home is not None) for device in street.devices)
    assert kinds == {
        (Kind.ELECTRICITY, True): 50,
        (Kind.ELECTRICITY, False): 10,
        (Kind.GAS, True): 10,
        (Kind.WATER, True): 10,
    }
    assert Counter(home.transformer for home in street.homes) == {f"T{n:02d}": 10 for n in range(1, 6)}
    assert len({home.electricity for home in street.homes}) == 50, "no two homes use the same"
    data_sets = Counter(home.electricity.open().data_set for home in street.homes)
    assert set(data_sets) == {"SGSC", "LCL", "UCI", "AMPds2"}


@pytest.mark.parametrize("homes", [1, 10, 11, 137])
def test_identities_are_unique_and_sound(homes: int):
    street = build_street(homes, 3)
    assert len(street.homes) == homes
    assert len({device.serial for device in street.devices}) == len(street.devices)
    slaves = [device for device in street.devices if device.mbus_address]
    assert len({device.mbus_id for device in slaves}) == len(slaves)
    assert len({(device.transformer, device.mbus_address) for device in slaves}) == len(slaves)
    for device in street.devices:
        assert len(device.serial) == 10
        assert device.serial.startswith(LETTERS[device.kind])
        assert device.home is None or street.home_by_name[device.home].transformer == device.transformer


def test_a_modern_street_has_every_sort_of_home():
    plain, modern = (build_street(20, 1, STREETS[name]) for name in ("plain", "modern"))
    assert STREETS.keys() == {"plain", "modern"}
    assert {home.phases for home in modern.homes} == {1, 3}
    assert all(any(getattr(home.behind, what) for home in modern.homes) for what in ("solar_w", "charger_w"))
    kinds = Counter(device.kind for device in modern.devices)
    assert kinds == Counter(device.kind for device in plain.devices) + Counter({Kind.HEAT: 2})
    assert {device.serial for device in plain.devices} < {device.serial for device in modern.devices}
    assert {home.behind.solar_w + home.behind.charger_w for home in plain.homes} == {0}


def test_the_seed_decides_everything():
    assert build_street(20, 7) == build_street(20, 7)
    assert build_street(20, 7) != build_street(20, 8)


def test_passwords_differ_between_meters_and_factories():
    passwords = {lls_password(secret, serial) for secret in ("a", "b") for serial in ("OAE0000001", "OAE0000002")}
    assert len(passwords) == 4
    assert all(len(password) == 16 for password in passwords)


def test_what_does_not_exist_is_named():
    street = build_street(10, 1)
    with pytest.raises(UnknownMeterError, match="OAE9999999"):
        street.device("OAE9999999")
    with pytest.raises(UnknownTransformerError, match="There are T01"):
        street.transformer("T09")
    with pytest.raises(UnknownMeterError, match="has no gas"):
        street.homes[0].load_of(Kind.GAS)


@pytest.mark.parametrize("name", STREETS)
def test_spares_are_plain_meters_of_each_interval(name: str):
    spares = [device for device in build_street(20, 1, STREETS[name]).devices if device.home is None]
    assert {device.interval_s for device in spares} == {900, 1800}
    assert {(device.exports, device.phases) for device in spares} == {(False, 1)}
