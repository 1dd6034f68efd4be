"""Every step that a command may take, as a function from a command to the next one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from openami.mdus.commands.errors import AlreadyProcessedError, NotHeldError, SamePersonError
from openami.mdus.commands.model import State

if TYPE_CHECKING:
    from datetime import datetime

    from openami.mdus.commands.model import Command, Limits

CLOCK_TOLERANCE: Final = timedelta(minutes=5)
"""How far the clock of a meter may be behind ours before its event looks older than the order."""
_IN_WORK: Final = frozenset({State.SENT, State.EXECUTING})


def accept(command: Command) -> Command:
    """The order is understood and waits for its time."""
    return replace(command, state=State.ACCEPTED)


def hold_reason(command: Command, sent: int, sent_behind_transformer: int, limits: Limits) -> str | None:
    """Why a command has to wait for a second person; `sent` counts disconnects within the window before it."""
    if command.kind.closes or command.released_by:
        return None
    minutes = int(limits.window.total_seconds() // 60)
    if sent >= limits.per_hour:
        return f"{sent} disconnects within {minutes} minutes; the limit is {limits.per_hour}."
    if command.transformer and sent_behind_transformer >= limits.per_transformer:
        return (
            f"{sent_behind_transformer} disconnects behind transformer {command.transformer} within {minutes} "
            f"minutes; the limit is {limits.per_transformer}."
        )
    return None


def hold(command: Command, reason: str) -> Command:
    """Keep it back until somebody else has looked."""
    return replace(command, state=State.HELD, note=reason)


def release(command: Command, person: str) -> Command:
    """A second person lets a held command go.

    Raises:
        NotHeldError: it is not held.
        SamePersonError: it is the one who ordered it.
    """
    if command.state is not State.HELD:
        raise NotHeldError(f"Command {command.id} is {command.state}, not held.", hint="Look at its state again.")
    if not person.strip() or person.strip().casefold() == command.ordered_by.casefold():
        raise SamePersonError(
            f"{person or 'Nobody'} cannot release an order of {command.ordered_by}.", hint="A second person has to."
        )
    return replace(command, state=State.ACCEPTED, released_by=person.strip(), note=f"Released by {person.strip()}.")


def send(command: Command, now: datetime) -> Command:
    """The control is on its way to the AMS."""
    return replace(command, state=State.SENT, sent_at=now, note="")


def taken(command: Command) -> Command:
    """The AMS has accepted it; that is not execution."""
    return replace(command, state=State.EXECUTING) if command.state is State.SENT else command


def fail(command: Command, reason: str, now: datetime) -> Command:
    """It did not happen, as far as anybody can tell."""
    return command if command.state.final else replace(command, state=State.FAILED, finished_at=now, note=reason)


def saw_event(command: Command, event: str, at: datetime, now: datetime) -> Command:
    """A switch event of its device; one from before the order tells nothing about it."""
    if command.state not in _IN_WORK or command.sent_at is None or at < command.sent_at - CLOCK_TOLERANCE:
        return command
    if event == "switch.failed":
        return fail(command, "The meter reports that the switch did not move.", now)
    if event != command.kind.event:
        return command
    return _proven(replace(command, state=State.EXECUTING, event_at=at), now)


def saw_position(command: Command, *, closed: bool, at: datetime, now: datetime, ordered: bool) -> Command:
    """The breaker was read; `ordered` says that it was read because we asked after the event.

    A position that agrees is kept as proof. One that contradicts ends the command only when we asked for it.
    """
    if command.state not in _IN_WORK or command.sent_at is None or at < command.sent_at - CLOCK_TOLERANCE:
        return command
    if closed is command.kind.closes:
        return _proven(replace(command, position_closed=closed, position_at=at), now)
    if ordered and command.event_at is not None:
        return fail(command, f"The breaker reads {'closed' if closed else 'open'} after the {command.kind}.", now)
    return command


def needs_read_back(command: Command) -> bool:
    """The event is there, the breaker has not been read."""
    return command.state is State.EXECUTING and command.event_at is not None and command.position_closed is None


def cancel(command: Command, now: datetime) -> Command:
    """Withdraw it.

    Raises:
        AlreadyProcessedError: it has left for the AMS, or is over.
    """
    if command.state is State.CANCELLED:
        return command
    if command.state in _IN_WORK or command.state.final:
        raise AlreadyProcessedError(
            f"The {command.kind} of device {command.device} is {command.state}.", hint="It can no longer be cancelled."
        )
    return replace(command, state=State.CANCELLED, finished_at=now, note="Cancelled by the back office.")


def expire(command: Command, now: datetime) -> Command:
    """The deadline has passed without proof."""
    if command.state.final or now < command.deadline:
        return command
    found = "no switch event" if command.event_at is None else "the breaker was not read back"
    return replace(command, state=State.EXPIRED, finished_at=now, note=f"No proof until the deadline: {found}.")


def _proven(command: Command, now: datetime) -> Command:
    if not command.has_proof:
        return command
    return replace(command, state=State.PROVEN, finished_at=now, note="Switch event and breaker agree.")
