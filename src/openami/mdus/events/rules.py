"""From the field's events to ours, and from ours to the back office's codes."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from openami.mdus.events.model import DeviceEvent, EnterpriseCodes
from openami.shared.contract.field import event_severity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openami.mdus.registry.model import Device
    from openami.shared.contract import field

UNKNOWN: Final = "unknown"
"""The name of an event whose code no table knows: kept with its code, shown, not forwarded by default."""


def from_field(device: Device, event: field.EndDeviceEvent, source: str) -> DeviceEvent:
    """An event of the field seam in our vocabulary; code and details stay as they came."""
    name = event.name or UNKNOWN
    severity = event.severity or (event_severity(name) if name != UNKNOWN else "info")
    return DeviceEvent(
        device=device.id,
        name=name,
        code=str(event.code),
        severity=severity,
        occurred_at=event.created,
        mrid=event.mrid or "",
        reason=event.reason or "",
        tracking_id=event.issuer_tracking_id or "",
        source=source,
        details={one.name: one.value or "" for one in event.details},
    )


@cache
def enterprise_table() -> Mapping[str, EnterpriseCodes]:
    """The mapping table by event name; `*` is the line for everything else."""
    text = files("openami.mdus.events").joinpath("enterprise.csv").read_text("utf-8")
    return {
        row["name"]: EnterpriseCodes(
            row["forward"] == "yes", row["category"], row["type"], row["severity"], row["origin"]
        )
        for row in csv.DictReader(text.splitlines())
    }


def enterprise_codes(
    event: DeviceEvent, device: Device, table: Mapping[str, EnterpriseCodes]
) -> EnterpriseCodes | None:
    """The back office's codes of an event, None if it is not to be forwarded.

    Only a registered device with at least one measurement task speaks to the back office (enterprise services, 5).
    """
    codes = table.get(event.name, table["*"])
    wanted = codes.forward and device.registered_at is not None and bool(device.registers)
    return codes if wanted else None
