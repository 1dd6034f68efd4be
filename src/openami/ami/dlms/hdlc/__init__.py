"""HDLC for DLMS (IEC 62056-46): in come octets of a serial line, modem or TCP tunnel, out come APDUs, and back.

`HdlcFraming` is a framing for client and server connections, as the TCP wrapper is: it connects the link when the
first APDU is sent, cuts and joins segments, keeps windows and repeats what was lost. `FrameReader` finds frames in a
stream of octets for those who only listen (push on a consumer port).
"""

from __future__ import annotations

from openami.ami.dlms.hdlc.frames import Frame, FrameReader, HdlcAddress
from openami.ami.dlms.hdlc.link import HdlcFraming
from openami.ami.dlms.hdlc.listening import PushReader
from openami.ami.dlms.hdlc.parameters import LinkParameters

__all__ = ["Frame", "FrameReader", "HdlcAddress", "HdlcFraming", "LinkParameters", "PushReader"]
