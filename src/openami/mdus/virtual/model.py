"""What a virtual channel is: terms that hold for some days, layered: what is defined later covers what was before."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, localcontext
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

OPEN_DAY: Final = date.max
NAME: Final = re.compile(r"[a-z][a-z0-9_.]{0,59}")
_TERM: Final = re.compile(r"\s*([+-]?)\s*(?:(\d+(?:\.\d+)?)\s*\*\s*)?(\d+|[a-z][a-z0-9_.]*)\s*(?=[+-]|$)")
_PRECISION: Final = 100
TERMS_MAX: Final = 50_000
DEPTH_MAX: Final = 20


class BadDefinitionError(OpenAmiError):
    """A virtual channel that cannot be."""


class Purpose(StrEnum):
    """What a virtual channel is compared with, if anything."""

    NONE = ""
    CHECK = "check"
    """It measures the same as another channel (V31, E09)."""
    CHILDREN = "children"
    """It is what hangs behind another channel (V34)."""


@dataclass(frozen=True, slots=True)
class Term:
    """A channel by number, or a virtual channel by name, and how often it counts."""

    member: int | str
    factor: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What a name stands for in the local days from `first` to before `past_last`; without terms for nothing."""

    name: str
    first: date
    past_last: date = OPEN_DAY
    terms: tuple[Term, ...]
    purpose: Purpose = Purpose.NONE
    of: int | None = None
    """The channel that it is compared with."""
    author: str
    reason: str
    recorded_at: datetime

    def holds_on(self, day: int) -> bool:
        """Whether it is about a local day (ordinal)."""
        return self.first.toordinal() <= day < self.past_last.toordinal()


@dataclass(frozen=True, slots=True)
class Run:
    """Days (ordinals) in which a name stands for one and the same sum of channels."""

    days: range
    factors: Mapping[int, Fraction]


def written(factor: Fraction) -> str:
    """A factor as people write it, exactly: factors come from decimals."""
    with localcontext(prec=_PRECISION):
        return f"{(Decimal(factor.numerator) / factor.denominator).normalize():f}"


def terms_of(text: str) -> tuple[Term, ...]:
    """`17 + 18 - 0.5*feeder.solar`: channels by number and virtual channels by name, each with a factor.

    Raises:
        BadDefinitionError: it is no such sum.
    """
    found: list[Term] = []
    at = 0
    while at < len(text.rstrip()):
        match = _TERM.match(text, at)
        if match is None or (found and not match[1]):
            raise BadDefinitionError(f"{text[at:][:40]!r} is no term.", hint="Write 17+18-0.5*feeder.solar.")
        member: int | str = int(match[3]) if match[3].isdecimal() else match[3]
        found.append(Term(member, Fraction(match[2] or 1) * (-1 if match[1] == "-" else 1)))
        at = match.end()
    return tuple(found)


class Definitions:
    """All definitions, in the order in which they were made."""

    def __init__(self, made: Iterable[Definition]) -> None:
        self._by_name: dict[str, list[Definition]] = {}
        for one in made:
            self._by_name.setdefault(one.name, []).append(one)

    def plus(self, new: Definition) -> Definitions:
        """These and a later one."""
        return Definitions([*itertools.chain(*self._by_name.values()), new])

    @property
    def names(self) -> list[str]:
        """Every name that ever stood for something."""
        return sorted(self._by_name)

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def of(self, name: str) -> Sequence[Definition]:
        """What was ever defined under a name, oldest first."""
        return self._by_name.get(name, [])

    def on(self, name: str, day: int) -> Definition | None:
        """What a name stands for on a day: the last definition that is about it, if that has terms."""
        found = next((one for one in reversed(self.of(name)) if one.holds_on(day)), None)
        return found if found is not None and found.terms else None

    def factors(self, name: str, day: int, depth: int = 0) -> dict[int, Fraction] | None:
        """The channels behind a name on a day; None where it, or one of its parts, stands for nothing."""
        own = self.on(name, day)
        if own is None or depth > DEPTH_MAX:
            return None
        total: dict[int, Fraction] = {}
        for term in own.terms:
            parts = self.of_term(term, day, depth)
            if parts is None:
                return None
            for channel, factor in parts.items():
                total[channel] = total.get(channel, Fraction(0)) + factor
        return {channel: factor for channel, factor in total.items() if factor}

    def of_term(self, term: Term, day: int, depth: int = 0) -> dict[int, Fraction] | None:
        """The channels behind one term on a day; None where it stands for nothing."""
        if isinstance(term.member, int):
            return {term.member: term.factor}
        parts = self.factors(term.member, day, depth + 1)
        return None if parts is None else {channel: factor * term.factor for channel, factor in parts.items()}

    def runs(self, name: str, days: range) -> list[Run]:
        """The days in pieces over which the sum behind a name does not change; days without one are left out."""
        cuts = {days.start, days.stop}
        for each in self._reachable(name):
            for one in self.of(each):
                cuts |= {one.first.toordinal(), one.past_last.toordinal()}
        edges = sorted(cut for cut in cuts if days.start <= cut <= days.stop)
        found = []
        for begin, end in itertools.pairwise(edges):
            factors = self.factors(name, begin)
            if factors:
                found.append(Run(range(begin, end), factors))
        return found

    def undone(self, name: str, author: str, reason: str, at: datetime) -> list[Definition]:
        """What brings back, on the days of the last definition of a name, what stood there before it.

        The definitions of one act were recorded together, and are undone together; undoing that again brings it back.

        Raises:
            BadDefinitionError: nobody defined the name.
        """
        own = self.of(name)
        if not own:
            raise BadDefinitionError(f"Nobody defined {name!r}.", hint="See openami virtual list.")
        act = [one for one in own if (one.recorded_at, one.author) == (own[-1].recorded_at, own[-1].author)]
        before = Definitions(one for one in own if one not in act)
        first, past_last = min(one.first for one in act), max(one.past_last for one in act)
        edges = {first, past_last, *(day for one in before.of(name) for day in (one.first, one.past_last))}
        found = []
        for begin, end in itertools.pairwise(sorted(day for day in edges if first <= day <= past_last)):
            stood = before.on(name, begin.toordinal())
            terms, purpose, of = (stood.terms, stood.purpose, stood.of) if stood else ((), Purpose.NONE, None)
            found.append(
                Definition(
                    name=name, first=begin, past_last=end, terms=terms, purpose=purpose, of=of, author=author,
                    reason=reason, recorded_at=at,
                )
            )  # fmt: skip
        return found

    def compared_with(self, channels: Iterable[int]) -> list[str]:
        """The names that some channels were ever to be compared with."""
        wanted = set(channels)
        return [name for name in self.names if any(one.of in wanted for one in self.of(name))]

    def comparing(self, keys: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        """The channel-days (channel, ordinal) that are compared with a sum in which some channel-days are."""
        by_day: dict[int, set[int]] = {}
        for channel, day in keys:
            by_day.setdefault(day, set()).add(channel)
        found = set()
        for name in self.names:
            for day, members in by_day.items():
                one = self.on(name, day)
                if one and one.of and not members.isdisjoint(self.factors(name, day) or ()):
                    found.add((one.of, day))
        return sorted(found)

    def with_member(self, channel: int, day: int) -> list[str]:
        """The names whose sum has a channel on a day."""
        return [name for name in self.names if channel in (self.factors(name, day) or {})]

    def refuse(self, new: Definition) -> None:
        """Refuse a definition that cannot be.

        Raises:
            BadDefinitionError: its name or terms cannot be read, a part has no definition, or it would contain itself.
        """
        if not NAME.fullmatch(new.name):
            raise BadDefinitionError(f"{new.name!r} is no name.", hint="Use small letters, digits, dots: feeder.7")
        if new.first >= new.past_last:
            raise BadDefinitionError(f"{new.name} ends before it begins.", hint="Give the earlier day first.")
        if len(new.terms) > TERMS_MAX:
            raise BadDefinitionError(f"{new.name} has {len(new.terms)} terms.", hint="Make parts of it, with names.")
        if not new.reason.strip():
            raise BadDefinitionError("A virtual channel needs a reason.", hint="Say why: whoever audits this will ask.")
        parts = [term.member for term in new.terms if isinstance(term.member, str)]
        if unknown := [one for one in parts if one not in self and one != new.name]:
            raise BadDefinitionError(f"Nobody defined {unknown[0]!r}.", hint="Define the parts first.")
        if new.name in parts or any(new.name in self._reachable(one) for one in parts):
            raise BadDefinitionError(f"{new.name} would contain itself.", hint="Cut the circle.")

    def _reachable(self, name: str) -> set[str]:
        """A name and all that were ever parts of it."""
        found, left = {name}, [name]
        while left:
            for one in self.of(left.pop()):
                parts = {term.member for term in one.terms if isinstance(term.member, str)} - found
                found |= parts
                left += parts
        return found
