"""What every handler of the office is given: stores, clock, door, and the utility's own choices."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol, TypeVar

from openami.office.billing.document import Utility
from openami.office.billing.rules import Policy
from openami.office.billing.tariff import Division, Tariff, shipped_tariffs
from openami.office.connection.rules import SafetyLimits
from openami.shared.capabilities import Capabilities, Subject
from openami.shared.contract.enterprise.codes import CodeTable, code_tables
from openami.shared.contract.enterprise.model import Response
from openami.shared.spans import local_date

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.office.devices.model import Device
    from openami.shared.clock import Clock
    from openami.shared.contract.enterprise.messages.common import MessageHeader
    from openami.shared.contract.enterprise.model import HeadedMessage, Message
    from openami.shared.database import Database


AnswerT = TypeVar("AnswerT", bound=Response)


class Door(Protocol):
    """The door to the middle, as handlers see it (`openami.shared.seam.enterprise.EnterpriseDoor`)."""

    def header(self, *, reference: HeadedMessage | None = None) -> MessageHeader:
        """A fresh header of ours, that of an answer if a request is given."""
        ...

    async def ask(self, query: Message, kind: type[AnswerT]) -> AnswerT:
        """Put a synchronous question to the middle, that is answered by a message of a kind."""
        ...

    async def send(self, transaction: AsyncConnection, message: HeadedMessage, *, business_key: str = "") -> None:
        """Put a message into the outbox, in the caller's transaction."""
        ...

    async def send_many(self, transaction: AsyncConnection, messages: Sequence[tuple[HeadedMessage, str]]) -> None:
        """Put messages into the outbox, each with the name of its business object."""
        ...


@dataclass(frozen=True, slots=True)
class OfficeSettings:
    """The utility's choices."""

    zone: str = "Europe/Amsterdam"
    ams_id: str = "AMS1"
    country: str = "NL"
    utility: Utility = field(default_factory=Utility)
    policy: Policy = field(default_factory=Policy)
    limits: SafetyLimits = field(default_factory=SafetyLimits)
    payment_term: timedelta = timedelta(days=14)
    capabilities: Capabilities = field(default_factory=Capabilities)
    """What an AMS and a device can do: an order outside it is refused before it is sent."""
    form: str = "mixed"
    """`single` sends each message by itself where the contract has a single form, `bulk` in bulk where it has one."""
    bulk_items_max: int = 200
    """How many items one bulk message carries at most; SAP publishes no limit, vendors take a few hundred."""
    default_tariffs: Mapping[str, str] = field(
        default_factory=lambda: {division.value: f"home-{division.value}" for division in Division}
    )


@dataclass(frozen=True, slots=True)
class Office:
    """One office, wired."""

    database: Database
    clock: Clock
    door: Door
    settings: OfficeSettings = field(default_factory=OfficeSettings)
    tariffs: Mapping[str, Tariff] = field(default_factory=shipped_tariffs)
    codes: Mapping[str, CodeTable] = field(default_factory=code_tables)

    def check_capability(self, device: Device, function: str) -> None:
        """See that a device can do what is to be ordered.

        Raises:
            NotCapableError: it, its AMS or its activation group cannot.
        """
        subject = Subject(device.id, device.material, device.ams_id, activation_group=device.activation_group)
        self.settings.capabilities.check(subject, function)

    def today(self) -> date:
        """The local date."""
        return self.local_date(self.clock.now())

    def local_date(self, at: datetime) -> date:
        """The local date on which an instant falls."""
        return local_date(self.settings.zone, at)
