"""High level security with a meter behind a concentrator: proofs, counters that survive, attacks that are logged."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from tests.ami.concentrator.conftest import GENESIS, SECRET, Collector, RunningField, running
from tests.ami.concentrator.test_router import HeadEnd

from openami.ami.concentrator.cache import Mode
from openami.ami.dlms.client import ClientConnection
from openami.ami.dlms.enums import Mechanism
from openami.ami.dlms.errors import AccessDeniedError, ActionRefusedError, DlmsError
from openami.ami.dlms.gateway import GatewayAddress
from openami.ami.dlms.queries import act, opened, read, read_entries
from openami.ami.dlms.security import Ciphering, Keys, Prover, ReceiveCounter, SendCounter
from openami.ami.dlms.security.keys import KeyId
from openami.ami.dlms.security.rotation import key_transfer
from openami.ami.dlms.wrapper import WrapperFraming
from openami.ami.meter.protection import STEP, factory_keys, system_title
from openami.shared.clock import ManualClock

if TYPE_CHECKING:
    from openami.shared.database import Database

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]
SERIAL = "OAE0000001"


class SecureHeadEnd(HeadEnd):
    """A head-end that uses the keys of the shipment."""

    ciphering: Ciphering

    async def prove(self, sent: SendCounter, received: ReceiveCounter, keys: Keys | None = None) -> SecureHeadEnd:
        return await self.prove_as(sent, {"unicast": received}, keys=keys)

    async def prove_as(
        self, sent: SendCounter, heard: dict[str, ReceiveCounter], usual: bytes = b"", *, keys: Keys | None = None
    ) -> SecureHeadEnd:
        keys = keys or factory_keys(SECRET, SERIAL)
        self.ciphering = ciphering = Ciphering(b"OAM00001", keys, peer_title=usual, sent=sent, received=heard)
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


async def test_a_concentrator_answers_sealed_under_its_own_title_with_counters_of_its_own(
    tables: Database, collector: Collector
):
    clock, sent, received = ManualClock(GENESIS), SendCounter(), ReceiveCounter()
    used: set[int] = set()
    for hours in (2, 4):
        async with running(tables, clock, collector, Mode.STORE_AND_FORWARD) as field:
            await field.advance(GENESIS + timedelta(hours=hours))
            head_end = await (await connect(field)).prove(sent, received)
            assert head_end.ciphering.peer_title == system_title("OAC0000001")
            profile = await head_end.ask(read_entries("1-0:99.1.0"))
            assert len(profile) == 2 * hours
            with pytest.raises(ActionRefusedError):
                await head_end.ask(act("0-0:96.3.10", 70, 1))
            assert received.last not in used
            assert received.last > max(used, default=-1), "a restart goes on above all that was used"
            used.add(received.last)
            head_end.close()


async def test_a_hybrid_seals_for_a_meter_in_the_dark_and_the_meter_goes_on_as_before(
    tables: Database, collector: Collector
):
    sent, heard = SendCounter(), {"unicast": ReceiveCounter()}
    usual = system_title(SERIAL)
    async with running(tables, ManualClock(GENESIS), collector, Mode.HYBRID) as field:
        span = {"from": (GENESIS + timedelta(hours=3.5)).isoformat(), "to": (GENESIS + timedelta(hours=5)).isoformat()}
        await field.post("/api/faults", {"kind": "power_cut", "serial": SERIAL} | span)
        titles = []
        for hour in (2, 4, 6):
            await field.advance(GENESIS + timedelta(hours=hour))
            head_end = await (await connect(field)).prove_as(sent, heard, usual)
            titles.append(head_end.ciphering.peer_title)
            assert (await head_end.ask(read("1-0:1.8.0", 3))).integer() > 0
            head_end.close()
    assert titles == [usual, system_title("OAC0000001"), usual]
    assert len(heard) == 2, "two who send, two counters"


async def test_a_concentrator_proves_nothing_to_who_has_other_keys(tables: Database, collector: Collector):
    async with running(tables, ManualClock(GENESIS), collector, Mode.STORE_AND_FORWARD) as field:
        await field.advance(GENESIS + timedelta(hours=2))
        head_end = await connect(field)
        with pytest.raises(DlmsError):
            await head_end.prove(SendCounter(), ReceiveCounter(), Keys(bytes(16), bytes(16)))
        head_end.close()


async def test_a_concentrator_keeps_the_keys_of_its_meters_through_a_change(tables: Database, collector: Collector):
    keys, fresh = factory_keys(SECRET, SERIAL), bytes(range(16, 32))
    changed = keys.changed(KeyId.GLOBAL_UNICAST_ENCRYPTION, fresh)
    async with running(tables, ManualClock(GENESIS), collector, Mode.HYBRID) as field:
        span = {"from": (GENESIS + timedelta(hours=2.5)).isoformat(), "to": (GENESIS + timedelta(hours=5)).isoformat()}
        await field.post("/api/faults", {"kind": "power_cut", "serial": SERIAL} | span)
        await field.advance(GENESIS + timedelta(hours=2))
        head_end = await (await connect(field)).prove(SendCounter(), ReceiveCounter())
        transfer = key_transfer(keys.key_encryption, {KeyId.GLOBAL_UNICAST_ENCRYPTION: fresh})
        await head_end.ask(act("0-0:43.0.0", 64, 2, transfer))
        head_end.close()
        await field.advance(GENESIS + timedelta(hours=3))
        old = await connect(field)
        with pytest.raises(DlmsError):
            await old.prove(SendCounter(), ReceiveCounter())
        old.close()
        head_end = await (await connect(field)).prove(SendCounter(), ReceiveCounter(), changed)
        assert head_end.ciphering.peer_title == system_title("OAC0000001")
        assert (await head_end.ask(read("1-0:1.8.0", 3))).integer() > 0
        head_end.close()
