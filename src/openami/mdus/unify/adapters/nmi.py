"""National Metering Identifiers of Australia: ten characters, and a check digit that some write behind them."""

from __future__ import annotations

from typing import Final

_CHARACTERS: Final = 10


def check_digit(nmi: str) -> int:
    """The check digit (AEMO, NMI procedure): codes from the right, every other one doubled, their digits summed."""
    total = 0
    for place, character in enumerate(reversed(nmi.upper())):
        code = ord(character) * (2 if place % 2 == 0 else 1)
        total += sum(int(digit) for digit in str(code))
    return -total % 10


def bare(nmi: str) -> str:
    """An identifier without its check digit; as it is where it has none, or where that is another one."""
    body, digit = nmi[:_CHARACTERS], nmi[_CHARACTERS:]
    return body if digit == str(check_digit(body)) else nmi
