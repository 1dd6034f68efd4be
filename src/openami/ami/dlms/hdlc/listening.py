"""Listening without a link: pushed frames on a consumer port, joined from their segments."""

from __future__ import annotations

from typing import Final

from openami.ami.dlms.hdlc.frames import FLAG, FrameKind, FrameReader, information_of_damaged
from openami.ami.dlms.hdlc.link import LLC_REQUEST, LLC_RESPONSE, MAX_JOINED_OCTETS

_LLC: Final = (LLC_REQUEST, LLC_RESPONSE)


class PushReader:
    """Takes octets of a line nobody answers on and gives the APDUs pushed over it."""

    def __init__(self) -> None:
        self._frames = FrameReader()
        self._joined = bytearray()

    def receive(self, data: bytes) -> None:
        """Take octets from the line, cut anywhere."""
        self._frames.receive(data)

    def next_apdu(self) -> bytes | None:
        """The next whole APDU without its LLC header, or None when more octets are needed."""
        while (frame := self._frames.next_frame()) is not None:
            if frame.kind not in (FrameKind.UI, FrameKind.INFORMATION) or not frame.information:
                continue
            if frame.information[:3] in _LLC:
                # the header opens an APDU: whatever was not finished before is lost
                self._joined.clear()
            self._joined += frame.information
            if len(self._joined) > MAX_JOINED_OCTETS:
                self._joined.clear()
            if frame.segmented or not self._joined:
                continue
            whole = bytes(self._joined)
            self._joined.clear()
            return without_llc(whole)
        return None


def without_llc(octets: bytes) -> bytes:
    """The APDU behind its LLC header, where it has one (IEC 62056-46 clause 5.3.2)."""
    return octets[3:] if octets[:3] in _LLC else octets


def damaged_apdu(octets: bytes) -> bytes | None:
    """The APDU of the one frame that the octets are, whose last checksum is wrong; for people who look at it only."""
    if len(octets) < 2 or octets[0] != FLAG or octets[-1] != FLAG:
        return None
    information = information_of_damaged(octets[1:-1])
    return without_llc(information) if information else None
