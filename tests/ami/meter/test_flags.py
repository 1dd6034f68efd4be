"""The flags of the configuration object do what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.ami.meter.conftest import GENESIS, SECRET, ZONE, Reader

from openami.ami.dlms import data as d
from openami.ami.dlms.axdr import encode
from openami.ami.dlms.enums import Mechanism
from openami.ami.dlms.queries import act, read
from openami.ami.meter.channels import INSTALLED_CODE
from openami.ami.meter.cosem import MANAGEMENT_CLIENT, ElectricityDevice
from openami.ami.meter.happenings import happening_of
from openami.ami.meter.protection import keys_of
from openami.ami.meter.settings import CONFIGURATION, Flag
from openami.ami.meter.times import instant_of, seconds_of

if TYPE_CHECKING:
    from openami.ami.meter.fleet import Fleet
    from openami.ami.meter.street import Street

START_S = seconds_of(GENESIS)
CLIENT = "0-1:24.1.0"


@pytest.fixture
def host(street: Street, fleet: Fleet) -> str:
    """An electricity meter of a home with gas and water."""
    home = next(home for home in street.homes if home.gas)
    return next(meter.serial for meter in fleet.meters.values() if meter.home == home.name and meter.mains_fed)


def configure(fleet: Fleet, serial: str, *flags: Flag) -> None:
    bits = "".join("1" if bit in flags else "0" for bit in range(16))
    octets = encode(d.structure(d.enum(1), d.bit_string(bits)))
    fleet.meters[serial].write_setting(fleet.lived_s, CONFIGURATION, 2, octets)


@pytest.mark.parametrize(
    ("flag", "kind"),
    [
        (Flag.DISCOVER_ON_OPEN_COVER, "tamper_cover"),
        (Flag.DISCOVER_ON_OPEN_COVER, "tamper_terminal"),
        (Flag.DISCOVER_ON_POWER_ON, "power_cut"),
    ],
)
@pytest.mark.parametrize("is_set", [True, False])
def test_a_meter_looks_for_its_slaves_again_where_it_shall(
    fleet: Fleet, street: Street, host: str, flag: Flag, kind: str, is_set: bool
):
    Reader(fleet, host).open().ask(act(CLIENT, 72, 2))
    assert fleet.meters[host].channels.of(1).decoupled
    configure(fleet, host, *([flag] if is_set else [Flag.HLS5_ON_P3]))
    instants = [instant_of(START_S + hours * 3600).isoformat() for hours in (1, 2)]
    body = {"kind": kind, "serial": host, "at": instants[0], "from": instants[0], "to": instants[1]}
    fleet.order(happening_of(body, street, ZONE))
    fleet.live_through(START_S + 3 * 3600)
    assert fleet.meters[host].channels.of(1).decoupled is not is_set
    assert (INSTALLED_CODE in [event.code for event in fleet.meters[host].events]) is is_set


def test_slaves_keep_their_address_or_get_that_of_their_channel(fleet: Fleet, host: str):
    reader = Reader(fleet, host).open()
    slaves = fleet.slaves_of(fleet.meters[host])
    second = "0-2:24.1.0"
    assert reader.ask(read(second, 72, 5)).integer() == slaves[1].device.mbus_address
    configure(fleet, host, Flag.DYNAMIC_MBUS_ADDRESS)
    assert reader.ask(read(second, 72, 5)).integer() == 2
    assert reader.ask(read("0-4:24.1.0", 72, 5)).integer() == 0, "nothing is there"


def test_high_level_security_can_be_switched_off(fleet: Fleet, host: str):
    meter = fleet.meters[host]
    device = ElectricityDevice(meter, "p", ZONE, lambda: fleet.lived_s, keys=keys_of(SECRET, host, []))
    assert device.admit(MANAGEMENT_CLIENT, Mechanism.HIGH_GMAC, b"")
    configure(fleet, host)
    assert not device.admit(MANAGEMENT_CLIENT, Mechanism.HIGH_GMAC, b"")
    assert device.admit(MANAGEMENT_CLIENT, Mechanism.LOW, b"p")


def test_a_short_list_of_flags_sets_nothing_behind_its_end(fleet: Fleet, host: str):
    octets = encode(d.structure(d.enum(1), d.bit_string("11")))
    fleet.meters[host].write_setting(fleet.lived_s, CONFIGURATION, 2, octets)
    settings = fleet.meters[host].settings
    assert [settings.flag(flag) for flag in Flag] == [True, True, False, False, False]
