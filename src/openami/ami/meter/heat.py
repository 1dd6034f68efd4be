"""What a heat meter tells beside its energy: volume, power and temperatures that belong together (EN 1434, EN 13757-3).

The network's water gives off 1.163 Wh for each litre and kelvin; the house station cools it by a constant difference.
So the volume follows from the energy, exactly, and a reader can check energy = volume x difference x 1.163.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openami.ami.mbus import build

if TYPE_CHECKING:
    from openami.ami.mbus.records import RawRecord

COOLED_BY_K: Final = 40
_MILLIWATT_HOURS_PER_LITRE_K: Final = 1163
_FLOW_TENTHS_C: Final = 700
_VIF_ENERGY_WH, _VIF_POWER_W = b"\x03", b"\x2b"
_VIF_FLOW, _VIF_RETURN, _VIF_DIFFERENCE = b"\x5a", b"\x5e", b"\x62"  # tenths of a degree


def volume_litres(energy_wh: int) -> int:
    """How much water has given off this much heat."""
    return energy_wh * 1000 // (_MILLIWATT_HOURS_PER_LITRE_K * COOLED_BY_K)


def heat_records(energy_wh: int, power_w: int) -> tuple[RawRecord, ...]:
    """The records of one answer; at rest the pipes are as cold as the house."""
    flow = _FLOW_TENTHS_C if power_w else 200
    difference = 10 * COOLED_BY_K if power_w else 0
    return (
        build.integer(_VIF_ENERGY_WH, energy_wh, 4),
        build.volume_litres(volume_litres(energy_wh)),
        build.integer(_VIF_POWER_W, power_w, 4),
        build.integer(_VIF_FLOW, flow, 2),
        build.integer(_VIF_RETURN, flow - difference, 2),
        build.integer(_VIF_DIFFERENCE, difference, 2),
    )
