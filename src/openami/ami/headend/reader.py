"""Runs a dialogue with a meter under a permit, and turns whatever happens into a record: no fault stops the service."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import structlog

from openami.ami.headend.dialogues import Dialogue
from openami.ami.headend.links import LinkDownError
from openami.ami.headend.sessions import NoAnswerError, Traffic, retry_helps
from openami.ami.headend.store import SessionRecord
from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from openami.ami.headend.dialogues import Manners
    from openami.ami.headend.links import Links
    from openami.ami.headend.model import Meter, Purpose
    from openami.ami.headend.sessions import Sessions
    from openami.shared.clock import Clock

log = structlog.get_logger()

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Visit(Generic[_T]):
    """How one session went: its result or its error, and the record to keep."""

    record: SessionRecord
    result: _T | None = None
    error: OpenAmiError | None = None

    @property
    def retry_helps(self) -> bool:
        """Whether trying again may help."""
        return self.error is None or retry_helps(self.error)


class MeterReader:
    """Visits meters: permit, session, dialogue, record."""

    def __init__(self, links: Links, clock: Clock, sessions: Sessions, *, manners: Manners) -> None:
        self._links = links
        self._clock = clock
        self._sessions = sessions
        self._manners = manners
        self.visits = 0
        self.failures = 0

    async def visit(self, meter: Meter, purpose: Purpose, talk: Callable[[Dialogue], Awaitable[_T]]) -> Visit[_T]:
        """Open a session with a meter and hold one dialogue; an error becomes part of the result."""
        started_at, started_s = self._clock.now(), time.monotonic()
        traffic = Traffic(trace=[] if meter.debugging else None)
        result: _T | None = None
        failure: OpenAmiError | None = None
        try:
            async with self._links.permit(meter.serial, meter.address, purpose):
                started_s = time.monotonic()
                result = await self._talk(meter, purpose, talk, traffic)
        except OpenAmiError as error:
            failure = error
        except Exception as error:  # a fault of ours must not stop the other meters
            log.exception("reader.fault", serial=meter.serial)
            failure = OpenAmiError(f"The session failed by a fault of ours: {error!r}.", hint="See the log.")
        self.visits += 1
        self.failures += failure is not None
        record = SessionRecord(
            serial=meter.serial,
            purpose=purpose,
            started_at=started_at,
            wall_ms=round((time.monotonic() - started_s) * 1000),
            octets_sent=traffic.sent,
            octets_received=traffic.received,
            error_class=None if failure is None else type(failure).__name__,
            error=None if failure is None else str(failure),
            trace=None if traffic.trace is None else tuple(traffic.trace),
        )
        return Visit(record, result, failure)

    async def _talk(
        self, meter: Meter, purpose: Purpose, talk: Callable[[Dialogue], Awaitable[_T]], traffic: Traffic
    ) -> _T:
        try:
            async with self._sessions.open(meter, purpose, traffic) as session:
                self._links.reached(meter.address)
                return await talk(Dialogue(session, meter, self._clock, self._manners))
        except LinkDownError as error:
            self._links.unreachable(meter.address, error.found)
            raise
        except NoAnswerError:
            self._links.silent(meter.address)
            raise
