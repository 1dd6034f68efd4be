"""Identifiers of the back office: kept as they came, matched with and without their leading zeros."""

from __future__ import annotations

from typing import NewType

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


def bare(identifier: str) -> str:
    """What two spellings of one identifier share: no surrounding blanks, no leading zeros, at least one character."""
    stripped = identifier.strip()
    return stripped.lstrip("0") or stripped[-1:]
