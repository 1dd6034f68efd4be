"""A meter's keys and invocation counters: what the factory gave it, and what must never be used twice."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from openami.ami.dlms.enums import Mechanism
from openami.ami.dlms.errors import ReplayedCounterError, SecurityFailureError
from openami.ami.dlms.security import Ciphering, Keys, Prover, ReceiveCounter, SendCounter
from openami.ami.dlms.security.keys import KeyId, unwrap_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STEP: Final = 1000
"""Counters are reserved in steps, so that not every message costs a write; a restart skips at most one step."""
RUNNING_LOW: Final = 64
GLOBAL: Final = "unicast"
DECRYPTION_FAILURE: Final = 49
REPLAY: Final = 50


@dataclass(slots=True)
class InvocationCounters:
    """The counters of one meter under its global key: sent by it, and accepted from clients."""

    sent: SendCounter = field(default_factory=lambda: SendCounter(1, 1))
    received: ReceiveCounter = field(default_factory=ReceiveCounter)
    received_until: int = -1

    @property
    def last_received(self) -> int:
        """The last counter accepted from a client; -1 before the first."""
        return self.received.last

    @property
    def running_low(self) -> bool:
        """Whether a new step must be reserved before the next message."""
        return self.sent.remaining < RUNNING_LOW or self.last_received > self.received_until

    def next_step(self) -> dict[str, int]:
        """What to store before it may be used."""
        return {"sent": self.sent.next_value + STEP, "received": self.last_received + STEP}

    def reserved(self, sent: int, received: int) -> None:
        """A step was stored."""
        self.sent.reserved_until, self.received_until = sent, received

    def new_key(self) -> None:
        """A new key begins with new counters; a client may count from one again."""
        self.received.last, self.received_until = -1, -1

    def restarted(self) -> None:
        """After a restart nobody knows how much of a step was used: all of it counts as used."""
        self.sent.raise_to(self.sent.reserved_until)
        self.received.last = self.received_until


def system_title(serial: str) -> bytes:
    """Eight octets: the maker's letters and the number."""
    return serial[:3].encode("ascii") + int(serial[3:]).to_bytes(5, "big")


def factory_keys(fleet_secret: str, serial: str) -> Keys:
    """Global unicast and authentication key of a meter, as the factory derives them from its secret."""

    def derived(purpose: str) -> bytes:
        return hmac.new(fleet_secret.encode(), f"{purpose}:{serial}".encode(), hashlib.sha256).digest()[:16]

    return Keys(encryption=derived("guek"), authentication=derived("gak"), key_encryption=derived("master"))


def keys_of(fleet_secret: str, serial: str, wrapped: Sequence[Mapping[str, str]]) -> Keys:
    """The keys in force: the factory's, or those that came since, by their number and wrapped by the master key."""
    keys = factory_keys(fleet_secret, serial)
    for transfer in wrapped:
        master = keys.key_encryption
        for number, octets in transfer.items():
            keys = keys.changed(KeyId(int(number)), unwrap_key(master, bytes.fromhex(octets)))
    return keys


def protection_of(keys: Keys, serial: str, counters: InvocationCounters) -> tuple[Ciphering, Prover]:
    """What a connection with this meter is protected by: ciphering, and the proof of high level security (GMAC)."""
    ciphering = Ciphering(
        system_title(serial),
        keys,
        sent=counters.sent,
        received={GLOBAL: counters.received},  # dedicated keys live and end with their association
    )
    return ciphering, Prover.of(ciphering, Mechanism.HIGH_GMAC)


def code_of(error: Exception) -> int | None:
    """The fraud-log code of a broken rule; None for what is a slip and no attack."""
    if isinstance(error, ReplayedCounterError):
        return REPLAY
    return DECRYPTION_FAILURE if isinstance(error, SecurityFailureError) else None
