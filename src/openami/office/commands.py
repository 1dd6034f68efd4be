"""People's commands: each has an id made by the client, is done once, answered always, and leaves an audit record."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from sqlalchemy import Table, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.schema import Column

from openami.office.tables import audit, instant, metadata, text
from openami.shared.audit import AuditRecord, append
from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.office.context import Office

    Act = Callable[[AsyncConnection, "Command"], Awaitable[dict[str, Any]]]

commands = Table(
    "commands",
    metadata,
    text("key", primary_key=True),
    text("name"),
    text("body_sha256"),
    Column("response", JSONB),
    instant("at", nullable=False),
)


YEARS: Final = (1970, 2999)
DIGITS_MAX: Final = 15
"""Before the decimal point: more than any register shows."""
MONEY_MAX: Final = Decimal(10**10)
"""The books hold ten digits before the decimal point."""


class CommandRepeatedError(OpenAmiError):
    """The id of a command came again with another content."""


class BadFieldError(OpenAmiError):
    """A field of a command is missing or has a value that cannot be."""


@dataclass(frozen=True, slots=True)
class Command:
    """What somebody wants done. `key` is the client's id; without one each command is a new one."""

    name: str
    body: Mapping[str, Any]
    key: str = ""
    actor: str = "operator"

    def text(self, field: str, default: str | None = None) -> str:
        """A text field.

        Raises:
            BadFieldError: it is not there, or no text.
        """
        value = self.body.get(field, default)
        if value is None or isinstance(value, bool | dict | list) or str(value).strip() == "":
            raise BadFieldError(f"The field {field!r} is {value!r}.", hint=f"Give {field!r} as text.")
        return str(value).strip()

    def instant(self, field: str, default: datetime) -> datetime:
        """An instant with its zone, ISO 8601.

        Raises:
            BadFieldError: it cannot be read, or has no zone.
        """
        value = self.body.get(field)
        if value is None:
            return default
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError as error:
            raise BadFieldError(f"The field {field!r} is {value!r}.", hint="Use ISO 8601.") from error
        if moment.tzinfo is None:
            raise BadFieldError(f"The field {field!r} is {value!r}, without a zone.", hint="Add Z or +01:00.")
        _within_years(field, moment.date())
        return moment.astimezone(UTC)

    def date(self, field: str, default: date | None) -> date:
        """A date.

        Raises:
            BadFieldError: it cannot be read, or is missing without a default.
        """
        value = self.body.get(field)
        if value is None and default is not None:
            return default
        try:
            day = date.fromisoformat(str(value))
        except ValueError as error:
            raise BadFieldError(f"The field {field!r} is {value!r}.", hint="Use YYYY-MM-DD.") from error
        return _within_years(field, day)

    def amount(self, field: str) -> Decimal | None:
        """A decimal number, given as text or as a whole number; None where it is not given.

        Raises:
            BadFieldError: it is a binary float, or no number.
        """
        value = self.body.get(field)
        if value is None:
            return None
        try:
            if isinstance(value, bool | float):
                raise InvalidOperation  # noqa: TRY301 - the same answer for all that is no decimal
            number = Decimal(str(value))
        except InvalidOperation as error:
            raise BadFieldError(
                f"The field {field!r} is {value!r}.", hint='Give it as text, such as "123.450": floats are not exact.'
            ) from error
        if not number.is_finite() or number.adjusted() >= DIGITS_MAX:
            raise BadFieldError(f"The field {field!r} is {value!r}.", hint=f"Give at most {DIGITS_MAX} digits.")
        return number

    def money(self, field: str) -> Decimal:
        """An amount of money that somebody owes or pays.

        Raises:
            BadFieldError: it is missing, nothing or less, finer than a cent, or more than the books hold.
        """
        amount = self.amount(field)
        if amount is None or not 0 < amount < MONEY_MAX or amount != round(amount, 2):
            raise BadFieldError(
                f"The field {field!r} is {self.body.get(field)!r}.", hint='Give an amount such as "120.00".'
            )
        return amount

    def flag(self, field: str) -> bool:
        """Whether a field says yes; one that is not given says no.

        Raises:
            BadFieldError: it is neither true nor false.
        """
        value = self.body.get(field, False)
        if not isinstance(value, bool):
            raise BadFieldError(f"The field {field!r} is {value!r}.", hint="Give true or false.")
        return value

    def part(self, body: Mapping[str, Any]) -> Command:
        """The same command for one element of its list."""
        if not isinstance(body, dict):
            raise BadFieldError(f"An element of the list is {body!r}.", hint="Give JSON objects.")
        return Command(self.name, body, self.key, self.actor)

    def parts(self, field: str) -> list[Command]:
        """The elements of a list field, each as a command of its own; a body without the list is its only element."""
        if field not in self.body:
            return [self]
        elements = self.body[field]
        if not isinstance(elements, list) or not elements:
            raise BadFieldError(f"The field {field!r} is {elements!r}.", hint="Give a list with at least one element.")
        return [self.part(element) for element in elements]


def _within_years(field: str, day: date) -> date:
    """The day, if its neighbours and local midnights are days too and devices may have lived then."""
    if not YEARS[0] <= day.year <= YEARS[1]:
        raise BadFieldError(f"The field {field!r} is {day}.", hint=f"Give a day of the years {YEARS[0]} to {YEARS[1]}.")
    return day


async def once(office: Office, command: Command, act: Act) -> dict[str, Any]:
    """Do a command, or give the stored answer of the time before.

    Raises:
        CommandRepeatedError: the id is known, with another content.
    """
    digest = hashlib.sha256(json.dumps(command.body, sort_keys=True, default=str).encode()).hexdigest()
    key = command.key or str(uuid4())
    async with office.database.begin() as transaction:
        statement = (
            insert(commands)
            .values(key=key, name=command.name, body_sha256=digest, at=office.clock.now())
            .on_conflict_do_nothing()
            .returning(commands.c.key)
        )
        if (await transaction.execute(statement)).scalar_one_or_none() is None:
            return await _stored(transaction, command, key, digest)
        response = await act(transaction, command)
        await transaction.execute(update(commands).where(commands.c.key == key).values(response=response))
    return response


async def _stored(transaction: AsyncConnection, command: Command, key: str, digest: str) -> dict[str, Any]:
    row = (await transaction.execute(select(commands).where(commands.c.key == key))).one()
    if (row.name, row.body_sha256) != (command.name, digest):
        raise CommandRepeatedError(
            f"The id {key!r} was used at {row.at:%Y-%m-%d %H:%M} UTC for {row.name} with another content.",
            hint="Make a new id for a new command; repeat an old one unchanged.",
        )
    response: dict[str, Any] = row.response
    return response


async def record(
    office: Office,
    transaction: AsyncConnection,
    command: Command,
    subject: str,
    *,
    before: object = None,
    after: object = None,
) -> None:
    """Leave the audit record of a command."""
    await append(
        transaction,
        audit,
        AuditRecord(
            at=office.clock.now(),
            actor=command.actor,
            action=command.name,
            subject=subject,
            reason=str(command.body.get("why", "")),
            before=before,
            after=after,
        ),
    )


async def note(office: Office, transaction: AsyncConnection, command: Command) -> dict[str, Any]:
    """Keep in the audit what somebody did at the console: came, was refused, left; and from where."""
    what, source = command.text("what"), str(command.body.get("source", ""))
    said = AuditRecord(at=office.clock.now(), actor=command.actor, action=what, subject="console", after=source)
    await append(transaction, audit, said)
    return {"kept": what}
