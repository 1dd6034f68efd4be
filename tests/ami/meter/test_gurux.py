"""A foreign client, Gurux, reads and commands a meter of the street: objects, registers, profiles, logs, breaker."""

from __future__ import annotations

from datetime import UTC
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from tests.ami.dlms.test_gurux import GuruxPeer, gurux_enums, gurux_objects
from tests.ami.meter.conftest import PASSWORD, ZONE

from openami.ami.dlms.server import ServerConnection
from openami.ami.dlms.wrapper import WrapperFraming
from openami.ami.meter import derived, profiles
from openami.ami.meter.cosem import ElectricityDevice
from openami.ami.meter.times import instant_of

if TYPE_CHECKING:
    from openami.ami.meter.fleet import Fleet

# Gurux itself warns about its use of the standard library
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
SERIAL = "OAE0000001"


@pytest.fixture
def peer(fleet: Fleet) -> GuruxPeer:
    fleet.live_through(fleet.genesis_s + 30 * 86400 + 5400)
    device = ElectricityDevice(fleet.meters[SERIAL], PASSWORD, ZONE, lambda: fleet.lived_s)
    pair: Any = SimpleNamespace(server=ServerConnection(WrapperFraming.server(1)), meter=device)
    peer = GuruxPeer(pair, password=PASSWORD)
    peer.associate()
    return peer


def test_it_reads_the_whole_object_list(peer: GuruxPeer):
    reply = peer.all_of([peer.client.getObjectsRequest()])
    objects = peer.client.parseObjects(reply.data, True)
    names = {str(each.logicalName) for each in objects}
    assert {"1.0.1.8.0.255", "1.0.99.1.0.255", "0.0.96.3.10.255", "0.0.17.0.0.255", "0.0.43.1.0.255"} <= names
    assert len(names) >= 28


def test_it_reads_registers(peer: GuruxPeer, fleet: Fleet):
    meter = fleet.meters[SERIAL]
    register = gurux_objects.GXDLMSRegister("1.0.1.8.0.255")
    assert peer.read(register, 2) == meter.register_at(fleet.lived_s)
    peer.read(register, 3)
    assert register.unit == gurux_enums.Unit.ACTIVE_ENERGY
    low = gurux_objects.GXDLMSRegister("1.0.1.8.1.255")
    assert peer.read(low, 2) == derived.tariff_registers(meter, fleet.lived_s, ZONE)[0]


def test_it_reads_profiles(peer: GuruxPeer, fleet: Fleet):
    meter = fleet.meters[SERIAL]
    profile = gurux_objects.GXDLMSProfileGeneric("1.0.99.1.0.255")
    peer.read(profile, 3)
    peer.read(profile, 2)
    rows = profiles.load_rows(meter, fleet.lived_s, 0, fleet.lived_s)
    assert [row[2] for row in profile.buffer] == rows.energy_wh.tolist()
    stamps = [row[0].value.astimezone(UTC) for row in (profile.buffer[0], profile.buffer[-1])]
    assert stamps == [instant_of(int(rows.ends_s[0])), instant_of(int(rows.ends_s[-1]))]
    billing = gurux_objects.GXDLMSProfileGeneric("1.0.98.1.0.255")
    peer.read(billing, 3)
    peer.read(billing, 2)
    assert [row[1] for row in billing.buffer] == [
        row.total_wh for row in derived.billing_rows(meter, ZONE, fleet.lived_s, 0, fleet.lived_s)
    ]


def test_it_commands_the_breaker_and_reads_the_log(peer: GuruxPeer, fleet: Fleet):
    breaker = gurux_objects.GXDLMSDisconnectControl("0.0.96.3.10.255")
    peer.all_of(breaker.remoteDisconnect(peer.client))
    assert not fleet.meters[SERIAL].breaker.closed
    peer.read(breaker, 2)
    peer.read(breaker, 3)
    assert (breaker.outputState, int(breaker.controlState)) == (False, 0)
    peer.all_of(breaker.remoteReconnect(peer.client))
    log = gurux_objects.GXDLMSProfileGeneric("0.0.99.98.2.255")
    peer.read(log, 3)
    peer.read(log, 2)
    assert [row[1] for row in log.buffer] == [62, 63]


def test_it_sets_the_limiter(peer: GuruxPeer, fleet: Fleet):
    limiter = gurux_objects.GXDLMSLimiter("0.0.17.0.0.255")
    assert peer.read(limiter, 4) == 0
    limiter.thresholdNormal = 4000
    limiter.setDataType(4, gurux_enums.DataType.UINT32)
    peer.all_of(peer.client.write(limiter, 4))
    assert fleet.meters[SERIAL].limiter.threshold_w == 4000
