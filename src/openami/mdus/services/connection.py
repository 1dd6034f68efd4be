"""Connection requests: become commands, and are confirmed once, with what became of each device."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from openami.mdus.commands import store
from openami.mdus.commands.errors import (
    CommandError,
    DuplicateRequestError,
    NoProofError,
    NotExecutedError,
    NotOperationalError,
    UnknownCategoryError,
    UnknownRequestError,
    WithdrawnError,
)
from openami.mdus.commands.model import Command, Kind, State
from openami.mdus.registry import rules
from openami.mdus.registry.errors import UnknownDeviceError
from openami.mdus.registry.ids import bare
from openami.mdus.registry.store import load_devices
from openami.mdus.services import translate
from openami.mdus.services.desk import not_yet
from openami.shared.capabilities import Capabilities
from openami.shared.contract.enterprise import logs
from openami.shared.contract.enterprise.headers import message_key
from openami.shared.contract.enterprise.messages.common import MessageHeader
from openami.shared.contract.enterprise.messages.connection import (
    SmartMeterUtilitiesConnectionStatusChangeRequestERPCreateConfirmation as Confirmation,
)
from openami.shared.contract.enterprise.model import Bulk
from openami.shared.errors import OpenAmiError
from openami.shared.seam.model import NotYet

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.commands.handlers import Commands
    from openami.mdus.registry.model import Device
    from openami.mdus.services.desk import Desk, Verdict
    from openami.mdus.services.gather import Gather
    from openami.shared.clock import Clock
    from openami.shared.contract.enterprise.messages.common import Log
    from openami.shared.contract.enterprise.messages.connection import (
        SmartMeterUtilitiesConnectionStatusChangeRequestERPCancellationRequest as CancelRequest,
    )
    from openami.shared.contract.enterprise.messages.connection import (
        SmartMeterUtilitiesConnectionStatusChangeRequestERPCreateRequest as Request,
    )
    from openami.shared.contract.enterprise.model import HeadedMessage

KINDS: Final = {"1": Kind.DISCONNECT, "2": Kind.CONNECT}
DONE: Final = "1"
FAILED: Final = "2"


@dataclass(frozen=True, slots=True)
class ConnectionPolicy:
    """How long a command may take before it counts as failed."""

    deadline: timedelta = timedelta(hours=4)


@dataclass(frozen=True, slots=True)
class Connections:
    """The desk for connection requests."""

    desk: Desk
    clock: Clock
    commands: Commands
    transformer_of: Callable[[AsyncConnection, Sequence[str]], Awaitable[dict[str, str]]]
    """The transformer that each device (bare id) hangs behind, as far as the AMS has told."""
    gather: Gather
    policy: ConnectionPolicy = field(default_factory=ConnectionPolicy)
    capabilities: Capabilities = field(default_factory=Capabilities)

    async def order(self, tx: AsyncConnection, message: HeadedMessage) -> None:
        """Take one request or many. What is refused is confirmed now, the rest when it is done; a bulk all at once."""
        items: Sequence[Any] = message.items if isinstance(message, Bulk) else (message,)
        if isinstance(message, Bulk):
            await self.gather.expect(tx, message)
        late: NotYet | None = None
        for item in items:
            reason = await self._order_one(tx, item, message)
            if isinstance(reason, NotYet) and self.desk.is_patient_with(message):
                late = late or reason
            elif reason is not None:
                await self._confirm(tx, _content(item), item.message_header, self.desk.log_of(reason), ())
        if late is not None:
            raise late

    async def cancel(self, tx: AsyncConnection, items: Sequence[CancelRequest]) -> list[Verdict]:
        """Withdraw requests of which nothing has left for the AMS."""
        verdicts: list[Verdict] = []
        for item in items:
            number = item.utilities_connection_status_change_request.id
            try:
                if await store.find_request(tx, number, lock=True) is None:
                    raise not_yet(UnknownRequestError(f"Connection request {number} is not known."))
                await self.commands.cancel(tx, number)
            except OpenAmiError as reason:
                verdicts.append(reason)
            else:
                verdicts.append(None)
        return verdicts

    async def finished(self, tx: AsyncConnection, number: str, commands: list[Command]) -> None:
        """Every device of a request is through: confirm it, once, with the results."""
        request = await store.find_request(tx, number)
        assert request is not None
        origin = request.origin
        head = MessageHeader(
            uuid=origin["uuid"], id=origin["id"], sender_business_system_id=origin["sender"], creation_date_time=_EPOCH
        )
        failed = [one for one in commands if one.state is not State.PROVEN]
        reasons = [_WHY[one.state](f"Device {one.device}: {one.note}") for one in failed]
        if not failed:
            log = logs.success()
        elif len(failed) == len(commands):
            log = logs.failed(*reasons)
        else:
            log = logs.partly(*reasons)
        content = Confirmation.UtilitiesConnectionStatusChangeRequest
        results = tuple(
            content.DeviceConnectionStatus(
                processing_date_time=one.event_at or one.finished_at or self.clock.now(),
                utilities_device_connection_status_processing_result_code=DONE if one.state is State.PROVEN else FAILED,
                utilities_device_id=one.device,
            )
            for one in commands
        )
        await self._confirm(tx, (request.request, request.category), head, log, results)

    async def _order_one(self, tx: AsyncConnection, item: Request, message: HeadedMessage) -> OpenAmiError | None:
        try:
            async with tx.begin_nested():
                await self._take(tx, item, message)
        except OpenAmiError as reason:
            return reason
        return None

    async def _take(self, tx: AsyncConnection, item: Request, message: HeadedMessage) -> None:
        sent = item.utilities_connection_status_change_request
        kind = KINDS.get(sent.category_code.lstrip("0"))
        if kind is None:
            raise UnknownCategoryError(
                f"Connection category {sent.category_code!r} is not supported.", hint="1 disconnects, 2 reconnects."
            )
        head = item.message_header
        now = self.clock.now()
        sender = head.sender_business_system_id or message.message_header.sender_business_system_id or "back office"
        origin: dict[str, Any] = {"uuid": head.uuid, "id": head.id, "sender": sender}
        known = await store.find_request(tx, sent.id, lock=True)
        if known is not None:
            if known.origin == origin:
                return  # this very request, taken before
            raise DuplicateRequestError(
                f"Connection request {sent.id} is {'done' if known.confirmed_at else 'in work'}.",
                hint="Send a new number.",
            )
        devices = await load_devices(tx, [one.utilities_device_id for one in sent.device_connection_status], lock=True)
        transformers = await self.transformer_of(tx, list(devices))
        planned = now if sent.immediate_status_change_indicator else max(now, sent.planned_processing_date_time)
        await store.add_request(tx, store.ConnectionRequest(sent.id, sent.category_code, origin, now))
        commands = []
        for status in sent.device_connection_status:
            device = _operational(devices.get(bare(status.utilities_device_id)), status.utilities_device_id, planned)
            rules.check_system(device, translate.system_of(status.smart_meter), planned.date())
            self.capabilities.check(device.subject_on(planned.date()), "switch")
            commands.append(
                Command(
                    id=uuid4(),
                    request=sent.id,
                    device=device.id,
                    kind=kind,
                    reason=sent.utilities_service_disconnection_reason_code or "",
                    ordered_by=sender,
                    created_at=now,
                    planned_at=planned,
                    deadline=planned + self.policy.deadline,
                    transformer=transformers.get(bare(device.id), ""),
                )
            )
        await self.commands.accept(tx, commands)

    async def _confirm(
        self,
        tx: AsyncConnection,
        request: tuple[str, str],
        head: MessageHeader,
        log: Log,
        results: Any,  # noqa: ANN401
    ) -> None:
        number, category = request
        content = Confirmation.UtilitiesConnectionStatusChangeRequest
        answer = Confirmation(
            message_header=self.desk.header(reply_to=head),
            utilities_connection_status_change_request=content(
                id=number, category_code=category, device_connection_status=results
            ),
            log=log,
        )
        key = f"connection {number}"
        if not await self.gather.take(tx, message_key(head), answer, key):
            await self.desk.send(tx, answer, key)


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_WHY: Final[dict[State, type[CommandError]]] = {
    State.FAILED: NotExecutedError,
    State.EXPIRED: NoProofError,
    State.CANCELLED: WithdrawnError,
}


def _content(item: Request) -> tuple[str, str]:
    sent = item.utilities_connection_status_change_request
    return sent.id, sent.category_code


def _operational(device: Device | None, number: str, at: datetime) -> Device:
    """A device that can be switched: installed, not removed, with an AMS.

    Raises:
        NotYet: it is not known.
        NotOperationalError: it cannot be switched.
    """
    if device is None:
        raise not_yet(UnknownDeviceError(f"Device {number} is not known.", hint="Send its create request first."))
    removed = device.removed_at()
    if not device.locations or device.system_on(at.date()) is None:
        raise NotOperationalError(f"Device {number} is not installed.", hint="Install it first.")
    if removed is not None and removed <= at:
        raise NotOperationalError(f"Device {number} was removed at {removed:%Y-%m-%d %H:%M} UTC.")
    return device
