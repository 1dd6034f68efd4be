"""The pieces that every noun shares: names, identities, periods, status, what was refused."""

# ruff: noqa: TC003 - the tree reads the annotations when the program runs

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from openami.shared.contract.field.tree import Element


@dataclass(frozen=True, slots=True, kw_only=True)
class NameTypeAuthority:
    """Who issues names of a type."""

    description: Annotated[str | None, Element("description")] = None
    name: Annotated[str, Element("name")]


@dataclass(frozen=True, slots=True, kw_only=True)
class NameType:
    """What kind of name a name is, such as `SerialNumber`."""

    description: Annotated[str | None, Element("description")] = None
    name: Annotated[str, Element("name")]
    authority: Annotated[NameTypeAuthority | None, Element("NameTypeAuthority")] = None


@dataclass(frozen=True, slots=True)
class Name:
    """A name of something, with its kind if that is known."""

    name: Annotated[str, Element("name")]
    type: Annotated[NameType | None, Element("NameType")] = None

    @staticmethod
    def of(name: str, kind: str | None = None) -> Name:
        """A name with the name of its type."""
        return Name(name, NameType(name=kind) if kind else None)


@dataclass(frozen=True, slots=True)
class Identity:
    """Which object is meant: by mRID (any string, partners do not send UUIDs), by names, or both."""

    mrid: Annotated[str | None, Element("mRID")] = None
    names: Annotated[tuple[Name, ...], Element("Names")] = ()

    @staticmethod
    def named(name: str, kind: str | None = None, *, mrid: str | None = None) -> Identity:
        """An identity with one name, such as `Identity.named("M1001", "SerialNumber")`."""
        return Identity(mrid, (Name.of(name, kind),))

    def name(self, kind: str | None = None) -> str | None:
        """The first name of this kind, or simply the first name."""
        return next((each.name for each in self.names if kind is None or (each.type and each.type.name == kind)), None)

    def label(self) -> str:
        """What a person calls it: its first name, else its mRID."""
        return self.name() or self.mrid or "(nameless)"


@dataclass(frozen=True, slots=True)
class Period:
    """From start to end; either may be open. The schema writes the end first."""

    end: Annotated[datetime | None, Element("end")] = None
    start: Annotated[datetime | None, Element("start")] = None

    @staticmethod
    def between(start: datetime | None, end: datetime | None) -> Period:
        """The period in the order people say it."""
        return Period(end, start)


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A state with its time and reason."""

    at: Annotated[datetime | None, Element("dateTime")] = None
    reason: Annotated[str | None, Element("reason")] = None
    remark: Annotated[str | None, Element("remark")] = None
    value: Annotated[str | None, Element("value")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationEvent:
    """Since when, by whom and why a configuration is in force."""

    mrid: Annotated[str | None, Element("mRID")] = None
    created: Annotated[datetime | None, Element("createdDateTime")] = None
    effective: Annotated[datetime | None, Element("effectiveDateTime")] = None
    modified_by: Annotated[str | None, Element("modifiedBy")] = None
    reason: Annotated[str | None, Element("reason")] = None
    remark: Annotated[str | None, Element("remark")] = None
    severity: Annotated[str | None, Element("severity")] = None
    type: Annotated[str | None, Element("type")] = None
    names: Annotated[tuple[Name, ...], Element("Names")] = ()
    status: Annotated[Status | None, Element("status")] = None
