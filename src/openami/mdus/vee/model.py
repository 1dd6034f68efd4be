"""Values of VEE: what is known of a batch, what a rule says, what comes out."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from openami.shared.quality import Verdict, has_value

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from decimal import Decimal

    from numpy.typing import NDArray

    from openami.mdus.series.model import ChannelDays

Value: TypeAlias = "int | Decimal | str | bool | list[str]"


class Level(IntEnum):
    """How far a rule fired on an interval."""

    NONE = 0
    WARN = 1
    FAIL = 2


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a rule in a rule set, with its evidence mark (S, S2, S-part, C, D, M) and source."""

    value: Value
    evidence: str
    source: str


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of one rule, by name."""

    rule: str
    by_name: Mapping[str, Parameter]

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - the catalogue has checked the type by name
        return self.by_name[name].value

    def ratio(self, name: str) -> tuple[int, int]:
        """A number as numerator and denominator, so that comparing stays in integers."""
        exact = Fraction(self[name])
        return exact.numerator, exact.denominator


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Candidate reference days of each row, the nearest first: values [row, candidate, slot].

    `usable` tells by row and candidate, `distance` in days (negative before), `day_type` 0-6 for Monday to Sunday and
    7 for a holiday; slots are matched to the row's own day by local time.
    """

    values: NDArray[np.int64]
    usable: NDArray[np.bool_]
    distance: NDArray[np.int64]
    day_type: NDArray[np.int8]


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """A batch and what else is known of its rows; a rule whose facts are absent does not test.

    `advance` is what the register advanced over the row's active time, in the channel's own units, known where
    `advance_known`; `step` one digit of that register; `active` the slots in which the channel lived; `dead` those
    in which the supply was certainly off; `rating` the most that an hour can bring (0: unknown).
    """

    days: ChannelDays
    interval_s: int
    active: NDArray[np.bool_]
    dead: NDArray[np.bool_]
    advance: NDArray[np.int64]
    advance_known: NDArray[np.bool_]
    step: NDArray[np.int64]
    net: NDArray[np.bool_]
    rating: NDArray[np.int64]
    day_type: NDArray[np.int8]
    reference: Reference | None = None
    more: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    present: NDArray[np.bool_] = field(init=False)
    """Where there is a value at all."""
    flagged: bool = field(init=False)
    """Whether the device said anything about any interval."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "present", has_value(self.days.quality))
        object.__setattr__(self, "flagged", bool(self.days.flags.any()))

    @staticmethod
    def of(days: ChannelDays, interval_s: int, **known: Any) -> Facts:  # noqa: ANN401 - the fields above
        """The facts of a batch of which little more is known."""
        rows = len(days)
        usual: dict[str, Any] = {
            "active": np.ones(days.values.shape, np.bool_),
            "dead": np.zeros(days.values.shape, np.bool_),
            "advance": np.zeros(rows, np.int64),
            "advance_known": np.zeros(rows, np.bool_),
            "step": np.ones(rows, np.int64),
            "net": np.zeros(rows, np.bool_),
            "rating": np.zeros(rows, np.int64),
            "day_type": ((days.day + 6) % 7).astype(np.int8),
        }
        return Facts(days, interval_s, **(usual | known))


@dataclass(frozen=True, slots=True, eq=False)
class Fired:
    """Where a check fired: levels [row, slot] or [row, 1] for a whole row, and what it looked at, by row."""

    level: NDArray[np.uint8]
    inputs: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    tested: NDArray[np.bool_] | None = None
    """The rows that could be tested; None: all."""


@dataclass(frozen=True, slots=True, eq=False)
class Filled:
    """What an estimation method gives: values where `mask`, and what it took them from, by row."""

    values: NDArray[np.int64]
    mask: NDArray[np.bool_]
    inputs: Mapping[str, NDArray[Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Reads:
    """What is known around instants at which registers are wanted, by row; values as if registers had no last digit.

    `used` is what the intervals from the reading before to the instant sum to, where all are there and actual; `step`
    one digit of the register.
    """

    at_s: NDArray[np.int64]
    before_s: NDArray[np.int64]
    before: NDArray[np.int64]
    oldest_s: NDArray[np.int64]
    oldest: NDArray[np.int64]
    after_s: NDArray[np.int64]
    after: NDArray[np.int64]
    after_known: NDArray[np.bool_]
    used: NDArray[np.int64]
    used_known: NDArray[np.bool_]
    step: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule that fired on one channel-day, or one method that filled slots of it."""

    rule: str
    channel: int
    day: date
    verdict: Verdict
    slots: tuple[int, ...]
    inputs: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """The batch judged (and estimated), and why."""

    days: ChannelDays
    findings: tuple[Finding, ...]
    open: NDArray[np.bool_]
    """Slots that still have no usable value."""
