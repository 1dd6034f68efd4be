"""Cuts what comes over a line into telegrams, language by language; what has no mark of its own ends with a pause."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from openami.ami.mbus import FrameSplitter
from openami.ami.p1 import TelegramSplitter
from openami.ami.sml import SmlSplitter

if TYPE_CHECKING:
    from collections.abc import Callable

OCTETS_MAX: Final = 64 * 1024  # no telegram is longer; a line that never pauses is noise


class Cutter(Protocol):
    """Takes octets cut anywhere and gives whole telegrams."""

    def feed(self, octets: bytes) -> list[bytes]:
        """The telegrams that are whole with these octets."""
        ...

    def pause(self) -> list[bytes]:
        """The telegrams that a pause of the line, or its end, makes whole."""
        ...


class _Marked:
    """A language whose telegrams tell where they begin and end."""

    def __init__(self, feed: Callable[[bytes], list[bytes]]) -> None:
        self._feed = feed

    def feed(self, octets: bytes) -> list[bytes]:
        return self._feed(octets)

    def pause(self) -> list[bytes]:
        return []


class _Lines:
    """Receivers of radio telegrams write one a line."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, octets: bytes) -> list[bytes]:
        self._buffer += octets
        *lines, rest = bytes(self._buffer).split(b"\n")
        self._buffer = bytearray(rest if len(rest) <= OCTETS_MAX else b"")
        return [line for line in lines if line.strip()]

    def pause(self) -> list[bytes]:
        return []


class _Bursts:
    """Consumer ports push a burst and pause for seconds: what came together is one telegram, or several."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, octets: bytes) -> list[bytes]:
        self._buffer += octets
        return self.pause() if len(self._buffer) > OCTETS_MAX else []

    def pause(self) -> list[bytes]:
        burst = bytes(self._buffer)
        self._buffer.clear()
        return [burst] if burst else []


def cutter_of(language: str | None) -> Cutter:
    """The cutter of a language; without one, of bursts."""
    match language:
        case "p1":
            return _Marked(TelegramSplitter().feed)
        case "sml":
            return _Marked(SmlSplitter().feed)
        case "mbus":
            splitter = FrameSplitter()
            return _Marked(lambda octets: [raw for _, raw in splitter.feed_raw(octets)])
        case "wmbus":
            return _Lines()
        case _:
            return _Bursts()
