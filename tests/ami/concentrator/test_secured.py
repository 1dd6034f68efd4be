"""High level security with a meter behind a concentrator: proofs, counters that survive, attacks that are logged."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from tests.ami.concentrator.conftest import GENESIS, SECRET, Collector, RunningField, running
from tests.ami.concentrator.test_router import HeadEnd

from openami.ami.dlms.client import ClientConnection
from openami.ami.dlms.enums import Mechanism
from openami.ami.dlms.errors import AccessDeniedError, DlmsError
from openami.ami.dlms.gateway import GatewayAddress
from openami.ami.dlms.queries import act, opened, read, read_entries
from openami.ami.dlms.security import Ciphering, Keys, Prover, ReceiveCounter, SendCounter
from openami.ami.dlms.wrapper import WrapperFraming
from openami.ami.meter.protection import STEP, factory_keys, system_title
from openami.shared.clock import ManualClock

if TYPE_CHECKING:
    from openami.shared.database import Database

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]
SERIAL = "OAE0000001"


class SecureHeadEnd(HeadEnd):
    """A head-end that uses the keys of the shipment."""

    async def prove(self, sent: SendCounter, received: ReceiveCounter, keys: Keys | None = None) -> SecureHeadEnd:
        ciphering = Ciphering(
            b"OAM00001", keys or factory_keys(SECRET, SERIAL), sent=sent, received={"unicast": received}
        )
        self._client = ClientConnection(
            WrapperFraming.client(address=GatewayAddress(0, SERIAL.encode())),
            protection=ciphering,
            prover=Prover.of(ciphering, Mechanism.HIGH_GMAC),
        )
        opened(await self.exchange(self._client.send(self._client.associate())))
        return self


async def connect(field: RunningField) -> SecureHeadEnd:
    head_end = await SecureHeadEnd.connect(field)
    assert isinstance(head_end, SecureHeadEnd)
    return head_end


async def test_the_keys_of_the_shipment_open_the_meter(field: RunningField):
    device = next(each for each in (await field.get("/api/street"))["devices"] if each["serial"] == SERIAL)
    keys = factory_keys(SECRET, SERIAL)
    assert device["encryption_key"] == keys.encryption.hex()
    assert device["authentication_key"] == keys.authentication.hex()
    assert device["system_title"] == system_title(SERIAL).hex() == "4f41450000000001"
    await field.advance(GENESIS + timedelta(days=1))
    head_end = await (await connect(field)).prove(SendCounter(), ReceiveCounter())
    profile = await head_end.ask(read_entries("1-0:99.1.0"))
    assert len(profile) == 48
    await head_end.ask(act("0-0:96.3.10", 70, 1))
    assert (await head_end.ask(read("0-0:96.3.10", 70, 3))).integer() == 0
    assert (await head_end.ask(read("0-0:43.0.0", 64, 5))).octets() == system_title(SERIAL)
    assert (await head_end.ask(read("0-0:43.1.0", 1))).integer() > 0
    head_end.close()


async def test_counters_survive_a_restart_and_old_ones_are_an_attack(tables: Database, collector: Collector):
    clock, sent, received = ManualClock(GENESIS), SendCounter(), ReceiveCounter()
    async with running(tables, clock, collector) as field:
        head_end = await (await connect(field)).prove(sent, received)
        await head_end.ask(read("1-0:1.8.0", 3))
        head_end.close()
    last = received.last
    async with running(tables, clock, collector) as field:
        # whoever was left behind learns the counter by the public client, and goes on above it
        public = await HeadEnd.connect(field)
        public._client = ClientConnection(WrapperFraming.client(16, 1, GatewayAddress(0, SERIAL.encode())))
        await public.open()
        expected = (await public.ask(read("0-0:43.1.0", 1))).integer()
        assert expected >= STEP - 1
        with pytest.raises(AccessDeniedError):
            await public.ask(read("1-0:1.8.0", 3))
        public.close()
        old = await connect(field)
        with pytest.raises(DlmsError):
            await old.prove(sent, received)
        old.close()
        sent.raise_to(expected + 1)
        head_end = await (await connect(field)).prove(sent, received)
        await head_end.ask(read("1-0:1.8.0", 3))
        assert received.last > last, "the meter never used a counter twice"
        head_end.close()
        events = (await field.get(f"/api/meters/{SERIAL}"))["events"]
        assert 50 in [event["code"] for event in events], "the replay is in the fraud log"


async def test_a_wrong_key_is_refused_and_logged(field: RunningField):
    head_end = await connect(field)
    with pytest.raises(DlmsError):
        await head_end.prove(SendCounter(), ReceiveCounter(), Keys(bytes(16), bytes(16)))
    head_end.close()
    events = (await field.get(f"/api/meters/{SERIAL}"))["events"]
    assert [event["code"] for event in events] == [49]
