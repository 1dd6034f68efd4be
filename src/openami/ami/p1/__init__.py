"""DSMR P1 and its relatives (Belgium, Luxembourg, Sweden, Hungary): the customer port of a smart meter; sans-IO.

In: bytes of a serial line, cut anywhere. Out: telegrams whose CRC was checked, their objects with exact values, units
and times. Upstream are meters; downstream collectors and `openami decode`.
"""

from __future__ import annotations

from openami.ami.p1.errors import P1Error, TelegramChecksumError, TelegramCutError, TelegramTooLongError
from openami.ami.p1.stream import TelegramSplitter
from openami.ami.p1.telegram import P1Object, P1Telegram, decode_p1

__all__ = [
    "P1Error",
    "P1Object",
    "P1Telegram",
    "TelegramChecksumError",
    "TelegramCutError",
    "TelegramSplitter",
    "TelegramTooLongError",
    "decode_p1",
]
