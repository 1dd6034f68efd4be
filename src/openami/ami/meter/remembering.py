"""How each fact takes effect that moves neither breaker nor mains: a row a kind; what has none is only logged."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from openami.ami.dlms.obis import Obis
from openami.ami.meter.calendars import calendar_of, make_active
from openami.ami.meter.facts import CLOCK_NEW_TIME, CLOCK_OLD_TIME, FactKind, LoggedEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from openami.ami.meter.facts import Fact
    from openami.ami.meter.model import Meter


def remember(meter: Meter, fact: Fact) -> None:
    """Let a fact take effect, new or replayed."""
    effect = _EFFECTS.get(fact.kind)
    if effect is not None:
        effect(meter, fact)


def _written(meter: Meter, fact: Fact) -> None:
    detail = fact.detail
    meter.settings.put(Obis.of(detail["obis"]), detail["attribute"], bytes.fromhex(detail["value"]))


def _calendar(meter: Meter, fact: Fact) -> None:
    make_active(meter.settings)
    meter.calendars.append((fact.at_s, calendar_of(meter.settings)))


def _emergency(meter: Meter, fact: Fact) -> None:
    meter.limiter = meter.limiter.with_emergency(fact.detail, fact.at_s)


def _limit(meter: Meter, fact: Fact) -> None:
    threshold_w, over_s = fact.detail["threshold_w"], fact.detail["over_s"]
    meter.limiter = replace(meter.limiter, threshold_w=threshold_w, over_s=over_s, since_s=fact.at_s)


def _relay(meter: Meter, fact: Fact) -> None:
    meter.relay_closed = fact.detail["closed"]


def _demand_reset(meter: Meter, fact: Fact) -> None:
    meter.demand_reset_s = fact.at_s


def _drifted(meter: Meter, fact: Fact) -> None:
    meter.clock_offset_s = fact.detail["offset_s"]


def _clock_set(meter: Meter, fact: Fact) -> None:
    offset_s = fact.detail["offset_s"]
    meter.events.append(LoggedEvent(fact.at_s + meter.clock_offset_s, CLOCK_OLD_TIME))
    meter.events.append(LoggedEvent(fact.at_s + offset_s, CLOCK_NEW_TIME))
    meter.clock_offset_s = offset_s


def _altered(meter: Meter, fact: Fact) -> None:
    place = Obis.of(fact.detail["obis"]), fact.detail["attribute"]
    if fact.detail["value"] is None:
        meter.altered.pop(place, None)
    else:
        meter.altered[place] = bytes.fromhex(fact.detail["value"])


def _tampered(meter: Meter, fact: Fact) -> None:
    meter.through_permille = fact.detail.get("through_permille", meter.through_permille)
    meter.turned = fact.detail.get("turned", meter.turned)


_EFFECTS: Final[Mapping[FactKind, Callable[[Meter, Fact], None]]] = {
    FactKind.WRITTEN: _written,
    FactKind.CALENDAR: _calendar,
    FactKind.EMERGENCY: _emergency,
    FactKind.IMAGE: lambda meter, fact: meter.image.apply(fact.detail),
    FactKind.KEYS: lambda meter, fact: meter.wrapped_keys.append(fact.detail["wrapped"]),
    FactKind.COUPLED: lambda meter, fact: meter.channels.apply(fact.detail),
    FactKind.CREDIT: lambda meter, fact: meter.purse.apply(fact.at_s, fact.register, fact.detail),
    FactKind.RELAY: _relay,
    FactKind.DEMAND_RESET: _demand_reset,
    FactKind.DRIFTED: _drifted,
    FactKind.ROWS_LOST: lambda meter, fact: meter.lost_rows_s.append((fact.detail["from_s"], fact.detail["to_s"])),
    FactKind.ALTERED: _altered,
    FactKind.TAMPERED: _tampered,
    FactKind.CLOCK_SET: _clock_set,
    FactKind.COUNTERS_RESERVED: lambda meter, fact: meter.counters.reserved(
        fact.detail["sent"], fact.detail["received"]
    ),
    FactKind.LIMIT_SET: _limit,
}
