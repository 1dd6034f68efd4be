"""The operations of the contract: what each is called, who sends it, what answers it, and how sure its shape is."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from enum import Enum
from functools import cached_property, lru_cache
from pathlib import Path

from openami.shared.contract.enterprise.errors import UnknownMessage

FILE = Path(__file__).parent / "catalogue.toml"


class Side(Enum):
    """The two ends of the contract."""

    MDUS = "mdus"
    OFFICE = "office"

    @property
    def other(self) -> Side:
        """The partner."""
        return Side.OFFICE if self is Side.MDUS else Side.MDUS


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation; `name` is SAP's technical name, its suffix is the direction seen from SAP."""

    number: int
    name: str
    business_object: str
    meaning: str
    schema: str
    evidence: str
    request: str
    response: str | None
    confirmation: str | None

    @property
    def synchronous(self) -> bool:
        """True for the two queries, which are answered in the same call."""
        return self.response is not None

    @property
    def exact(self) -> bool:
        """True if the shape was taken from SAP's interface definition, False if it is inferred."""
        return not self.schema.startswith("inferred/")

    @property
    def bulk(self) -> bool:
        """True for messages that carry many items."""
        return "Bulk" in self.request or "Bundle" in self.request

    @property
    def receiver(self) -> Side:
        """The side that offers the operation as a service."""
        return Side.MDUS if self.name.endswith("_Out") else Side.OFFICE

    @property
    def roots(self) -> tuple[str, ...]:
        """The root elements that belong to it: one, or two for a query."""
        return (self.request,) if self.response is None else (self.request, self.response)


@dataclass(frozen=True, slots=True)
class BusinessObject:
    """What operations are about: its states as MDUS sees them, and the rules that hold for all its messages."""

    name: str
    states: str
    rules: tuple[str, ...]


class Catalogue:
    """All operations, in the order of the service list, and their business objects."""

    def __init__(self, operations: tuple[Operation, ...], objects: tuple[BusinessObject, ...]) -> None:
        self.operations = operations
        self.objects = {each.name: each for each in objects}
        self._by_name = {operation.name: operation for operation in operations}

    @cached_property
    def by_root(self) -> dict[str, Operation]:
        """The operation of each root element."""
        return {root: operation for operation in self.operations for root in operation.roots}

    @cached_property
    def requests(self) -> dict[str, Operation]:
        """The operation that each confirmation's root element answers."""
        return {
            operation.confirmation.rsplit("_", 1)[0]: operation
            for operation in self.operations
            if operation.confirmation is not None
        }

    def of(self, name: str) -> Operation:
        """The operation with this technical name or root element; raises UnknownMessage."""
        found = self._by_name.get(name) or self.by_root.get(name)
        if found is None:
            raise UnknownMessage(name)
        return found

    def received_by(self, side: Side) -> tuple[Operation, ...]:
        """What this side offers as services."""
        return tuple(operation for operation in self.operations if operation.receiver is side)

    def sent_by(self, side: Side) -> tuple[Operation, ...]:
        """What this side calls at its partner."""
        return self.received_by(side.other)

    def confirmation_of(self, operation: Operation) -> Operation | None:
        """The operation that answers this one later, if any."""
        return None if operation.confirmation is None else self._by_name[operation.confirmation]


def _operation(entry: dict[str, object]) -> Operation:
    name = str(entry["name"])
    response, confirmation = entry.get("response"), entry.get("confirmation")
    return Operation(
        number=int(str(entry["number"])),
        name=name,
        business_object=str(entry["object"]),
        meaning=str(entry["meaning"]),
        schema=str(entry["schema"]),
        evidence=str(entry["evidence"]),
        request=str(entry.get("request", name.rsplit("_", 1)[0])),
        response=None if response is None else str(response),
        confirmation=None if confirmation is None else str(confirmation),
    )


@lru_cache(maxsize=1)
def catalogue() -> Catalogue:
    """The catalogue, read once a process."""
    content = tomllib.loads(FILE.read_text(encoding="utf-8"))
    objects = tuple(
        BusinessObject(str(entry["name"]), str(entry["states"]), tuple(entry["rules"])) for entry in content["object"]
    )
    return Catalogue(tuple(_operation(entry) for entry in content["operation"]), objects)
