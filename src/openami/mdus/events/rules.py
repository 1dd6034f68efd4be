"""From the field's events to ours, and from ours to the back office's codes."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from openami.mdus.events.model import DeviceEvent, EnterpriseCodes
from openami.shared.contract.enterprise.codes import code_tables
from openami.shared.contract.field import event_severity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openami.mdus.registry.model import Device
    from openami.shared.contract import field
    from openami.shared.contract.enterprise.codes import CodeTable

SHIPPED: Final = Path(__file__).with_name("forwarding.csv")
UNKNOWN: Final = "unknown"
"""The name of an event whose code no table knows: kept with its code, shown, not forwarded by default."""
OTHER: Final = "other"


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
    """The table that is shipped."""
    return table_of(code_tables(), SHIPPED.read_text("utf-8"))


def table_of(tables: Mapping[str, CodeTable], forwarding: str) -> Mapping[str, EnterpriseCodes]:
    """Every event name with its codes, and whether it is forwarded; `other` is for names that the table lacks.

    Codes come from the contract's tables, what to forward from the text of a `forwarding.csv`; both belong to the
    customer.
    """
    lines = {row["event"]: row for row in csv.DictReader(forwarding.splitlines())}
    found = {}
    for code in tables["event_types"].codes:
        line = lines.get(code.name, {"forward": "no", "origin": "device"})
        found[code.name] = EnterpriseCodes(
            forward=line["forward"] == "yes",
            category=str(code.values["category"]),
            type=code.code,
            severity=str(code.values["severity"]),
            origin=tables["event_origins"].named(line["origin"]).code,
        )
    return found


def enterprise_codes(
    event: DeviceEvent, device: Device, table: Mapping[str, EnterpriseCodes]
) -> EnterpriseCodes | None:
    """The back office's codes of an event, None if it is not to be forwarded.

    Only a registered device with at least one measurement task speaks to the back office (enterprise services, 5).
    """
    codes = table.get(event.name, table[OTHER])
    wanted = codes.forward and device.registered_at is not None and bool(device.registers)
    return codes if wanted else None
