"""Listening without a link: pushed frames on a consumer port, joined from their segments."""

from __future__ import annotations

from openami.ami.dlms.hdlc.frames import FrameKind, FrameReader
from openami.ami.dlms.hdlc.link import LLC_REQUEST, LLC_RESPONSE, MAX_JOINED_OCTETS


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
            if frame.information[:3] in (LLC_REQUEST, LLC_RESPONSE):
                # the header opens an APDU: whatever was not finished before is lost
                self._joined.clear()
            self._joined += frame.information
            if len(self._joined) > MAX_JOINED_OCTETS:
                self._joined.clear()
            if frame.segmented or not self._joined:
                continue
            whole = bytes(self._joined)
            self._joined.clear()
            return whole[3:] if whole[:3] in (LLC_REQUEST, LLC_RESPONSE) else whole
        return None
