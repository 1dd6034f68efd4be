"""The functions that the head-end carries out from what it keeps, and the change of keys: what is kept afterwards."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from sqlalchemy import insert, select
from tests.ami.headend.functions.world import SEALER, SERIAL, World
from tests.ami.meter.conftest import SECRET

from openami.ami.dlms.queries import read
from openami.ami.headend import shipment, store
from openami.ami.headend.command_store import CLOSED, DONE, FUNCTION, OPEN, WAITING, command_table, item_table
from openami.ami.headend.functions.catalogue import function_of
from openami.ami.headend.functions.house import HOUSE_RUNS, Desk
from openami.ami.headend.functions.keys import KeyChange
from openami.ami.headend.model import Purpose
from openami.ami.headend.store import SessionRecord, push_table
from openami.ami.headend.tables import metadata
from openami.ami.meter.protection import factory_keys, keys_of, system_title
from openami.ami.meter.street import lls_password

if TYPE_CHECKING:
    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.ami.headend.functions.model import Found
    from openami.ami.meter.street import Street
    from openami.shared.database import Database

pytestmark = pytest.mark.postgres

NOW = datetime(2026, 3, 1, tzinfo=UTC)
GIVEN = {"encryption": bytes(range(16)).hex(), "authentication": bytes(range(16, 32)).hex()}
OPEN_ORDER, CLOSED_ORDER = UUID(int=1), UUID(int=2)


@dataclass(slots=True)
class House:
    """A head-end that knows one ciphered meter, and the meter."""

    database: Database
    world: World

    async def row(self) -> Row[Any]:
        async with self.database.begin() as transaction:
            found = await store.meter_row(transaction, SERIAL)
        assert found is not None
        return found

    async def keep(self, **values: object) -> None:
        async with self.database.begin() as transaction:
            await store.change_meter(transaction, SERIAL, **values)

    async def visit(self) -> SessionRecord:
        """One regular session as the row says that the meter wants to be spoken to; it must succeed."""
        known = store.meter_of(await self.row())
        visit = await self.world.reader.visit(
            known, Purpose.ON_DEMAND, lambda dialogue: dialogue.session.ask(read("1-0:1.8.0", 3))
        )
        assert visit.error is None
        return visit.record


Before = Callable[["AsyncConnection"], Awaitable[object]]
Check = Callable[[House, "Found"], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Kept:
    """What a function is given, what is kept before, and what must be kept afterwards."""

    check: Check
    parameters: dict[str, Any]
    before: Before | None


ROWS: dict[str, Kept] = {}


def row(parameters: dict[str, Any] | None = None, before: Before | None = None) -> Callable[[Check], Check]:
    """Enter the check below under its name, which is the function's."""

    def enter(check: Check) -> Check:
        ROWS[check.__name__] = Kept(check, parameters or {}, before)
        return check

    return enter


def device_of() -> dict[str, object]:
    keys = factory_keys(SECRET, SERIAL)
    return {
        "serial": SERIAL,
        "kind": "electricity",
        "concentrator_host": "segment",
        "concentrator_port": 1,
        "lls_password": lls_password(SECRET, SERIAL),
        "system_title": system_title(SERIAL).hex(),
        "encryption_key": keys.encryption.hex(),
        "authentication_key": keys.authentication.hex(),
        "master_key": keys.key_encryption.hex(),
    }


@pytest.fixture
async def house(database: Database, layout: Street) -> House:
    async with database.begin() as transaction:
        await transaction.run_sync(metadata.create_all)
        await store.upsert_shipped(transaction, shipment.rows_of([device_of()], SEALER, NOW))
    return House(database, World(layout, database))


@pytest.mark.parametrize("name", HOUSE_RUNS)
async def test_what_a_function_of_the_house_does_is_kept(house: House, name: str) -> None:
    wanted = ROWS[name]
    function_of(name).check(wanted.parameters)
    if wanted.before is not None:
        async with house.database.begin() as transaction:
            await wanted.before(transaction)
    known = await house.row()
    async with house.database.begin() as transaction:
        found = await HOUSE_RUNS[name](Desk(transaction, known, SEALER, NOW), wanted.parameters)
    await wanted.check(house, found)


@pytest.mark.parametrize("name", ["generate_keys", "replace_keys"])
async def test_a_change_of_keys_holds_at_the_meter_and_in_the_store(house: House, name: str) -> None:
    wanted, world = ROWS[name], house.world
    change = KeyChange(house.database, world.clock, SEALER, world.protections, world.reader)
    async with house.database.begin() as transaction:
        known = await store.load_meter(transaction, SERIAL, offset_s=0)
    assert known is not None
    visit = await change.carry_out(known, wanted.parameters)
    assert visit.error is None
    assert visit.result is not None
    await wanted.check(house, visit.result)


def checked(key: bytes) -> str:
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return encryptor.update(bytes(16))[:3].hex()


async def _pushed(transaction: AsyncConnection) -> None:
    for counter, serial in enumerate((SERIAL, "OTHER", SERIAL)):
        values = {"0-0:97.98.0.255": counter}
        await transaction.execute(
            insert(push_table).values(
                serial=serial, setup="0-1:25.9.0.255", received_at=NOW, counter=counter, values=values
            )
        )


async def _noticed(transaction: AsyncConnection) -> None:
    for kind in ("keys rolled back", "counter raised"):
        await store.system_event(transaction, SERIAL, kind, {"by": 3}, NOW)
    await store.reserve_counters(transaction, [SERIAL], 1000)


async def _spoken(transaction: AsyncConnection) -> None:
    said = SessionRecord(SERIAL, Purpose.PERSON, NOW, 12, 30, 40, trace=(">c401", "<c402"))
    await store.keep_sessions(transaction, [said, SessionRecord("OTHER", Purpose.PERSON, NOW, 1)])


async def _channels(transaction: AsyncConnection) -> None:
    await store.change_meter(
        transaction, SERIAL, channels={"1": {"lifecycle": "in use"}, "4": {"lifecycle": "retired"}}
    )


async def _read_regularly(transaction: AsyncConnection) -> None:
    await store.change_meter(transaction, SERIAL, provisioned_at=NOW, next_due_at=NOW + timedelta(hours=1))


async def _learnt(transaction: AsyncConnection) -> None:
    await store.change_meter(transaction, SERIAL, layouts={"1-0:99.1.0": {"absent": True}})


async def _ordered(transaction: AsyncConnection) -> None:
    for key, state, item in ((OPEN_ORDER, OPEN, WAITING), (CLOSED_ORDER, CLOSED, DONE)):
        await transaction.execute(
            insert(command_table).values(
                id=key, kind=FUNCTION, correlation_id="c", message_id="m", received_at=NOW, state=state, request={}
            )
        )
        facts = {"kind": FUNCTION, "action": "read_alarms", "detail": {}, "digest": "", "deadline_at": NOW}
        await transaction.execute(
            insert(item_table).values(command_id=key, control_mrid="x", serial=SERIAL, state=item, **facts)
        )


@row(before=_pushed)
async def read_pushes(house: House, found: Found) -> None:
    assert [each["counter"] for each in found["pushes"]] == [2, 0], "newest first, and only its own"
    assert found["pushes"][0]["values"] == {"0-0:97.98.0.255": 2}


@row(before=_noticed)
async def read_system_events(house: House, found: Found) -> None:
    assert [each["kind"] for each in found["events"]] == ["counter raised", "keys rolled back"]
    assert found["counter_reserved"] == 1001


@row(before=_spoken)
async def read_message_logs(house: House, found: Found) -> None:
    (said,) = found["sessions"]
    assert (said["purpose"], said["octets_received"], said["trace"]) == ("by a person", 40, [">c401", "<c402"])


@row()
async def read_keys(house: House, found: Found) -> None:
    keys = factory_keys(SECRET, SERIAL)
    assert found["keys"] == {
        name: checked(getattr(keys, name)) for name in ("encryption", "authentication", "key_encryption")
    }
    assert (found["suite"], found["changed_at"], found["change_pending"]) == (0, None, False)


@row(before=_channels)
async def read_device(house: House, found: Found) -> None:
    assert (found["meter"]["serial"], found["meter"]["channels"]["4"]) == (SERIAL, {"lifecycle": "retired"})
    assert not {"sealed_keys", "sealed_password"} & found["meter"].keys(), "no secret is shown, sealed or not"


@row()
async def enable_debugging(house: House, found: Found) -> None:
    assert found == {"debugging": True}
    record = await house.visit()
    assert record.trace is not None
    assert {line[0] for line in record.trace} == {">", "<"}


@row(before=lambda transaction: store.change_meter(transaction, SERIAL, debugging=True))
async def disable_debugging(house: House, found: Found) -> None:
    assert found == {"debugging": False}
    assert (await house.visit()).trace is None


@row({"list_max": 1, "pdu_octets_max": 256})
async def set_communication(house: House, found: Found) -> None:
    assert found == {"list_max": 1, "pdu_octets_max": 256}
    known = store.meter_of(await house.row())
    assert (known.list_max, known.pdu_octets_max) == (1, 256)
    await house.visit()


@row({"status": "retired"}, _read_regularly)
async def set_lifecycle(house: House, found: Found) -> None:
    assert found == {"status": "retired"}
    known = await house.row()
    assert (known.lifecycle, known.next_due_at) == ("retired", None), "who is retired is not read any more"


@row({"profile": "dsmr"}, _learnt)
async def set_protocol(house: House, found: Found) -> None:
    assert found == {"profile": "dsmr"}
    known = await house.row()
    assert (known.profile, known.layouts) == ("dsmr", {}), "what was learnt by another standard is learnt anew"


@row({"channel": 4}, _channels)
async def forget_mbus_channel(house: House, found: Found) -> None:
    assert found == {"channel": 4}
    assert (await house.row()).channels == {"1": {"lifecycle": "in use"}}


@row(before=_ordered)
async def delete_answers(house: House, found: Found) -> None:
    assert found == {"deleted": 1}
    async with house.database.begin() as transaction:
        left = (await transaction.execute(select(item_table.c.command_id))).scalars().all()
    assert left == [OPEN_ORDER], "what is not answered yet stays"


async def _hold(house: House) -> dict[str, bytes]:
    """The keys that hold at the meter, which must be those that the head-end keeps and speaks with."""
    meter = house.world.meter
    at_meter = keys_of(SECRET, SERIAL, meter.wrapped_keys)
    known = await house.row()
    assert known.sealed_pending_keys is None
    assert known.keys_changed_at == house.world.clock.now()
    kept = await HOUSE_RUNS["read_keys"](Desk(None, known, SEALER, NOW), {})  # type: ignore[arg-type]  # it only looks
    assert kept["keys"]["encryption"] == checked(at_meter.encryption)
    assert kept["keys"]["authentication"] == checked(at_meter.authentication)
    assert 48 in house.world.codes
    await house.visit()
    return {"encryption": at_meter.encryption, "authentication": at_meter.authentication}


@row()
async def generate_keys(house: House, found: Found) -> None:
    factory = factory_keys(SECRET, SERIAL)
    held = await _hold(house)
    assert held["encryption"] != factory.encryption
    assert held["authentication"] != factory.authentication
    assert found["checks"]["encryption"] == checked(held["encryption"])


@row(GIVEN)
async def replace_keys(house: House, found: Found) -> None:
    assert {name: key.hex() for name, key in (await _hold(house)).items()} == GIVEN
    assert found["changed"] == ["authentication", "encryption"]


def test_every_row_is_of_a_function_that_needs_no_single_session() -> None:
    assert ROWS
    assert all(function_of(name).run is None for name in ROWS)
