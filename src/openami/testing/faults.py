"""Faults on demand, from a seed: late, duplicate, reordered, refused, malformed."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import Iterable

KINDS: Final = ("late", "duplicate", "reordered", "refused", "malformed")


class UnknownFaultError(OpenAmiError):
    """A kind of fault that does not exist."""


@dataclass(slots=True)
class Faults:
    """Which faults happen, to which share of the messages; the same seed makes the same faults."""

    kinds: frozenset[str] = frozenset()
    share: float = 0.3
    seed: int = 1
    late_s: float = 2.0
    _chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)  # noqa: S311 - chance for tests, no secret

    @classmethod
    def of(cls, names: Iterable[str], *, share: float = 0.3, seed: int = 1, late_s: float = 2.0) -> Faults:
        """The faults of these names.

        Raises:
            UnknownFaultError: one of them does not exist.
        """
        kinds = frozenset(names)
        unknown = sorted(kinds - set(KINDS))
        if unknown:
            raise UnknownFaultError(f"There is no fault {unknown[0]!r}.", hint=f"Choose of {', '.join(KINDS)}.")
        return cls(kinds, share, seed, late_s)

    def strikes(self, kind: str) -> bool:
        """Whether a fault of this kind happens now."""
        return kind in self.kinds and self._chance.random() < self.share


def broken(body: bytes) -> bytes:
    """A message that is cut off in the middle: no XML any more."""
    return body[: len(body) * 2 // 3]
