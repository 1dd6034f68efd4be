"""What an OBIS code stands for, in words: put together from its value groups (IEC 62056-61), or from a table."""

from __future__ import annotations

import re
from typing import Final

_CODE: Final = re.compile(r"(\d+)-(\d+):(\d+)\.(\d+)\.(\d+)(?:\*(\d+))?")
_QUANTITIES: Final = {
    1: "active {} import",
    2: "active {} export",
    3: "reactive {} import",
    4: "reactive {} export",
    **{5 + quadrant: f"reactive {{}} quadrant {quadrant + 1}" for quadrant in range(4)},
    9: "apparent {} import",
    10: "apparent {} export",
    11: "current",
    12: "voltage",
    13: "power factor",
    14: "frequency",
    15: "active {}, both directions",
    16: "active {}, import less export",
}
"""Value group C of electricity; with 20, 40 or 60 more it is that of one phase."""
_PROCESSINGS: Final = {
    3: "power, minimum",
    4: "power, average",
    6: "power, maximum",
    7: "power",
    8: "energy",
    24: "power, average",
    29: "energy, interval",
    32: "sags",
    36: "swells",
}
"""Value group D: what was made of the quantity."""
_BILLED_D: Final = (6, 8)  # value group E is the rate here, and something else elsewhere
_NOW_D: Final = 7
_DISTORTION_E: Final = 124
_MEDIA: Final = {
    "6-0:1.0.0": "heat energy",
    "7-0:3.0.0": "gas volume",
    "8-0:1.0.0": "water volume",
}
_ABSTRACT: Final = {
    "1.0.0": "time",
    "17.0.0": "power limit",
    "24.1.0": "kind of the meter",
    "24.2.1": "last value of the meter",
    "24.2.3": "last value of the meter",
    "24.4.0": "valve",
    "42.0.0": "logical device name",
    "96.1.0": "serial number",
    "96.1.1": "equipment number",
    "96.13.0": "message",
    "96.13.1": "message code",
    "96.14.0": "rate in force",
    "96.3.10": "breaker",
    "96.7.9": "long power failures",
    "96.7.19": "long power failures, when and how long",
    "96.7.21": "power failures",
    "0.2.8": "version of the protocol",
}
_CHANNELED: Final = ("24.", "96.1.", "96.3.")


def meaning(obis: str) -> str:
    """An OBIS code in words, such as `active power import, phase 2`; empty for one that only its maker can explain."""
    match = _CODE.fullmatch(obis)
    if match is None:
        return ""
    medium, channel, c, d, e = map(int, match.groups()[:5])
    stored = f", stored value {match[6]}" if match[6] not in (None, "255") else ""
    found = _electric(c, d, e) if medium == 1 else _MEDIA.get(f"{medium}-0:{c}.{d}.{e}", "")
    if not found:
        found = _ABSTRACT.get(f"{c}.{d}.{e}", "") if medium in (0, 1) else ""
        if found and channel and medium == 0 and f"{c}.{d}.".startswith(_CHANNELED):
            found += f", channel {channel}"
    return found and found + stored


def _electric(c: int, d: int, e: int) -> str:
    phase, base = divmod(c, 20)
    quantity, made = _QUANTITIES.get(base, ""), _PROCESSINGS.get(d, "")
    if phase > 3 or not quantity or not made:
        return ""
    named, _, how = made.partition(", ")
    if "{}" not in quantity and named != "power":
        quantity += f" {named}"
    rate = f"rate {e}" if e and d in _BILLED_D else ""
    harmonic = _harmonic(e) if e and d == _NOW_D else ""
    parts = [quantity.format(named), f"phase {phase}" if phase else "", how, rate, harmonic]
    return ", ".join(filter(None, parts))


def _harmonic(e: int) -> str:
    return "total harmonic distortion" if e == _DISTORTION_E else f"harmonic {e}"
