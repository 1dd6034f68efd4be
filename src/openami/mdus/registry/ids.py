"""Identifiers of the back office: kept as they came, matched with and without their leading zeros."""

from __future__ import annotations

import uuid
from typing import Final, NewType

DeviceId = NewType("DeviceId", str)
"""The equipment number of the back office (up to 18 characters), not the serial number."""
TaskId = NewType("TaskId", str)
"""A measurement task, also called logical register number (up to 18 digits)."""
PointId = NewType("PointId", str)
"""A point of delivery (up to 50 characters)."""
ProfileId = NewType("ProfileId", str)
"""The profile number of a time series in the back office (up to 18 characters)."""
SystemId = NewType("SystemId", str)
"""An advanced metering system (AMS, head-end): up to 4 characters."""

_SPACE: Final = uuid.UUID("6f70656e-616d-4969-8000-6d6475730001")


def device_mrid(device: str) -> str:
    """The mRID of a device on the field seam: it follows from the device's id, so that a repeat is the same object."""
    return str(uuid.uuid5(_SPACE, f"device {bare(device)}"))


def point_mrid(point: str) -> str:
    """The mRID of a point of delivery on the field seam."""
    return str(uuid.uuid5(_SPACE, f"point {point}"))


def bare(identifier: str) -> str:
    """What two spellings of one identifier share: no surrounding blanks, no leading zeros, at least one character."""
    stripped = identifier.strip()
    return stripped.lstrip("0") or stripped[-1:]
