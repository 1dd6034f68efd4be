"""Invocation counters: one per key and sender, strictly rising for the life of the key, never used twice."""

from __future__ import annotations

from dataclasses import dataclass

from openami.ami.dlms.errors import LocalProtocolError, ReplayedCounterError

LAST_COUNTER = 0xFFFFFFFF


@dataclass(slots=True)
class SendCounter:
    """The counter of what we send under one key.

    A caller that must survive a crash stores `reserved_until` before using any value below it, and reserves the next
    step when `remaining` runs low: after a restart it continues at what it had stored, so no value is used twice.
    """

    next_value: int = 1
    reserved_until: int = LAST_COUNTER

    @property
    def remaining(self) -> int:
        """Values that may still be used before a new reservation (or a new key) is needed."""
        return max(0, self.reserved_until - self.next_value)

    def take(self) -> int:
        """The value for the next message. Raises LocalProtocolError when none is left."""
        if self.next_value >= LAST_COUNTER:
            msg = "The invocation counter of the key is used up."
            raise LocalProtocolError(msg, hint="Change the key.")
        if not self.remaining:
            msg = f"The invocation counters reserved end at {self.reserved_until}."
            raise LocalProtocolError(msg, hint="Store a higher reservation first.")
        value = self.next_value
        self.next_value += 1
        return value

    def raise_to(self, expected: int) -> None:
        """Continue at `expected` if that is higher: a counter is never lowered."""
        self.next_value = max(self.next_value, expected)


@dataclass(slots=True)
class ReceiveCounter:
    """The last value accepted from a peer under one key; gaps are fine, repetitions are attacks."""

    last: int = -1

    def accept(self, value: int) -> None:
        """Take the counter of an authentic message. Raises ReplayedCounterError when it is not above the last."""
        if value <= self.last:
            msg = f"Invocation counter {value} is not above the last one accepted, {self.last}."
            raise ReplayedCounterError(msg, service_error=6, expected_counter=self.last + 1)
        self.last = value
