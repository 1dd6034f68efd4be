"""Changes of what is known, besides the course of initialization: withdrawn, respecified, told by other means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import NAMESPACE_OID, UUID, uuid5

from openami.mdus.commands.errors import UnknownCategoryError, UnknownRequestError
from openami.mdus.registry import rules, store
from openami.mdus.registry.channel_store import channels_of_devices
from openami.mdus.registry.errors import UnknownDeviceError, UnknownTaskError, WrongOwnerError
from openami.mdus.registry.ids import bare
from openami.mdus.registry.slices import Period
from openami.mdus.services import upkeep_store
from openami.mdus.services.desk import not_yet
from openami.mdus.vee.supply import supply_came_back, supply_went_off
from openami.shared.contract.enterprise.headers import message_key
from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.ams import Ams
    from openami.mdus.registry.model import Device
    from openami.mdus.services.codes import EnterpriseCodes
    from openami.mdus.services.desk import Verdict
    from openami.mdus.services.master_data import MasterData
    from openami.shared.capabilities import Capabilities
    from openami.shared.clock import Clock
    from openami.shared.contract.enterprise.messages.inferred_connection import (
        SmartMeterUtilitiesConnectionStatusChangeRequestERPCancellationNotification as NoticeUndone,
    )
    from openami.shared.contract.enterprise.messages.inferred_connection import (
        SmartMeterUtilitiesConnectionStatusChangeRequestERPNotification as Notice,
    )
    from openami.shared.contract.enterprise.messages.inferred_device import (
        UtilitiesDeviceERPSmartMeterCancellationRequest as Withdrawal,
    )
    from openami.shared.contract.enterprise.messages.inferred_device import (
        UtilitiesDeviceERPSmartMeterTextNotification as TextNotification,
    )
    from openami.shared.contract.enterprise.messages.inferred_measurement_task import (
        SmartMeterUtilitiesMeasurementTaskERPChangeRequest as TaskChange,
    )
    from openami.shared.contract.enterprise.messages.inferred_measurement_task import (
        SmartMeterUtilitiesMeasurementTaskERPDeviceAssignmentNotification as Transformers,
    )

CLOSES: Final = {"disconnect": False, "reconnect": True}
TEXT: Final = "text:"


@dataclass(frozen=True, slots=True)
class Upkeep:
    """The desk for withdrawals, changed tasks, transformers, texts and switching done by other means."""

    clock: Clock
    codes: EnterpriseCodes
    master_data: MasterData
    capabilities: Capabilities
    ams: Ams

    async def withdraw(self, tx: AsyncConnection, items: Sequence[Withdrawal]) -> list[Verdict]:
        """Forget devices that were announced by mistake; the journal keeps what they were."""
        devices = await store.load_devices(tx, [one.utilities_device.id for one in items], lock=True)
        verdicts: list[Verdict] = []
        for item in items:
            number = item.utilities_device.id
            try:
                rules.check_withdrawal(_known(devices.get(bare(number)), number))
            except OpenAmiError as reason:
                verdicts.append(reason)
            else:
                await store.forget_device(tx, devices.pop(bare(number)), at=self.clock.now())
                verdicts.append(None)
        return verdicts

    async def change_tasks(self, tx: AsyncConnection, items: Sequence[TaskChange]) -> list[Verdict]:
        """Time of use, category or interval length of measurement tasks change from a day on."""
        owners = await store.owners_of(tx, [one.utilities_measurement_task.id for one in items], lock=True)
        before = {bare(one.id): one for each in owners.values() for one in each}
        after = dict(before)
        verdicts: list[Verdict] = []
        for item in items:
            try:
                key = bare(_owner(item, owners))
                after[key] = self._respecified(after[key], item)
            except OpenAmiError as reason:
                verdicts.append(reason)
            else:
                verdicts.append(None)
        changed = [one for key, one in after.items() if one != before[key]]
        await self.master_data.keep(tx, changed, "measurement task change", before=before)
        return verdicts

    async def assign_transformers(self, tx: AsyncConnection, items: Sequence[Transformers]) -> list[Verdict]:
        """Transformers are put before measurement tasks. Their factor is kept, never applied (3.7)."""
        owners = await store.owners_of(tx, [one.utilities_measurement_task.id for one in items])
        verdicts: list[Verdict] = []
        for item in items:
            task = item.utilities_measurement_task
            try:
                _owned(task.id, task.utilities_device.utilities_device_id, owners)
                rows = [_transformer(one) for one in task.device_assignment]
            except OpenAmiError as reason:
                verdicts.append(reason)
                continue
            complete = bool(task.device_assignment_list_complete_transmission_indicator)
            await upkeep_store.set_transformers(tx, task.id, rows, complete=complete)
            verdicts.append(None)
        return verdicts

    async def take_texts(self, tx: AsyncConnection, items: Sequence[TextNotification]) -> list[Verdict]:
        """Texts for displays: kept, and sent to the AMS of each device that can show them."""
        devices = await store.load_devices(tx, [one.utilities_device.id for one in items])
        verdicts: list[Verdict] = []
        for item in items:
            try:
                await self._take_text(tx, item, devices)
            except OpenAmiError as reason:
                verdicts.append(reason)
            else:
                verdicts.append(None)
        return verdicts

    async def take_notices(self, tx: AsyncConnection, items: Sequence[Notice]) -> list[Verdict]:
        """Devices were switched by other means: their supply is known from then on."""
        numbers = [
            one.utilities_device_id
            for item in items
            for one in item.utilities_connection_status_change_request.device_connection_status
        ]
        devices = await store.load_devices(tx, numbers)
        verdicts: list[Verdict] = []
        for item in items:
            try:
                await self._take_notice(tx, item, devices)
            except OpenAmiError as reason:
                verdicts.append(reason)
            else:
                verdicts.append(None)
        return verdicts

    async def undo_notices(self, tx: AsyncConnection, items: Sequence[NoticeUndone]) -> list[Verdict]:
        """What was told of a switch by other means does not hold any more."""
        now = self.clock.now()
        verdicts: list[Verdict] = []
        for item in items:
            number = item.utilities_connection_status_change_request.id
            undone = await upkeep_store.undo_notices(tx, number, now)
            if undone is None:
                verdicts.append(not_yet(UnknownRequestError(f"Connection notice {number} is not known.")))
                continue
            for row in undone:
                await self._supply(tx, row["device_key"], closes=not row["closes"], at=now, cause=f"{number} undone")
            verdicts.append(None)
        return verdicts

    def _respecified(self, device: Device, item: TaskChange) -> Device:
        task = item.utilities_measurement_task
        for one in task.specifications:
            if one.utilities_measurement_recurrence_code is not None:
                self.codes.registry.interval_s(one.utilities_measurement_recurrence_code)
            changes = {
                "time_of_use": one.utilities_time_of_use_code,
                "category": one.utilities_measurement_task_category_code,
                "recurrence": one.utilities_measurement_recurrence_code,
            }
            told = {name: value for name, value in changes.items() if value is not None}
            device = rules.respecify(device, task.id, Period.inclusive(one.start_date, one.end_date), told)
        return device

    async def _take_text(self, tx: AsyncConnection, item: TextNotification, devices: dict[str, Device]) -> None:
        sent = item.utilities_device
        device = _known(devices.get(bare(sent.id)), sent.id)
        now = self.clock.now()
        self.capabilities.check(device.subject_on(now.date()), "text")
        identifier = _message_id(item)
        row = {
            "id": identifier,
            "device_key": bare(device.id),
            "text": sent.text.value,
            "language": sent.text.language_code or "",
            "priority": sent.priority_code or "",
            "start_at": sent.start_date_time or now,
            "end_at": sent.end_date_time,
            "received_at": now,
            "state": "sent",
        }
        await upkeep_store.keep_texts(tx, [row])
        await self.ams.show(tx, device, row, key=f"{TEXT}{identifier}")

    async def _take_notice(self, tx: AsyncConnection, item: Notice, devices: dict[str, Device]) -> None:
        sent = item.utilities_connection_status_change_request
        category = self.codes.registry.of("connection_categories", sent.category_code).name
        if category not in CLOSES:
            raise UnknownCategoryError(f"Connection category {sent.category_code!r} says nothing of a switch.")
        now = self.clock.now()
        rows: list[dict[str, Any]] = [
            {
                "request_key": bare(sent.id),
                "device_key": bare(_known(devices.get(bare(one.utilities_device_id)), one.utilities_device_id).id),
                "closes": CLOSES[category],
                "reason": sent.utilities_service_disconnection_reason_code or "",
                "processed_at": one.processing_date_time or now,
            }
            for one in sent.device_connection_status
        ]
        new = set(await upkeep_store.keep_notices(tx, rows))
        for row in rows:
            if row["device_key"] in new:
                cause = f"switched by other means, {sent.id}"
                await self._supply(tx, row["device_key"], closes=row["closes"], at=row["processed_at"], cause=cause)

    async def _supply(self, tx: AsyncConnection, device_key: str, *, closes: bool, at: Any, cause: str) -> None:  # noqa: ANN401 - an instant
        channels = await channels_of_devices(tx, [device_key])
        ids = [one.id for one in channels if one.interval_s]
        if closes:
            await supply_came_back(tx, ids, at)
        else:
            await supply_went_off(tx, ids, at, cause)


def _known(device: Device | None, number: str) -> Device:
    if device is None:
        raise not_yet(UnknownDeviceError(f"Device {number} is not known.", hint="Send its create request first."))
    return device


def _owner(item: TaskChange, owners: dict[str, list[Device]]) -> str:
    """The device whose task changes: the one that the message names, else the one that has the task."""
    task = item.utilities_measurement_task
    named = task.utilities_device.utilities_device_id if task.utilities_device else None
    return _owned(task.id, named, owners).id


def _owned(task: str, named: str | None, owners: dict[str, list[Device]]) -> Device:
    found = owners.get(bare(task), [])
    if not found:
        raise not_yet(UnknownTaskError(f"No device has measurement task {task}.", hint="Send its registers first."))
    if named is None:
        return found[-1]
    for device in found:
        if bare(device.id) == bare(named):
            return device
    raise WrongOwnerError(f"Measurement task {task} belongs to device {found[0].id}, not to {named}.")


def _transformer(one: Any) -> dict[str, Any]:  # noqa: ANN401 - a part of the message
    period = Period.inclusive(one.start_date, one.end_date)
    return {
        "first": period.first,
        "past_last": period.past_last,
        "kind": one.type_code or "",
        "factor": one.utilities_quantity_adjustment_factor_value,
        "transformer": one.assigned_utilities_device_id,
    }


def _message_id(item: TextNotification) -> UUID:
    key = message_key(item.message_header)
    try:
        return UUID(key)
    except ValueError:
        return uuid5(NAMESPACE_OID, key)
