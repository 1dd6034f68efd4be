"""Which reading answers an order, and what to do while there is none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from openami.mdus.services.codes import Pick
from openami.shared.spans import Span, local_day

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openami.mdus.services.order_model import OrderPolicy, ReadingOrder


CLOCK_LAG: Final = timedelta(minutes=5)
"""How far a meter's clock may be behind ours: its reading on demand then seems to be older than the question."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A stored register value: a scaled integer at an instant."""

    at: datetime
    value: int
    estimated: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """This reading answers the order."""

    reading: Candidate
    method: str = ""
    """By which method of estimation it is known, where nobody read it."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again at an instant, or earlier when something was delivered."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the AMS now, and look again at an instant."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Fail:
    """There is no reading and there will be none."""

    reason: str


Decision = Answer | Wait | Ask | Fail


def search_span(order: ReadingOrder, policy: OrderPolicy) -> Span:
    """Where a reading may lie that answers the order, in the worst case."""
    day = local_day(order.zone, order.scheduled_on)
    start = order.asked_at - CLOCK_LAG if order.on_demand and order.asked_at else day.start
    start = max(start, order.not_before or start)
    return Span(start, max(start, day.end, order.asked_at or day.end) + policy.tolerance + timedelta(seconds=1))


def first_look(order: ReadingOrder) -> datetime:
    """When an order is looked at first."""
    day = local_day(order.zone, order.scheduled_on)
    if order.on_demand or order.pick is Pick.EARLIEST:
        return max(day.start, order.not_before or day.start)
    return min(day.end, order.not_after or day.end)


def decide(order: ReadingOrder, readings: Sequence[Candidate], now: datetime, policy: OrderPolicy) -> Decision:
    """What to do with an order, given the stored readings of its register within `search_span`."""
    wanted = first_look(order)
    if now < wanted:
        return Wait(wanted)
    found = _found(order, readings, now, policy)
    if found is not None:
        return Answer(found)
    patient_until = wanted + _patience(order, policy)
    if now < patient_until:
        return Wait(patient_until)
    decision = _collect(order, now, policy)
    nearest = None if order.on_demand else _best(order, readings)
    return Answer(nearest) if isinstance(decision, Fail) and nearest is not None else decision


def _found(order: ReadingOrder, readings: Sequence[Candidate], now: datetime, policy: OrderPolicy) -> Candidate | None:
    """The reading that answers now: the wanted one, or, when the delivery had its time, the one that comes closest."""
    if order.on_demand:
        return _on_demand(order, readings)
    exact = _exact(order, readings)
    patient = now < first_look(order) + _patience(order, policy)
    if exact is not None or patient or (order.pick is Pick.END_OF_DAY and not order.attempts):
        return exact
    return _best(order, readings)


def _patience(order: ReadingOrder, policy: OrderPolicy) -> timedelta:
    return timedelta() if order.on_demand or order.pick is Pick.EARLIEST else policy.patience


def _collect(order: ReadingOrder, now: datetime, policy: OrderPolicy) -> Decision:
    """Ask the AMS, unless it was asked a short while ago or often enough."""
    if order.not_after is not None and order.not_after <= now:
        last = first_look(order) + policy.tolerance
        return Wait(last) if now < last else Fail("The meter is gone and left no reading of that day.")
    if order.asked_at is not None and now < order.asked_at + policy.retry:
        return Wait(order.asked_at + policy.retry)
    if order.attempts < policy.attempts:
        return Ask(now + policy.retry)
    return Fail(f"{order.attempts} readings on demand, {policy.retry} apart, brought no value.")


def _on_demand(order: ReadingOrder, readings: Sequence[Candidate]) -> Candidate | None:
    """The first reading taken after we asked."""
    if order.asked_at is None:
        return None
    since = order.asked_at - CLOCK_LAG
    return min((one for one in readings if one.at >= since), key=lambda one: one.at, default=None)


def _exact(order: ReadingOrder, readings: Sequence[Candidate]) -> Candidate | None:
    """The reading at exactly the wanted instant: nothing better can come."""
    day = local_day(order.zone, order.scheduled_on)
    if order.pick is Pick.EARLIEST:
        return _best(order, readings)
    wanted = min(day.end, order.not_after or day.end)
    return next((one for one in readings if one.at == wanted), None)


def _best(order: ReadingOrder, readings: Sequence[Candidate]) -> Candidate | None:
    """The reading that fits the reason best: on the day if possible, else the next one after it."""
    day = local_day(order.zone, order.scheduled_on)
    usable = [one for one in readings if _exists(order, one)]
    if order.pick is Pick.EARLIEST:
        return min((one for one in usable if one.at >= day.start), key=lambda one: one.at, default=None)
    if order.pick is Pick.LATEST:
        on_the_day = [one for one in usable if day.start < one.at <= day.end]
        if on_the_day:
            return max(on_the_day, key=lambda one: one.at)
    return min((one for one in usable if one.at >= day.end), key=lambda one: one.at, default=None)


def _exists(order: ReadingOrder, reading: Candidate) -> bool:
    """Whether the meter was there."""
    after = order.not_before is None or reading.at >= order.not_before
    return after and (order.not_after is None or reading.at <= order.not_after)
