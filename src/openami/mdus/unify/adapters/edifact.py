"""EDIFACT syntax (ISO 9735) as a stream: service characters, segments, elements; knows nothing of any message."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, BinaryIO, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

CHUNK: Final = 1 << 20
LONGEST_SEGMENT: Final = 1 << 16
"""ISO 9735 allows far less; a terminator that never comes must not fill the memory."""


@dataclass(frozen=True)
class Service:
    """The service characters of an interchange; these are the ones without a UNA segment."""

    component: str = ":"
    element: str = "+"
    decimal_mark: str = "."
    release: str = "?"
    terminator: str = "'"

    @staticmethod
    def of(head: str) -> Service:
        """The service characters that a UNA segment at the start announces."""
        if not head.startswith("UNA") or len(head) < 9:
            return Service()
        return Service(head[3], head[4], head[5], head[6], head[8])

    @cached_property
    def any_character(self) -> str:
        """A pattern of one character of text, released or plain."""
        return rf"(?:[^{re.escape(self.terminator + self.release)}]|{re.escape(self.release)}.)"

    def escape(self, text: str) -> str:
        """A pattern of a literal piece of segment, written with the usual characters."""
        usual = {":": self.component, "+": self.element, "'": self.terminator}
        return "".join(re.escape(usual.get(letter, letter)) for letter in text)

    def split(self, text: str, separator: str) -> list[str]:
        """Split at separators that are not released; the pieces keep their release characters."""
        if self.release not in text:
            return text.split(separator)
        pieces, current, released = [], "", False
        for letter in text:
            if released:
                current, released = current + self.release + letter, False
            elif letter == self.release:
                released = True
            elif letter == separator:
                pieces.append(current)
                current = ""
            else:
                current += letter
        return [*pieces, current]

    def plain(self, text: str) -> str:
        """Text without its release characters."""
        if self.release not in text:
            return text
        return re.sub(re.escape(self.release) + "(.)", r"\1", text, flags=re.DOTALL)

    def parse(self, segment: str) -> list[list[str]]:
        """A segment as elements of components; `[0][0]` is its tag."""
        if self.release not in segment:
            return [element.split(self.component) for element in segment.split(self.element)]
        return [
            [self.plain(part) for part in self.split(element, self.component)]
            for element in self.split(segment, self.element)
        ]


class Text:
    """The text of an interchange as it is needed: a window that moves over the stream."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._ended = False
        self.window = ""
        self.at = 0
        self.begin = 0
        """Where the segment that is looked at begins."""
        self.segment_number = 0
        self._octets: NDArray[np.uint8] | None = None
        self.fill()
        head = self.window.lstrip("\ufeff\u00ef\u00bb\u00bf ")
        self.service = Service.of(head)
        self.window = head[9:] if head.startswith("UNA") else head

    @property
    def octets(self) -> NDArray[np.uint8]:
        """The window as bytes; places in it are those of the window."""
        if self._octets is None:
            self._octets = np.frombuffer(self.window.encode("latin-1"), np.uint8)
        return self._octets

    def fill(self) -> None:
        """Read on if less than one longest segment is in the window."""
        if self._ended or len(self.window) - self.at > LONGEST_SEGMENT:
            return
        pieces = [self.window[self.at :]]
        data = self._stream.read(CHUNK)
        self._ended = not data
        # Line breaks between segments are decoration; inside texts they would be white space anyway.
        pieces.append(data.decode("latin-1").replace("\r", "").replace("\n", ""))
        self.window, self.at, self._octets = "".join(pieces), 0, None

    def segments(self) -> Iterator[str]:
        """One segment after the other, without its terminator; `at` stands behind it while it is looked at.

        A caller may move `at` over segments that it has taken itself; it then counts them in `segment_number`.
        """
        terminated = re.compile(rf"{self.service.any_character}*{re.escape(self.service.terminator)}", re.DOTALL)
        while True:
            self.fill()
            match = terminated.match(self.window, self.at, self.at + LONGEST_SEGMENT)
            if match is None:
                return
            self.begin, self.at = self.at, match.end()
            self.segment_number += 1
            yield match[0][:-1].lstrip(" ")

    @property
    def rest(self) -> str:
        """What is left without a terminator."""
        return self.window[self.at :].strip()
