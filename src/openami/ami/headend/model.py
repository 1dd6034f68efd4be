"""The values of the head-end: meters, what was collected from one, how a session ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime  # noqa: TC003 - values are compared and inspected at run time
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from decimal import Decimal

    from numpy.typing import NDArray


class Kind(StrEnum):
    """What a meter measures."""

    ELECTRICITY = "electricity"
    GAS = "gas"
    WATER = "water"
    HEAT = "heat"


class Stream(StrEnum):
    """What is collected from a meter with a high-water mark of its own; the value is the profile's OBIS code."""

    LOAD_PROFILE = "1-0:99.1.0"
    DAILY_PROFILE = "1-0:98.2.0"
    STANDARD_LOG = "0-0:99.98.0"
    FRAUD_LOG = "0-0:99.98.1"
    SWITCH_LOG = "0-0:99.98.2"
    MBUS_LOG = "0-0:99.98.3"
    QUALITY_LOG = "0-0:99.98.4"
    COMMUNICATION_LOG = "0-0:99.98.5"


LOGS = (
    *(Stream.STANDARD_LOG, Stream.FRAUD_LOG, Stream.SWITCH_LOG),
    *(Stream.MBUS_LOG, Stream.QUALITY_LOG, Stream.COMMUNICATION_LOG),
)


class Purpose(StrEnum):
    """Why a session is opened; also its priority, first is most urgent."""

    CONTROL = "control"
    ON_DEMAND = "on demand"
    PERSON = "by a person"
    SCHEDULE = "schedule"

    @property
    def rank(self) -> int:
        """Lower goes first when a segment has fewer permits than sessions."""
        return list(Purpose).index(self)


class Link(StrEnum):
    """How a meter is reached."""

    TCP = "tcp"
    UDP = "udp"
    DIAL_IN = "dial-in"
    """It calls the head-end; nobody can call it."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a meter is reached: the concentrator, and the physical address behind its gateway (none: no gateway)."""

    host: str
    port: int
    physical_address: bytes = b""
    network_id: int = 0
    link: Link = Link.TCP

    @property
    def segment(self) -> str:
        """The link that this meter shares with its neighbours."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Meter:
    """An electricity meter as a session needs to know it."""

    serial: str
    address: Address
    sealed_password: bytes
    mrid: str | None = None
    usage_point: str | None = None
    installed_at: datetime | None = None
    removed_at: datetime | None = None
    discovered_at: datetime | None = None
    failures: int = 0
    offset_s: int = 1200
    period_s: int | None = None
    """How often it is read; daily if nothing was said."""
    layouts: dict[str, dict[str, object]] = field(default_factory=dict)
    marks: dict[str, Mark] = field(default_factory=dict)
    sealed_keys: bytes = b""
    system_title: bytes = b""
    debugging: bool = False
    list_max: int | None = None
    """Attributes that it takes in one list, if that was set."""
    pdu_octets_max: int | None = None
    """The longest APDU that we take from it, if that was set."""
    profile: str = "generic"
    """The companion profile that it keeps to (`openami.ami.headend.standards`)."""
    counter_received: int = -1
    """The last invocation counter that was accepted from the meter, as far as it was stored."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a stream was told to the MDUS: the stamp of the last row, and the codes that share that stamp (logs)."""

    at: datetime
    codes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class IntervalRows:
    """Rows of a load profile, oldest first: interval ends in Unix seconds, raw values by column, status octets."""

    ends_s: NDArray[np.int64]
    values: NDArray[np.int64]
    status: NDArray[np.uint8]

    @classmethod
    def none(cls, columns: int = 1) -> IntervalRows:
        """No rows at all."""
        return cls(np.empty(0, np.int64), np.empty((0, columns), np.int64), np.empty(0, np.uint8))

    def __len__(self) -> int:
        return len(self.ends_s)

    def where(self, keep: NDArray[np.bool_] | NDArray[np.intp] | slice) -> IntervalRows:
        """The rows that a mask or a slice keeps, or that indices pick in their order."""
        return IntervalRows(self.ends_s[keep], self.values[keep], self.status[keep])


@dataclass(frozen=True, slots=True)
class Column:
    """A measured column of a profile: its OBIS code, the power of ten of its raw values, and its DLMS unit."""

    obis: str
    scaler: int
    unit: int


@dataclass(frozen=True, slots=True)
class LoadProfile:
    """What a meter answered for a span of its load profile; `missing_ends_s` are ends it has no row for."""

    columns: tuple[Column, ...]
    interval_s: int
    rows: IntervalRows
    missing_ends_s: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RegisterValue:
    """A dial value in its physical unit (Wh, m3) at an instant; `reason` is why it was read, if not by schedule."""

    obis: str
    at: datetime
    value: Decimal
    daily: bool = False
    reason: str | None = None
    status: int = 0


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """A row of a meter's event log; `position` tells apart equal codes in the same second."""

    stream: Stream
    at: datetime
    code: int
    position: int = 0


@dataclass(frozen=True, slots=True)
class Collected:
    """Everything that one session brought home from one meter, and the marks it was asked from and leads to."""

    serial: str
    read_at: datetime
    profile: LoadProfile | None = None
    registers: tuple[RegisterValue, ...] = ()
    events: tuple[LoggedEvent, ...] = ()
    marks: dict[str, Mark] = field(default_factory=dict)
    layouts: dict[str, dict[str, object]] = field(default_factory=dict)
    clock_drift_s: float | None = None
    clock_set: bool = False
    breaker: BreakerState | None = None
    counter_received: int | None = None

    @property
    def reading_count(self) -> int:
        """How many values this adds to a message; bundles are bounded by it."""
        intervals = len(self.profile.rows) + len(self.profile.missing_ends_s) if self.profile else 0
        return intervals * (len(self.profile.columns) if self.profile else 1) + len(self.registers)


class ControlState(StrEnum):
    """Attribute 3 of class 70 (Blue Book 4.5.8)."""

    DISCONNECTED = "disconnected"
    CONNECTED = "connected"
    READY = "ready for reconnection"


@dataclass(frozen=True, slots=True)
class BreakerState:
    """The breaker as read back: its control state, and whether its output really carries supply."""

    state: ControlState
    output: bool


class Switch(StrEnum):
    """What may be ordered of a breaker."""

    DISCONNECT = "disconnect"
    CONNECT = "connect"


@dataclass(frozen=True, slots=True)
class SwitchResult:
    """How a breaker order ended at the meter: proven by what was read back, or not."""

    wanted: Switch
    before: BreakerState
    after: BreakerState
    register: RegisterValue | None

    @property
    def proven(self) -> bool:
        """The breaker stands where it should; a connect may also wait for the customer's button (armed)."""
        if self.wanted is Switch.DISCONNECT:
            return self.after.state is ControlState.DISCONNECTED and not self.after.output
        return self.armed or (self.after.state is ControlState.CONNECTED and self.after.output)

    @property
    def armed(self) -> bool:
        """Connected but for the customer's button (modes 1, 3, 5, 6 of class 70)."""
        return self.wanted is Switch.CONNECT and self.after.state is ControlState.READY
