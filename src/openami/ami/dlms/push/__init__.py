"""Pushes of meters of many makes: in come APDUs nobody asked for, out come their readings.

The APDUs come from HDLC (`hdlc.PushReader`), wired M-Bus (`MBusReader`), the wrapper, or bare. `Listener` joins
general blocks, opens ciphered envelopes with the keys it is given, and reads the body, whatever shape its maker chose.
Upstream are collectors on consumer ports and the head-end's push port.
"""

from __future__ import annotations

from openami.ami.dlms.push.bodies import PushedValue, read_body
from openami.ami.dlms.push.listener import Listener, Push
from openami.ami.dlms.push.mbus_transport import MBusReader

__all__ = ["Listener", "MBusReader", "Push", "PushedValue", "read_body"]
