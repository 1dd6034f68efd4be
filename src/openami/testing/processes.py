"""The processes of the enterprise services as scripts that a fake SAP plays against an MDUS: one function a process.

Each names the operations that it moves across the seam; a test sees that all of the catalogue are named and moved.
What happens in the field comes from a `Field`: simulated in our tests, the real one where an integrator has one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import date, datetime, timedelta

    from openami.testing.home import Home
    from openami.testing.party import Party

    Play = Callable[["Stage"], Awaitable[None]]


class Field(Protocol):
    """What meters and their AMS do; `present` is False where there are none: devices are then never registered."""

    present: bool

    async def discover(self, *homes: Home) -> None:
        """The AMS reports these meters."""
        ...

    async def deliver(self, home: Home, day: date, *, wh: int = 100, register_wh: int | None = None) -> None:
        """The AMS delivers a day: the same energy in every interval, and the register at its end."""
        ...

    async def deliver_all(self, homes: Sequence[Home], day: date, *, wh: int = 100, register_wh: int) -> None:
        """The AMS delivers a day of several meters in one message."""
        ...

    async def read(self, home: Home, at: datetime, register_wh: int) -> None:
        """The AMS answers with the register at an instant."""
        ...

    async def switched(self, home: Home, *, closed: bool) -> None:
        """The breaker has moved: event and position."""
        ...

    async def event(self, home: Home, name: str) -> None:
        """The meter tells of something."""
        ...

    async def wait(self, by: timedelta) -> None:
        """Business time passes."""
        ...


@dataclass(slots=True)
class Stage:
    """What a process has: the fake SAP, the field, and homes that nobody else uses."""

    sap: Party
    field: Field
    homes: Callable[..., Home]


@dataclass(frozen=True, slots=True)
class Process:
    """One script: its number in the service list, its name, and the operations that it moves."""

    number: str
    name: str
    operations: frozenset[str]
    play: Play
    needs: str = ""
    """A setting of the MDUS without which its operations do not move."""


PROCESSES: Final[dict[str, Process]] = {}
"""All scripts by name; `testing.scripts` fills it."""


def process(number: str, name: str, *operations: str, needs: str = "") -> Callable[[Play], Play]:
    """Put a script on the list."""

    def listed(play: Play) -> Play:
        PROCESSES[name] = Process(number, name, frozenset(operations), play, needs)
        return play

    return listed


def expect(holds: object, what: str) -> None:
    """See that something holds, else say what was expected.

    Raises:
        WrongAnswerError: it does not.
    """
    from openami.testing.party import WrongAnswerError  # noqa: PLC0415 - party needs nothing of this

    if not holds:
        raise WrongAnswerError(f"Expected: {what}.")


def pairs(request: str) -> tuple[str, str]:
    """A request of SAP and its confirmation."""
    return f"{request}Request_Out", f"{request}Confirmation_In"
