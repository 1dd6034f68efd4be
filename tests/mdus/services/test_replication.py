"""Replication: devices with registers, places and profiles in one go, and a second time to bring the sides in line."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from openami.shared.contract.enterprise import logs
from openami.shared.contract.enterprise.confirm import bulk
from openami.shared.contract.enterprise.messages.inferred_device import (
    UtilitiesDeviceERPSmartMeterReplicationBulkConfirmation,
)
from openami.shared.contract.enterprise.messages.inferred_device import (
    UtilitiesDeviceERPSmartMeterReplicationRequest as Device,
)
from openami.shared.contract.enterprise.messages.inferred_time_series import (
    UtilitiesTimeSeriesERPReplicationBulkConfirmation,
)
from openami.shared.contract.enterprise.messages.inferred_time_series import (
    UtilitiesTimeSeriesERPReplicationRequest as Series,
)
from openami.shared.contract.enterprise.messages.register import DatedRegisterSpecifications

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]


def whole(home: Any, **changes: Any) -> Device:
    created, registers, located = (one.utilities_device for one in home.initialization()[:3])
    part = Device.UtilitiesDevice.Register
    facts: dict[str, Any] = {
        "register_list_complete_transmission_indicator": True,
        "location_list_complete_transmission_indicator": True,
        "id": created.id,
        "start_date": created.start_date,
        "end_date": created.end_date,
        "serial_id": created.serial_id,
        "material_id": created.material_id,
        "register": tuple(
            part(
                start_date=one.start_date,
                end_date=one.end_date,
                utilities_measurement_task_id=one.utilities_measurement_task_id,
                utilities_object_identification_system_code_text=one.utilities_object_identification_system_code_text,
                utilities_measurement_recurrence_code=one.utilities_measurement_recurrence_code,
                time_zone_code=one.time_zone_code,
                specifications=(
                    DatedRegisterSpecifications(
                        start_date=one.start_date,
                        end_date=one.end_date,
                        measure_unit_code=one.specifications.measure_unit_code,
                        decimal_value_precision=one.specifications.decimal_value_precision,
                    ),
                ),
            )
            for one in registers.register
        ),
        "location": located.location,
        "smart_meter": created.smart_meter,
    }
    return Device(message_header=home.head(), utilities_device=Device.UtilitiesDevice(**facts | changes))


def profile(home: Any) -> Series:
    sent = home.series().utilities_time_series
    return Series(
        message_header=home.head(),
        utilities_time_series=Series.UtilitiesTimeSeries(
            measurement_task_assignment_role_list_complete_transmission_indicator=True,
            id=sent.id,
            utilities_measurement_recurrence_code=sent.utilities_measurement_recurrence_code,
            measure_unit_code=sent.measure_unit_code,
            measurement_task_assignment_role=sent.measurement_task_assignment_role,
        ),
    )


async def test_an_initial_load_brings_devices_whole(world: Any, homes: Callable[..., Any]):
    street = [homes(number) for number in (1, 2)]
    await world.office(bulk([whole(one) for one in street], street[0].head()))
    await world.office(bulk([profile(one) for one in street], street[0].head()))
    (devices,) = world.heard(UtilitiesDeviceERPSmartMeterReplicationBulkConfirmation)
    (series,) = world.heard(UtilitiesTimeSeriesERPReplicationBulkConfirmation)
    assert [logs.is_success(one.log) for one in (*devices.items, *series.items)] == [True] * 4
    assert set((await world.states()).values()) == {"located"}
    assert len((await world.api("/api/channels"))["channels"]) == 4
    assert (await world.api("/api/devices/4711"))["profiles"][0]["id"] == street[0].profile


async def test_a_second_load_changes_only_what_differs(world: Any, home: Any):
    await world.office(bulk([whole(home)], home.head()))
    before = await world.api("/api/devices/4711")
    await world.office(bulk([whole(home)], home.head()))
    assert await world.api("/api/devices/4711") == before
    sent = whole(home).utilities_device.register
    ended = tuple(replace(one, end_date=date(2026, 3, 10)) for one in sent)
    await world.office(bulk([whole(home, serial_id="NEW", register=ended)], home.head()))
    after = await world.api("/api/devices/4711")
    assert after["serial"] == "NEW"
    assert [one["channel"] for one in after["channels"]] == [one["channel"] for one in before["channels"]]
    assert {one["valid_to"] for one in after["channels"]} != {one["valid_to"] for one in before["channels"]}
