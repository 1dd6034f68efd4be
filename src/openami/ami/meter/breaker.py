"""The breaker of a meter: class 70 as a table of transitions (Blue Book 4.5.8)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final


class ControlState(IntEnum):
    """Attribute 3 of class 70."""

    DISCONNECTED = 0
    CONNECTED = 1
    READY_FOR_RECONNECTION = 2


class Trigger(StrEnum):
    """What moves a breaker."""

    REMOTE_DISCONNECT = "remote disconnect"
    MANUAL_DISCONNECT = "manual disconnect"
    LOCAL_DISCONNECT = "local disconnect"
    REMOTE_RECONNECT = "remote reconnect"
    MANUAL_RECONNECT = "manual reconnect"
    LOCAL_RECONNECT = "local reconnect"


_OFF, _ON, _READY = ControlState.DISCONNECTED, ControlState.CONNECTED, ControlState.READY_FOR_RECONNECTION

_TRANSITIONS: Final = {
    "a": (Trigger.REMOTE_RECONNECT, _OFF, _ON),
    "b": (Trigger.REMOTE_DISCONNECT, _ON, _OFF),
    "c": (Trigger.REMOTE_DISCONNECT, _READY, _OFF),
    "d": (Trigger.REMOTE_RECONNECT, _OFF, _READY),
    "e": (Trigger.MANUAL_RECONNECT, _READY, _ON),
    "f": (Trigger.MANUAL_DISCONNECT, _ON, _READY),
    "g": (Trigger.LOCAL_DISCONNECT, _ON, _READY),
    "h": (Trigger.LOCAL_RECONNECT, _READY, _ON),
    "i": (Trigger.REMOTE_RECONNECT, _READY, _ON),
}
_MODES: Final = ("", "bcfgde", "bcfgae", "bcgde", "bcgae", "bcfgdeh", "bcgdeh", "bcgaieh")
MODE_COUNT: Final = len(_MODES)
MODE_REMOTE_ON_OFF: Final = 4
"""Remote disconnect and direct remote reconnect, no button that opens it: what the demo's meters have."""

# codes of the disconnector control log (IDIS)
EVENT_READY: Final = 59
EVENTS: Final = {
    (Trigger.MANUAL_DISCONNECT, _READY): 60,
    (Trigger.MANUAL_RECONNECT, _ON): 61,
    (Trigger.REMOTE_DISCONNECT, _OFF): 62,
    (Trigger.REMOTE_RECONNECT, _ON): 63,
    (Trigger.LOCAL_DISCONNECT, _READY): 64,
    (Trigger.LOCAL_RECONNECT, _ON): 69,
    (Trigger.REMOTE_RECONNECT, _READY): EVENT_READY,
}


@dataclass(frozen=True, slots=True)
class Breaker:
    """State and mode of a breaker; the output is closed only when it is connected."""

    state: ControlState = ControlState.CONNECTED
    mode: int = MODE_REMOTE_ON_OFF

    @property
    def closed(self) -> bool:
        """Attribute 2 of class 70, output_state."""
        return self.state is ControlState.CONNECTED

    def moved(self, trigger: Trigger) -> Breaker | None:
        """The breaker after a trigger, or None when the mode has no transition for it from this state."""
        for letter in _MODES[self.mode]:
            found, source, target = _TRANSITIONS[letter]
            if found is trigger and source is self.state:
                return Breaker(target, self.mode)
        return None
