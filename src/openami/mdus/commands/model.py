"""An order to switch one device, its states, and the limits that keep a mistake small."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from openami.mdus.registry.ids import DeviceId


class Kind(StrEnum):
    """What is ordered."""

    DISCONNECT = "disconnect"
    CONNECT = "connect"

    @property
    def closes(self) -> bool:
        """Whether the breaker is closed afterwards."""
        return self is Kind.CONNECT

    @property
    def event(self) -> str:
        """The event that tells of its execution."""
        return "switch.connected" if self.closes else "switch.disconnected"


class State(StrEnum):
    """How far a command has come."""

    RECEIVED = "received"
    ACCEPTED = "accepted"
    HELD = "held"
    """Above a safety limit: waits for a second person."""
    SENT = "sent"
    EXECUTING = "executing"
    """The AMS has taken it."""
    PROVEN = "proven"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def final(self) -> bool:
        """Whether nothing more happens."""
        return self in FINAL


FINAL: Final = frozenset({State.PROVEN, State.FAILED, State.CANCELLED, State.EXPIRED})
OPEN: Final = tuple(state for state in State if state not in FINAL)


@dataclass(frozen=True, slots=True)
class Limits:
    """How many disconnects may be sent within an hour, in all and behind one transformer."""

    per_hour: int = 20
    per_transformer: int = 5
    window: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Command:
    """One order for one device; its id is also the mRID of the control."""

    id: UUID
    request: str
    device: DeviceId
    kind: Kind
    reason: str
    ordered_by: str
    created_at: datetime
    planned_at: datetime
    deadline: datetime
    transformer: str = ""
    state: State = State.RECEIVED
    sent_at: datetime | None = None
    event_at: datetime | None = None
    """When the switch event says that it happened, by the device's clock."""
    position_closed: bool | None = None
    position_at: datetime | None = None
    finished_at: datetime | None = None
    released_by: str = ""
    note: str = ""
    """The last thing that was found, for a person."""

    @property
    def has_proof(self) -> bool:
        """The switch event and the breaker agree."""
        return self.event_at is not None and self.position_closed is self.kind.closes
