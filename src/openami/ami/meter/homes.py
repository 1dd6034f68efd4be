"""What flows into the homes of a street: one connection for each medium that a home has."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from openami.ami.meter.history import Connection
from openami.ami.meter.recordings import Behind, Flow, Loads, flows_of
from openami.ami.meter.street import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openami.ami.meter.recordings import Recording
    from openami.ami.meter.street import Home, Load, Street

_HEAT_WH_PER_LITRE: Final = 9
"""What a boiler makes of a litre of gas."""


def connections_of(street: Street, zone_name: str) -> Mapping[Kind, Mapping[str, Connection]]:
    """The connections by medium and home; homes that replay the same recording share its numbers."""
    known: dict[tuple[Load, Behind, Kind], Mapping[Flow, Recording]] = {}
    recordings: list[Recording] = []
    rows: dict[tuple[Kind, str], dict[Flow, int]] = {}
    for home in street.homes:
        for kind in home.media:
            key = (home.load_of(kind), home.behind, kind)
            flows = known.get(key)
            if flows is None:
                flows = known[key] = _flows(home, kind)
            rows[kind, home.name] = {flow: len(recordings) + index for index, flow in enumerate(flows)}
            recordings += flows.values()
    loads = Loads(recordings, zone_name)
    found: dict[Kind, dict[str, Connection]] = {kind: {} for kind in Kind}
    for (kind, name), of_home in rows.items():
        found[kind][name] = Connection(loads, of_home)
    return found


def _flows(home: Home, kind: Kind) -> Mapping[Flow, Recording]:
    use = home.load_of(kind).open()
    if kind is Kind.ELECTRICITY:
        return flows_of(use, home.behind)
    return {Flow.IMPORT: replace(use, values=use.values * _HEAT_WH_PER_LITRE) if kind is Kind.HEAT else use}
