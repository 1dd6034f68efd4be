"""Keys and invocation counters of meters, as sessions need them: no counter is ever used twice.

Counters are reserved in the database in steps before any of a step is used, each step by exactly one process: after a
restart, and when another head-end takes over, sending goes on above everything that may have been used. What a meter
expects above that is believed upwards only, and noted.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog

from openami.ami.dlms.enums import Mechanism
from openami.ami.dlms.security import Ciphering, Keys, Prover, ReceiveCounter, SendCounter
from openami.ami.headend import store
from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from openami.ami.headend.model import Meter
    from openami.ami.headend.shipment import Seals
    from openami.shared.database import Database

log = structlog.get_logger()

STEP: Final = 1000
RUNNING_LOW: Final = 100
"""A reading takes about ten counters, and block transfers reserve as they go."""
JUMP_MAX: Final = 10_000_000
"""A meter may be this far ahead of what we know; more would burn the key: that is an attack or a fault."""
NEARLY_USED_UP: Final = 0xFFFF_FFFF - 50_000_000
_UNICAST: Final = "unicast"


class CounterJumpError(OpenAmiError):
    """A meter asks for an invocation counter that is implausibly far ahead."""


@dataclass(slots=True)
class Protection:
    """What protects one meter's sessions; lives as long as the process."""

    keys: Keys
    sent: SendCounter
    received: ReceiveCounter
    heard: dict[str, ReceiveCounter] = field(default_factory=dict)
    """Counters received from whoever answers in the place of the meter."""

    @property
    def low(self) -> bool:
        """Whether a step must be reserved before the next message."""
        return self.sent.remaining < RUNNING_LOW

    def ends(
        self, title: bytes, peer_title: bytes, mechanism: Mechanism = Mechanism.HIGH_GMAC, secret: bytes = b""
    ) -> tuple[Ciphering, Prover]:
        """Ciphering and the proof of high level security for one association."""
        self.heard[_UNICAST] = self.received
        ciphering = Ciphering(title, self.keys, peer_title=peer_title, sent=self.sent, received=self.heard)
        return ciphering, Prover.of(ciphering, mechanism, secret=secret)


class Protections:
    """The protection of every ciphered meter that this process has spoken to."""

    def __init__(self, database: Database, sealer: Seals, *, title: bytes) -> None:
        self._database = database
        self._sealer = sealer
        self.title = title
        self._known: dict[str, tuple[bytes, Protection]] = {}

    async def prepare(self, meters: Iterable[Meter]) -> None:
        """Reserve counters for those who are about to run out of them, all in one statement."""
        low = [meter.serial for meter in meters if (found := self._of(meter)) is not None and found.low]
        if not low:
            return
        async with self._database.begin() as transaction:
            reserved = await store.reserve_counters(transaction, low, STEP)
        for serial, until in reserved.items():
            self._extend(self._known[serial][1], until)

    async def of(self, meter: Meter) -> Protection | None:
        """The protection of a meter with counters to go on with; None for one that is not ciphered."""
        found = self._of(meter)
        if found is not None and found.low:
            await self.prepare([meter])
        return found

    async def raise_to(self, meter: Meter, expected: int) -> None:
        """A meter expects a higher counter than we used: go on there.

        Raises:
            CounterJumpError: it is too far away to be believed.
        """
        protection = self._of(meter)
        assert protection is not None, "only ciphered meters have counters"
        ahead = expected - protection.sent.next_value
        if ahead > JUMP_MAX:
            raise CounterJumpError(
                f"{meter.serial} expects counter {expected}, {ahead} ahead of ours.", hint="Change its key."
            )
        if ahead <= 0:
            return
        log.warning("protection.counter_raised", serial=meter.serial, expected=expected, ahead=ahead)
        async with self._database.begin() as transaction:
            until = (await store.reserve_counters(transaction, [meter.serial], STEP, at_least=expected))[meter.serial]
        protection.sent.next_value, protection.sent.reserved_until = until - STEP, until

    def forget(self, serial: str) -> None:
        """The keys of a meter have changed."""
        self._known.pop(serial, None)

    @staticmethod
    def _extend(protection: Protection, until: int) -> None:
        """Take a step that ends at `until`: it continues ours, or another process has taken some in between.

        One that is overtaken by a later one is left unused: a counter never goes back.
        """
        sent = protection.sent
        if until <= sent.reserved_until:
            return
        if until - STEP != sent.reserved_until:
            sent.next_value = until - STEP
        sent.reserved_until = until

    def _of(self, meter: Meter) -> Protection | None:
        if not meter.sealed_keys:
            return None
        known = self._known.get(meter.serial)
        if known is None or known[0] != meter.sealed_keys:
            keys = keys_of(self._sealer.open(meter.sealed_keys, context=meter.serial))
            known = meter.sealed_keys, Protection(keys, SendCounter(1, 1), ReceiveCounter(meter.counter_received))
            self._known[meter.serial] = known
        return known[1]


def keys_of(plain: bytes) -> Keys:
    """The keys in what `plain_keys` made."""
    kept = json.loads(plain)
    return Keys(suite=kept.pop("suite", 0), **{name: bytes.fromhex(value) for name, value in kept.items()})


def plain_keys(keys: Keys) -> bytes:
    """Keys as octets to be sealed."""
    named = {name: getattr(keys, name).hex() for name in ("encryption", "authentication", "broadcast")}
    named["key_encryption"] = keys.key_encryption.hex()
    return json.dumps({"suite": keys.suite} | {name: value for name, value in named.items() if value}).encode()
