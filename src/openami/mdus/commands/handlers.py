"""What happens to commands: taken from the back office, sent in time, proven by the AMS, confirmed once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from openami.mdus.commands import rules, store
from openami.mdus.commands.errors import NotHeldError
from openami.mdus.commands.model import Command, Kind, Limits, State
from openami.mdus.registry.ids import bare
from openami.mdus.registry.store import load_devices

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.registry.model import Device
    from openami.shared.clock import Clock

    Finish = Callable[[AsyncConnection, str, list[Command]], Awaitable[None]]


class Controls(Protocol):
    """What commands need of the AMS."""

    async def switch(self, tx: AsyncConnection, command: Command, device: Device) -> None:
        """Order the switch."""
        ...

    async def withdraw(self, tx: AsyncConnection, command: Command, device: Device) -> None:
        """Cancel the order."""
        ...

    async def read_switch(self, tx: AsyncConnection, command: Command, device: Device) -> None:
        """Read the breaker back."""
        ...


class Commands:
    """The desk of commands; `finish` is told when every device of a request is through."""

    def __init__(self, controls: Controls, clock: Clock, limits: Limits) -> None:
        self._controls = controls
        self._clock = clock
        self._limits = limits
        self.finish: Finish | None = None

    async def accept(self, tx: AsyncConnection, commands: Iterable[Command]) -> None:
        """Take new commands; those whose time has come leave at once."""
        now = self._clock.now()
        new = list(commands)
        await store.save(tx, new, now)
        accepted = [rules.accept(one) for one in new]
        await store.save(tx, accepted, now)
        await self._dispatch(tx, [one for one in accepted if one.planned_at <= now])

    async def act(self, tx: AsyncConnection) -> int:
        """Send what is due and end what is past its deadline; returns how many moved."""
        now = self._clock.now()
        due = await store.due(tx, now)
        late = [one for one in due if one.deadline <= now]
        await self._expire(tx, late)
        await self._dispatch(tx, [one for one in due if one.deadline > now and one.state is State.ACCEPTED])
        return len(due)

    async def next_due(self, tx: AsyncConnection) -> datetime | None:
        """When a command has to be looked at next."""
        return await store.next_due(tx)

    async def release(self, tx: AsyncConnection, command: UUID, person: str) -> Command:
        """A second person lets a held command go.

        Raises:
            NotHeldError: there is no such command, or nobody holds it.
            SamePersonError: the person who ordered it asks.
        """
        found = await store.find(tx, command, lock=True)
        if found is None:
            raise NotHeldError(f"There is no command {command}.", hint="Look at the list of commands.")
        released = rules.release(found, person)
        await store.save(tx, [released], self._clock.now())
        if released.planned_at <= self._clock.now():
            await self._dispatch(tx, [released])
        return released

    async def cancel(self, tx: AsyncConnection, request: str) -> list[Command]:
        """Withdraw every command of a request, or none of them.

        Raises:
            AlreadyProcessedError: one of them has left for the AMS, or is over.
        """
        now = self._clock.now()
        cancelled = [rules.cancel(one, now) for one in await store.of_request(tx, request, lock=True)]
        await self._moved(tx, cancelled)
        return cancelled

    async def answered(self, tx: AsyncConnection, command: UUID, *, failed: str | None) -> None:
        """The AMS has accepted an order, or refused it (`failed` says why)."""
        found = await store.find(tx, command, lock=True)
        if found is None:
            return
        now = self._clock.now()
        after = rules.fail(found, failed, now) if failed is not None else rules.taken(found)
        await self._moved(tx, [after] if after != found else [])

    async def saw_event(self, tx: AsyncConnection, device: str, event: str, at: datetime) -> None:
        """A switch event of a device; after it the breaker is read back."""
        now = self._clock.now()
        before = await store.in_work_of(tx, [device])
        pairs = [(one, rules.saw_event(one, event, at, now)) for one in before]
        changed = [after for one, after in pairs if after != one]
        await self._moved(tx, changed)
        devices = await load_devices(tx, [one.device for one in changed])
        for one in changed:
            if rules.needs_read_back(one):
                await self._controls.read_switch(tx, one, devices[bare(one.device)])

    async def saw_position(
        self, tx: AsyncConnection, device: str, *, closed: bool, at: datetime, ordered: bool = False
    ) -> None:
        """The breaker of a device was read; `ordered` if because a command asked for it."""
        now = self._clock.now()
        before = await store.in_work_of(tx, [device])
        pairs = [(one, rules.saw_position(one, closed=closed, at=at, now=now, ordered=ordered)) for one in before]
        await self._moved(tx, [after for one, after in pairs if after != one])

    async def _dispatch(self, tx: AsyncConnection, commands: list[Command]) -> None:
        if not commands:
            return
        now = self._clock.now()
        devices = await load_devices(tx, [one.device for one in commands])
        sent = await store.disconnects_since(tx, now - self._limits.window)
        after = []
        for command in commands:
            reason = rules.hold_reason(command, sum(sent.values()), sent.get(command.transformer, 0), self._limits)
            if reason is not None:
                after.append(rules.hold(command, reason))
                continue
            if command.kind is Kind.DISCONNECT:
                sent[command.transformer] = sent.get(command.transformer, 0) + 1
            await self._controls.switch(tx, command, devices[bare(command.device)])
            after.append(rules.send(command, now))
        await self._moved(tx, after)

    async def _expire(self, tx: AsyncConnection, commands: list[Command]) -> None:
        now = self._clock.now()
        devices = await load_devices(tx, [one.device for one in commands])
        for command in commands:
            if command.sent_at is not None:
                await self._controls.withdraw(tx, command, devices[bare(command.device)])
        await self._moved(tx, [rules.expire(one, now) for one in commands])

    async def _moved(self, tx: AsyncConnection, commands: list[Command]) -> None:
        """Keep the new states, and tell once when a request has no open command left."""
        now = self._clock.now()
        await store.save(tx, commands, now)
        for request in dict.fromkeys(one.request for one in commands if one.state.final):
            every = await store.of_request(tx, request)
            if all(one.state.final for one in every) and await store.confirm_request(tx, request, now):
                assert self.finish is not None
                await self.finish(tx, request, every)
