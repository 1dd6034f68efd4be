"""The alarm register: bits that events set and a head-end clears (IDIS register 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from openami.ami.meter.model import Meter

FRAUD_ATTEMPT: Final = 1 << 13
BITS: Final = {
    6: 1 << 0,
    7: 1 << 1,
    12: 1 << 8,
    13: 1 << 9,
    14: 1 << 10,
    16: 1 << 11,
    15: 1 << 12,
    **dict.fromkeys((40, 42, 44, 46, 49, 50, 91, 200), FRAUD_ATTEMPT),
}
FILTER_ALL: Final = 0xFFFFFFFF


def alarm_register(meter: Meter) -> int:
    """The bits that events have set since the register was cleared."""
    register = 0
    for event in meter.events[meter.events_acknowledged :]:
        register |= BITS.get(event.code, 0)
    return register
