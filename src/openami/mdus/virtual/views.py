"""Virtual channels over HTTP: which there are, what they stand for, their values and what those were made of.

    GET  /api/virtual     every name with what it stands for now, and all that it ever stood for
    POST /api/virtual     {"name", "terms": "17+18-0.5*19", "from", "to", "purpose", "of", "reason", "person"}
    POST /api/virtual/preview       the same: what it would change, of one day; nothing is kept
    POST /api/virtual/NAME/undo     {"person", "reason"}: what stood there before

`/api/explain` and `/api/determinants` take its name for that of a channel, and a sum that nobody has named
(`17-1.02*street`). A definition without terms lets a name stand for nothing from a day on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from math import floor
from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from openami.mdus.answers import BadQueryError, as_response
from openami.mdus.naming import UnknownNameError, channel_named, span_named
from openami.mdus.registry.channel_store import channels_by_id
from openami.mdus.series.calendar import instant_of
from openami.mdus.virtual import store
from openami.mdus.virtual.model import OPEN_DAY, BadDefinitionError, Definition, Purpose, terms_of, written
from openami.mdus.virtual.values import Computed, Losses, losses, read
from openami.shared.quality import has_value, label
from openami.shared.service import json_body
from openami.shared.spans import local_date

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection
    from starlette.requests import Request
    from starlette.responses import Response

    from openami.mdus.middle import Middle
    from openami.mdus.registry.channels import Channel
    from openami.mdus.series.knowledge import AsOf
    from openami.mdus.virtual.model import Definitions, Term


class VirtualViews:
    """The pages of virtual channels."""

    def __init__(self, middle: Middle) -> None:
        self._middle = middle

    def routes(self) -> list[Route]:
        """Every page."""
        return [
            Route("/api/virtual", self.names, methods=["GET"]),
            Route("/api/virtual", self.define, methods=["POST"]),
            Route("/api/virtual/preview", self.preview, methods=["POST"]),
            Route("/api/virtual/{name}/undo", self.undo, methods=["POST"]),
        ]

    async def names(self, _: Request) -> Response:
        """Every name, what it stands for today, and the definitions before."""
        today = local_date(self._middle.settings.zone, self._middle.clock.now()).toordinal()
        async with self._middle.database.read() as tx:
            known = await store.load(tx)
        return as_response({"virtual": [_named(known, name, today) for name in known.names]})

    async def define(self, request: Request) -> Response:
        """Say what a name stands for from a day on."""
        body = await json_body(request)
        async with self._middle.database.begin() as tx:
            new = await self._definition(tx, body)
            await store.define(tx, new)
        return as_response(store.said(new))

    async def preview(self, request: Request) -> Response:
        """What a definition would change, of the last whole day that it is about; nothing is kept."""
        body = await json_body(request)
        async with self._middle.database.read() as tx:
            new = await self._definition(tx, body)
            known = await store.load(tx)
            known.refuse(new)
            day = self._day_of(new)
            now = await self._on(tx, known, new.name, day)
            then = await self._on(tx, known.plus(new), new.name, day)
        stands = known.on(new.name, day.toordinal())
        return as_response(
            store.said(new)
            | {"terms": text_of(new), "past_last": _open(new.past_last), "day": day}
            | {"now": {"terms": text_of(stands) if stands else "", **_total(now)}}
            | {"then": {"terms": text_of(new), **_total(then)}, "members": _members(then)}
        )

    async def undo(self, request: Request) -> Response:
        """Bring back what a name stood for before it was last defined."""
        body = await json_body(request)
        if not (person := str(body.get("person", "")).strip()):
            raise BadQueryError("Nobody is named.", hint="Say who you are: the audit keeps it.")
        name, reason = request.path_params["name"], str(body.get("reason", ""))
        async with self._middle.database.begin() as tx:
            made = await store.undo(tx, name, person, reason, self._middle.clock.now())
        return as_response({"definitions": [store.said(one) | {"terms": text_of(one)} for one in made]})

    def _day_of(self, new: Definition) -> date:
        """Yesterday, or the nearest day to it that a definition is about."""
        yesterday = local_date(self._middle.settings.zone, self._middle.clock.now()) - timedelta(days=1)
        return min(max(yesterday, new.first), new.past_last - timedelta(days=1))

    async def _on(self, tx: AsyncConnection, known: Definitions, name: str, day: date) -> NamedVirtual | None:
        if known.factors(name, day.toordinal()) is None:
            return None
        return await over(self._middle, tx, known, name, str(day))

    async def _definition(self, tx: AsyncConnection, body: Mapping[str, Any]) -> Definition:
        def day(name: str, otherwise: date) -> date:
            text = str(body.get(name) or "")
            try:
                return date.fromisoformat(text) if text else otherwise
            except ValueError as error:
                raise BadQueryError(f"{name}={text!r} is no day.", hint="Use 2026-03-01.") from error

        if not str(body.get("person", "")).strip():
            raise BadQueryError("Nobody is named.", hint="Say who you are: the audit keeps it.")
        if (purpose := str(body.get("purpose") or "")) not in [*Purpose]:
            raise BadQueryError(f"{purpose!r} is no purpose.", hint="Use check or children, or none.")
        of = await channel_named(tx, str(body["of"])) if body.get("of") else None
        if bool(purpose) is not bool(of):
            raise BadQueryError("A purpose needs a channel, and a channel a purpose.", hint="Give purpose and of.")
        terms = terms_of(str(body.get("terms", "")))
        new = Definition(
            name=str(body.get("name", "")),
            first=day("from", date(1970, 1, 1)),
            past_last=day("to", OPEN_DAY),
            terms=terms,
            purpose=Purpose(purpose),
            of=of.id if of else None,
            author=str(body["person"]).strip(),
            reason=str(body.get("reason", "")),
            recorded_at=self._middle.clock.now(),
        )
        await self._refuse_unlike(tx, new)
        return new

    async def _refuse_unlike(self, tx: AsyncConnection, new: Definition) -> None:
        """Members that make no sum are refused now, not when somebody reads them."""
        known = [*(await store.load(tx)).of(new.name), new]
        numbers = [term.member for term in new.terms if isinstance(term.member, int)]
        for number in [*numbers, *([new.of] if new.of else [])]:
            await channel_named(tx, str(number))
        channels = await self._middle.series.channels(tx, numbers) if numbers else []
        kinds = {(one.unit, one.scale, one.calendar) for one in channels}
        if len(kinds) > 1 or any(not one.interval_s for one in channels):
            raise BadDefinitionError(
                f"The channels of {known[-1].name} make no sum: {len(kinds)} sorts of them.",
                hint="Name interval channels of one unit, scale, length and zone.",
            )


@dataclass(frozen=True, slots=True, eq=False)
class NamedVirtual:
    """A virtual channel over a span: its channels, each with its factor, and its values."""

    name: str
    members: list[tuple[Fraction, Channel]]
    computed: Computed
    losses: Losses | None

    @property
    def one_sum(self) -> bool:
        """Whether it stands for one and the same sum all the time, and for one."""
        parts = self.computed.parts
        return len(parts) == 1 and len(parts[0][0].span) == len(self.computed.whole)


async def named_virtual(
    middle: Middle, tx: AsyncConnection, name: str, span_text: str, as_of: AsOf = None
) -> NamedVirtual | None:
    """The virtual channel of a name, or a sum in its place, over a span in words; None if it is neither.

    Raises:
        BadDefinitionError: it stands for nothing in all of the span, or its channels make no sum.
        UnknownNameError: a channel of the sum is not there.
    """
    known = await store.load(tx, as_of)
    if name not in known:
        terms = _sum_in(name, known)
        if not terms:
            return None
        known = known.plus(unnamed(name, terms, middle.clock.now()))
    return await over(middle, tx, known, name, span_text, as_of)


async def over(
    middle: Middle, tx: AsyncConnection, known: Definitions, name: str, span_text: str, as_of: AsOf = None
) -> NamedVirtual:
    """What some definitions make of a name over a span in words; raises as `named_virtual` does."""
    rough = span_named(span_text, middle.settings.zone)
    runs = known.runs(name, range(rough.start.date().toordinal() - 1, rough.end.date().toordinal() + 2))
    ids = list(dict.fromkeys(channel for run in runs for channel in run.factors))
    if not ids:
        raise BadDefinitionError(f"{name} stands for nothing in {span_text!r}.", hint="See openami virtual list.")
    channels = await channels_by_id(tx, ids)
    _refuse_no_intervals(ids, channels)
    like = (await middle.series.channels(tx, ids[:1]))[0]
    span = span_named(span_text, like.zone, like.day_start_s)
    computed = await read(middle.series, tx, runs, like, span, as_of)
    factors = {part.span.channel: part.factor for run in computed.parts for part in run}
    members = [(factors.get(one, Fraction(1)), channels[one]) for one in ids if one in factors or one == ids[0]]
    return NamedVirtual(name, members, computed, losses(known, name, computed))


def unnamed(text: str, terms: tuple[Term, ...], now: datetime) -> Definition:
    """A sum that somebody asks for, as if it had ever been defined under its own words."""
    return Definition(name=text, first=date.min, terms=terms, author="", reason="", recorded_at=now)


def _sum_in(text: str, known: Definitions) -> tuple[Term, ...]:
    """The terms of a sum that somebody asks for without having named it; none where it is no sum of what there is."""
    try:
        terms = terms_of(text)
    except BadDefinitionError:
        return ()
    alone = len(terms) == 1 and terms[0].factor == 1
    named = all(isinstance(one.member, int) or one.member in known for one in terms)
    return terms if named and not alone else ()


def _refuse_no_intervals(ids: Iterable[int], channels: Mapping[int, Channel]) -> None:
    if missing := [one for one in ids if one not in channels]:
        raise UnknownNameError(f"There is no channel {missing[0]}.", hint="See openami channels.")
    if registers := [one for one in ids if not channels[one].interval_s]:
        raise BadDefinitionError(f"Channel {registers[0]} is a register.", hint="Name interval channels.")


def summed(named: NamedVirtual) -> dict[str, Any]:
    """What determinants of a virtual channel have beside those of a channel: energies rounded once, half up."""
    found: dict[str, Any] = {"virtual": named.name}
    if named.losses:
        energy = floor(named.losses.energy + Fraction(1, 2))
        found["losses"] = {"energy": energy, "share": round(float(named.losses.share), 6)}
    return found


def _total(named: NamedVirtual | None) -> dict[str, Any]:
    """What a virtual channel brings in all; None where it stands for nothing."""
    if named is None:
        return {"total": None, "missing": None}
    whole = named.computed.whole
    there = has_value(whole.quality)
    like = named.computed.like
    return {
        "total": int(whole.values[there].sum()), "missing": int((~there).sum()), "unit": like.unit, "scale": like.scale,
    }  # fmt: skip


def _members(named: NamedVirtual | None) -> list[dict[str, Any]]:
    return [
        {"channel": one.id, "device": one.device, "obis": one.obis, "factor": written(factor)}
        for factor, one in (named.members if named else ())
    ]


def _open(day: date) -> date | None:
    return None if day == OPEN_DAY else day


def explained(named: NamedVirtual) -> dict[str, Any]:
    """What each value is, and what it was made of."""
    like = named.computed.like
    head = {
        "virtual": named.name, "unit": like.unit, "scale": like.scale, "interval_s": like.interval_s, "zone": like.zone,
    }  # fmt: skip
    return head | {"intervals": list(_rows(named.computed))}


def text_of(definition: Definition) -> str:
    """The terms as people write them."""
    words = []
    for term in definition.terms:
        size = abs(term.factor)
        words.append(f"{'-' if term.factor < 0 else '+'}{'' if size == 1 else f'{written(size)}*'}{term.member}")
    return "".join(words).removeprefix("+")


def _named(known: Definitions, name: str, today: int) -> dict[str, Any]:
    now = known.on(name, today)
    history = [
        {
            "from": one.first, "to": _open(one.past_last), "terms": text_of(one),
            "purpose": one.purpose.value, "of": one.of, "author": one.author, "reason": one.reason,
            "recorded_at": one.recorded_at,
        }
        for one in known.of(name)
    ]  # fmt: skip
    stands = {"terms": text_of(now), "purpose": now.purpose.value, "of": now.of} if now else None
    return {"name": name, "now": stands, "definitions": history}


def _rows(computed: Computed) -> Iterator[dict[str, Any]]:
    whole = computed.whole
    there = has_value(whole.quality).tolist()
    made_of: dict[int, list[dict[str, Any]]] = {}
    for run in computed.parts:
        for part in run:
            for place, at in enumerate(part.span.start_s.tolist()):
                cell = {
                    "channel": part.span.channel, "factor": written(part.factor), "value": int(part.span.values[place]),
                    "quality": label(int(part.span.quality[place])),
                }  # fmt: skip
                made_of.setdefault(at, []).append(cell)
    for place, at in enumerate(whole.start_s.tolist()):
        row: dict[str, Any] = {
            "start": instant_of(at),
            "value": int(whole.values[place]) if there[place] else None,
            "quality": label(int(whole.quality[place])),
        }
        yield row | {"parts": made_of.get(at, [])}
