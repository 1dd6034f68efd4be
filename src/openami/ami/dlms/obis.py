"""OBIS codes: the six-number names of everything a meter measures (IEC 62056-61)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from openami.ami.dlms.errors import LocalProtocolError, RemoteProtocolError

_LONG = re.compile(r"^(\d{1,3})-(\d{1,3}):(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:[.*&](\d{1,3}))?$")
_DOTTED = re.compile(r"^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$")


@dataclass(frozen=True, slots=True, order=True)
class Obis:
    """A logical name of six octets, written 1-0:1.8.0.255."""

    octets: bytes

    def __post_init__(self) -> None:
        if len(self.octets) != 6:
            msg = f"An OBIS code has six octets, not {len(self.octets)}."
            raise RemoteProtocolError(msg)

    @classmethod
    def of(cls, text: str | bytes | Self) -> Self:
        """An OBIS code from 1-0:1.8.0.255, 1-0:1.8.0*255, 1-0:1.8.0 (F = 255), 1.0.1.8.0.255 or six octets."""
        if isinstance(text, cls):
            return text
        if isinstance(text, bytes):
            return cls(text)
        return cls(_octets_of(str(text)))

    def __str__(self) -> str:
        a, b, c, d, e, f = self.octets
        return f"{a}-{b}:{c}.{d}.{e}.{f}"

    def __repr__(self) -> str:
        return f"Obis.of('{self}')"


@lru_cache(maxsize=1024)  # the same few names are asked of every meter
def _octets_of(text: str) -> bytes:
    match = _LONG.match(text) or _DOTTED.match(text)
    numbers = [int(group) if group is not None else 255 for group in match.groups()] if match else []
    if not numbers or max(numbers) > 255:
        msg = f"{text!r} is not an OBIS code."
        raise LocalProtocolError(msg, hint="Write it as 1-0:1.8.0.255.")
    return bytes(numbers)
