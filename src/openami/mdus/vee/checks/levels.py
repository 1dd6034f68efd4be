"""Small tools that the rules share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from openami.mdus.vee.model import Facts, Fired, Level

if TYPE_CHECKING:
    from numpy.typing import NDArray


def failing(mask: NDArray[np.bool_], **inputs: NDArray[Any]) -> Fired:
    """FAIL where the mask is true: by cell [row, slot] or by row [row]."""
    return graded(np.zeros_like(mask), mask, **inputs)


def graded(warn: NDArray[np.bool_], fail: NDArray[np.bool_], **inputs: NDArray[Any]) -> Fired:
    """FAIL where `fail`, else WARN where `warn`: by cell or by row."""
    level = np.where(fail, Level.FAIL, np.where(warn, Level.WARN, Level.NONE)).astype(np.uint8)
    return Fired(level if level.ndim == 2 else level[:, None], inputs)


def untested(facts: Facts) -> Fired:
    """The rule lacks a fact."""
    rows = len(facts.days)
    return Fired(np.zeros((rows, 1), np.uint8), {}, np.zeros(rows, np.bool_))


def known(facts: Facts, *names: str) -> list[NDArray[Any]] | None:
    """The named facts, or None when one of them is absent."""
    return [facts.more[name] for name in names] if all(name in facts.more for name in names) else None


def beyond(value: NDArray[np.int64], of: NDArray[np.int64], ratio: tuple[int, int]) -> NDArray[np.bool_]:
    """Value > ratio * of, in whole numbers."""
    numerator, denominator = ratio
    return np.asarray(value * denominator > of * numerator, np.bool_)
