"""Values over HTTP: explained, proven, edited; what bills are made from; what changed since somebody last looked."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from starlette.routing import Route

from openami.mdus.answers import as_response, instant_in, limit_of
from openami.mdus.determinants import Asked, determinants
from openami.mdus.naming import BadSpanError, channel_named, in_values, span_named
from openami.mdus.series.determinants import Gate
from openami.mdus.series.knowledge import Knowledge
from openami.mdus.unify.raw import is_digest
from openami.mdus.vee import tables
from openami.mdus.vee.catalogue import checks, methods, readings
from openami.mdus.vee.editing import Action, Edit, EditRefusedError
from openami.mdus.vee.explain import explain, recompute
from openami.mdus.vee.ruleset import available, load
from openami.mdus.virtual.views import explained, named_virtual, summed
from openami.shared.service import json_body

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncConnection
    from starlette.requests import Request
    from starlette.responses import Response

    from openami.mdus.middle import Middle
    from openami.mdus.registry.channels import Channel


class ValueViews:
    """The pages about values."""

    def __init__(self, middle: Middle) -> None:
        self._middle = middle

    def routes(self) -> list[Route]:
        """Every page, and what a person may do to values."""
        return [
            Route("/api/explain", self.explain),
            Route("/api/recompute", self.recompute),
            Route("/api/versions", self.versions),
            Route("/api/determinants", self.determinants),
            Route("/api/rules", self.rules),
            Route("/api/edits", self.edits, methods=["GET"]),
            Route("/api/edits", self.propose, methods=["POST"]),
            Route("/api/edits/preview", self.preview, methods=["POST"]),
            Route("/api/edits/{edit:uuid}/approve", self.approve, methods=["POST"]),
            Route("/api/edits/{edit:uuid}/undo", self.undo, methods=["POST"]),
        ]

    async def explain(self, request: Request) -> Response:
        """Each value of `channel` in `span`: delivery, rules that fired, method and inputs, rule set.

        `forgotten` names the deliveries whose bytes are no longer kept, by policy; the audit says since when.
        """
        query = request.query_params
        async with self._middle.database.read() as tx:
            if named := await named_virtual(self._middle, tx, query.get("channel", ""), query.get("span", "")):
                return as_response(explained(named))
            channel = await channel_named(tx, query.get("channel", ""))
            span = span_named(query.get("span", ""), channel.zone, channel.day_start_s)
            found = await explain(self._middle.series, tx, channel.id, span)
        digests = {one.delivery for one in found if is_digest(one.delivery)}
        raw = self._middle.raw
        gone = await asyncio.to_thread(lambda: sorted(one for one in digests if not raw.keeps(one)))
        return as_response(_head(channel) | {"intervals": [asdict(one) for one in found], "forgotten": gone})

    async def recompute(self, request: Request) -> Response:
        """Every judged version of the days of `span`, evaluated again with what was known then, bit for bit."""
        proofs = []
        async with self._middle.database.read() as tx:
            channel = await channel_named(tx, request.query_params.get("channel", ""))
            span = span_named(request.query_params.get("span", ""), channel.zone, channel.day_start_s)
            known = (await self._middle.series.channels(tx, [channel.id]))[0]
            for day in known.calendar.days_of(span):
                proofs += await recompute(self._middle.series, tx, channel.id, date.fromordinal(day))
        equal = all(one.equal for one in proofs)
        return as_response(_head(channel) | {"equal": equal, "proofs": [asdict(one) for one in proofs]})

    async def versions(self, request: Request) -> Response:
        """Every version of the days of `span`: when, by whom, why, and how many intervals it changed."""
        rows: list[dict[str, Any]] = []
        async with self._middle.database.read() as tx:
            channel = await channel_named(tx, request.query_params.get("channel", ""))
            span = span_named(request.query_params.get("span", ""), channel.zone, channel.day_start_s)
            known = (await self._middle.series.channels(tx, [channel.id]))[0]
            for day in known.calendar.days_of(span):
                before = None
                for one in await self._middle.series.versions(tx, channel.id, date.fromordinal(day)):
                    changed = len(one.values) if before is None else int((one.values != before.values).sum())
                    rows.append(
                        {
                            "day": date.fromordinal(day),
                            "version": one.version,
                            "recorded_at": one.recorded_at,
                            "author": one.author,
                            "cause": one.cause,
                            "delivery": one.delivery,
                            "changed": changed,
                        }
                    )
                    before = one
        return as_response(_head(channel) | {"versions": rows})

    async def determinants(self, request: Request) -> Response:
        """What a bill is made from: `channel` (or a sum such as 17-1.02*18), `span`, `tou`, `tiers`, `demand_s`, gate.

        As known now, at the instant `as_of`, or exactly by the `knowledge` that an earlier answer gave.
        """
        query = request.query_params
        async with self._middle.database.read() as tx:
            snapshot = query.get("knowledge", "")
            as_of = Knowledge(snapshot) if snapshot else instant_in(query, "as_of", None)
            named = await named_virtual(self._middle, tx, query.get("channel", ""), query.get("span", ""), as_of)
            members = named.members if named else [(1, await channel_named(tx, query.get("channel", "")))]
            span = span_named(query.get("span", ""), members[0][1].zone, members[0][1].day_start_s)
            asked = _asked(query, query.getlist("tou"), members[0][1])
            asked = replace(asked, rules_folder=self._middle.settings.judging.folder)
            computed = named.computed.whole if named and not named.one_sum else None
            found = await determinants(self._middle.series, tx, members, span, asked, as_of, computed=computed)
        return as_response(found | (summed(named) if named else {}))

    async def rules(self, request: Request) -> Response:
        """The catalogue, and a rule set with its parameters, their evidence and source."""
        name = request.query_params.get("rule_set", "default")
        folder = self._middle.settings.judging.folder
        rule_set = load(name, folder)
        rules = rule_set.for_class(request.query_params.get("class", ""))
        body = {
            "rule_set": rule_set.stamp,
            "sentence": rule_set.sentence,
            "rule_sets": list(available(folder)),
            "checks": [_rule(one, checks()[one].sentence, rules) for one in rules.checks],
            "methods": [_rule(one, methods()[one].sentence, rules) for one in (*rules.chain, *rules.scaling)],
            "readings": [_rule(one, readings()[one].sentence, rules) for one in rules.readings],
        }
        return as_response(body)

    async def edits(self, request: Request) -> Response:
        """The newest edits, with their state."""
        query = select(tables.edit).order_by(tables.edit.c.proposed_at.desc(), tables.edit.c.id)
        async with self._middle.database.read() as tx:
            rows = await tx.execute(query.limit(limit_of(request.query_params)))
            found = [dict(row) for row in rows.mappings()]
        return as_response({"edits": found, "second_person": self._middle.settings.second_person})

    async def preview(self, request: Request) -> Response:
        """What an edit would change; nothing is kept."""
        body = await json_body(request)
        async with self._middle.database.begin() as tx:
            edit, channel = await self._edit(tx, body)
            cells = await self._middle.editing.preview(tx, edit)
        return as_response(_head(channel) | {"cells": [asdict(one) for one in cells]})

    async def propose(self, request: Request) -> Response:
        """Keep an edit: `{"channel", "span", "action", "reason", "values" or "source", "person"}`.

        It is applied at once, unless the installation wants a second person.
        """
        body = await json_body(request)
        async with self._middle.database.begin() as tx:
            edit, _ = await self._edit(tx, body)
            number = await self._middle.editing.propose(tx, edit, _person(body), self._middle.clock.now())
        self._middle.wake_all()
        return as_response({"edit": number, "applied": not self._middle.settings.second_person})

    async def approve(self, request: Request) -> Response:
        """A second person applies an edit: `{"person": "..."}`."""
        body = await json_body(request)
        number: UUID = request.path_params["edit"]
        async with self._middle.database.begin() as tx:
            await self._middle.editing.approve(tx, number, _person(body), self._middle.clock.now())
        self._middle.wake_all()
        return as_response({"edit": number, "state": "applied"})

    async def undo(self, request: Request) -> Response:
        """Put back what was there before an edit: `{"person": "...", "reason": "..."}`."""
        body = await json_body(request)
        number: UUID = request.path_params["edit"]
        reason = str(body.get("reason", ""))
        async with self._middle.database.begin() as tx:
            await self._middle.editing.undo(tx, number, _person(body), reason, self._middle.clock.now())
        self._middle.wake_all()
        return as_response({"edit": number, "state": "undone"})

    async def _edit(self, tx: AsyncConnection, body: Mapping[str, Any]) -> tuple[Edit, Channel]:
        channel = await channel_named(tx, str(body.get("channel", "")))
        span = span_named(str(body.get("span", "")), channel.zone, channel.day_start_s)
        try:
            action = Action(str(body.get("action", "set")))
        except ValueError as error:
            raise EditRefusedError(
                f"There is no action {body.get('action')!r}.", hint=f"Use one of {', '.join(Action)}."
            ) from error
        values = in_values([str(one) for one in body.get("values") or ()], channel.scale)
        if action is Action.SET and len(values) == 1:
            values *= max(len(await self._middle.series.read(tx, channel.id, span)), 1)
        source = await channel_named(tx, str(body["source"])) if body.get("source") else None
        return Edit(
            channel.id, span, action, str(body.get("reason", "")), values, source.id if source else None
        ), channel


def _person(body: Mapping[str, Any]) -> str:
    person = str(body.get("person", "")).strip()
    if not person:
        raise EditRefusedError("Nobody is named.", hint="Say who you are: the audit keeps it.")
    return person


def _asked(query: Mapping[str, str], buckets: list[str], channel: Channel) -> Asked:
    def number(name: str, otherwise: float) -> float:
        text = query.get(name) or ""
        try:
            return float(text) if text else otherwise
        except ValueError as error:
            raise BadSpanError(f"{name}={text!r} is no number.", hint="Use a number.") from error

    gate = Gate(
        max_open=int(number("max_open", 0)),
        max_failed=int(number("max_failed", 0)),
        max_estimated_share=number("max_estimated_share", 1.0),
        max_unjudged=int(number("max_unjudged", 0)),
    )
    tiers = in_values([one for one in query.get("tiers", "").split(",") if one.strip()], channel.scale)
    gas = {
        name: in_values([query[name]], -9) for name in ("calorific_kwh_m3", "z", "calorific_mj_m3") if query.get(name)
    }
    factors = {name: Decimal(value).scaleb(-9) for name, (value,) in gas.items()}
    return Asked(buckets=tuple(buckets), tiers=tiers, demand_s=int(number("demand_s", 0)), gate=gate, gas=factors)


def _head(channel: Channel) -> dict[str, Any]:
    return {
        "channel": channel.id, "device": channel.device, "obis": channel.obis, "unit": channel.unit,
        "scale": channel.scale, "interval_s": channel.interval_s, "zone": channel.zone,
    }  # fmt: skip


def _rule(rule_id: str, sentence: str, rules: Any) -> dict[str, Any]:  # noqa: ANN401 - the resolved rules
    by_name = rules.parameters[rule_id].by_name
    return {"id": rule_id, "sentence": sentence, "parameters": {name: asdict(one) for name, one in by_name.items()}}
