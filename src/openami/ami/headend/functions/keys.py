"""New keys for a meter, with a way back: both sets are kept until a session with the new one has proved itself.

The new keys are stored, sealed, before the meter hears of them. They take the place of the old ones only after an
association was opened with them; if that fails and the old ones still open one, the change is rolled back.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import structlog

from openami.ami.dlms import queries
from openami.ami.dlms.security.keys import KeyId
from openami.ami.dlms.security.rotation import key_transfer
from openami.ami.headend import store
from openami.ami.headend.functions.model import BadParametersError, Function, HopelessError, octets
from openami.ami.headend.model import Purpose
from openami.ami.headend.protections import keys_of, plain_keys

if TYPE_CHECKING:
    from openami.ami.dlms.security import Keys
    from openami.ami.headend.dialogues import Dialogue
    from openami.ami.headend.functions.model import Found, Parameters
    from openami.ami.headend.model import Meter
    from openami.ami.headend.protections import Protections
    from openami.ami.headend.reader import MeterReader, Visit
    from openami.ami.headend.shipment import Seals
    from openami.shared.clock import Clock
    from openami.shared.database import Database

log = structlog.get_logger()

SECURITY_SETUP: Final = "0-0:43.0.0"
SECURITY_CLASS: Final = 64
KEY_OCTETS: Final = 16
CHANGED: Final = {
    "encryption": KeyId.GLOBAL_UNICAST_ENCRYPTION,
    "authentication": KeyId.AUTHENTICATION,
}


class RolledBackError(HopelessError):
    """The meter does not accept its new keys; the old ones are in force."""


class KeyChange:
    """Changes keys, each change in up to three sessions."""

    def __init__(
        self, database: Database, clock: Clock, sealer: Seals, protections: Protections, reader: MeterReader
    ) -> None:
        self._database, self._clock, self._sealer = database, clock, sealer
        self._protections, self._reader = protections, reader

    async def carry_out(self, meter: Meter, wanted: Parameters) -> Visit[Found]:
        """Change the keys of a meter; after a crash in the middle it is first found out which set is in force."""
        if not meter.sealed_keys:
            raise BadParametersError(f"{meter.serial} has no keys that could be changed.", hint="Ship them first.")
        pending = await self._pending(meter)
        if pending is not None:
            proof = await self._probe(meter, pending)
            if proof.error is None:
                return replace(proof, result=await self._promote(meter, pending))
        old = keys_of(self._sealer.open(meter.sealed_keys, context=meter.serial))
        if not old.key_encryption:
            raise BadParametersError(f"The master key of {meter.serial} is not known.", hint="Ship it.")
        new = _new_keys(old, wanted)
        pending = self._sealer.seal(plain_keys(new), context=meter.serial)
        await self._keep(meter.serial, sealed_pending_keys=pending)

        async def transfer(dialogue: Dialogue) -> Found:
            await dialogue.check_identity()
            changed = {key_id: getattr(new, name) for name, key_id in CHANGED.items()}
            parameter = key_transfer(old.key_encryption, changed)
            await dialogue.session.ask(queries.act(SECURITY_SETUP, SECURITY_CLASS, 2, parameter))
            return {}

        told = await self._reader.visit(meter, Purpose.ON_DEMAND, transfer)
        proof = await self._probe(meter, pending)
        if proof.error is None:
            return replace(proof, result=await self._promote(meter, pending))
        return await self._roll_back(meter, told, proof)

    async def _roll_back(self, meter: Meter, told: Visit[Found], proof: Visit[Found]) -> Visit[Found]:
        """The new keys did not open: if the old ones do, they stay, and the new ones are forgotten."""
        again = await self._probe(meter, meter.sealed_keys)
        if again.error is not None:
            return again  # nobody knows yet: both sets are kept, and it is tried again
        await self._keep(meter.serial, sealed_pending_keys=None)
        async with self._database.begin() as transaction:
            await store.system_event(transaction, meter.serial, "keys rolled back", {}, self._clock.now())
        log.warning("keys.rolled_back", serial=meter.serial)
        cause = told.error or proof.error
        error = RolledBackError(f"{meter.serial} keeps its old keys: {cause}", hint="Look at its fraud log.")
        return replace(again, result=None, error=error)

    async def _probe(self, meter: Meter, sealed: bytes) -> Visit[Found]:
        counter = meter.counter_received if sealed == meter.sealed_keys else -1
        other = replace(meter, sealed_keys=sealed, counter_received=counter)

        async def look(dialogue: Dialogue) -> Found:
            await dialogue.check_identity()
            return {}

        return await self._reader.visit(other, Purpose.ON_DEMAND, look)

    async def _promote(self, meter: Meter, pending: bytes) -> Found:
        await self._keep(
            meter.serial,
            sealed_keys=pending,
            sealed_pending_keys=None,
            keys_changed_at=self._clock.now(),
            counter_received=-1,
        )
        return {
            "changed": sorted(CHANGED),
            "checks": check_values(keys_of(self._sealer.open(pending, context=meter.serial))),
        }

    async def _pending(self, meter: Meter) -> bytes | None:
        async with self._database.begin() as transaction:
            row = await store.meter_row(transaction, meter.serial)
        return None if row is None else row.sealed_pending_keys

    async def _keep(self, serial: str, **values: object) -> None:
        async with self._database.begin() as transaction:
            await store.change_meter(transaction, serial, **values)


def check_values(keys: Keys) -> dict[str, str]:
    """The first three octets of zeros enciphered by each key: what two sides compare without showing the key."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # noqa: PLC0415 - rarely needed

    found = {}
    for name in ("encryption", "authentication", "key_encryption"):
        key = getattr(keys, name)
        if key:
            encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305 - one block of zeros
            found[name] = encryptor.update(bytes(16))[:3].hex()
    return found


def _new_keys(old: Keys, wanted: Parameters) -> Keys:
    changes: dict[str, Any] = {}
    for name in CHANGED:
        changes[name] = octets(wanted, name) if name in wanted else os.urandom(KEY_OCTETS)
        if len(changes[name]) != KEY_OCTETS:
            raise BadParametersError(f"The {name} key has {len(changes[name])} octets.", hint="Send sixteen.")
    return replace(old, **changes)


KEYS: Final = (
    Function(
        "generate_keys",
        "Makes new encryption and authentication keys and changes them, with a way back.",
        floor=("GenerateAndReplaceKeys",),
        event="config.changed",
        objects=(SECURITY_SETUP,),
    ),
    Function(
        "replace_keys",
        "Changes the keys to given ones, with a way back.",
        floor=("ReplaceKeys", "SetKeys"),
        optional=tuple(CHANGED),
        event="config.changed",
        objects=(SECURITY_SETUP,),
    ),
)
KEY_FUNCTIONS: Final = frozenset(each.name for each in KEYS)
