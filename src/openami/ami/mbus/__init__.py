"""M-Bus (EN 13757-2 and -3): bytes in, typed telegrams out, and back; it opens no socket and reads no clock.

In: bytes of a line, a file or a radio. Out: frames, and telegrams with exact values and units. Upstream are meters for
gas, water and heat; downstream the concentrator, the collectors and `openami decode`.

    splitter = FrameSplitter()
    for frame in splitter.feed(octets):
        if isinstance(frame, LongFrame):
            telegram = decode_telegram(frame)

`reading_of(telegram, zone)` picks the one cumulative reading that a gas or water meter sends.
"""

from __future__ import annotations

from openami.ami.mbus.errors import MBusError
from openami.ami.mbus.fixed import Counter, FixedData
from openami.ami.mbus.frames import Acknowledge, Frame, LongFrame, ShortFrame, decode, encode
from openami.ami.mbus.header import Header, Medium
from openami.ami.mbus.readings import Reading, reading_of
from openami.ami.mbus.records import Function, RawRecord, Record
from openami.ami.mbus.stream import FrameSplitter
from openami.ami.mbus.telegram import Telegram, VariableData, decode_telegram, encode_telegram
from openami.ami.mbus.values import LocalTime

__all__ = [
    "Acknowledge",
    "Counter",
    "FixedData",
    "Frame",
    "FrameSplitter",
    "Function",
    "Header",
    "LocalTime",
    "LongFrame",
    "MBusError",
    "Medium",
    "RawRecord",
    "Reading",
    "Record",
    "ShortFrame",
    "Telegram",
    "VariableData",
    "decode",
    "decode_telegram",
    "encode",
    "encode_telegram",
    "reading_of",
]
