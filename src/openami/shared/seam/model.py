"""The values of a seam: what is sent, what was received, and the one way to say `not yet`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from uuid import UUID


class Seam(StrEnum):
    """Which of the two seams a message crosses."""

    FIELD = "field"
    ENTERPRISE = "enterprise"


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message on its way out; the id is made by us, once, before the first attempt."""

    id: UUID
    seam: Seam
    partner: str
    operation: str
    path: str
    body: bytes
    business_key: str = ""
    reference_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """A message as it was received and kept."""

    sequence: int
    id: UUID
    seam: Seam
    partner: str
    operation: str
    digest: bytes
    body: bytes
    business_key: str
    reference_id: UUID | None
    attempts: int


class NotYet(OpenAmiError):  # noqa: N818 - it is not an error of the sender: its predecessor is only late
    """A handler raises this when what the message builds on has not arrived: it is parked and tried again."""
