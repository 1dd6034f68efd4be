from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import pytest

from openami.office.services.items import take_each
from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Books:
    """A transaction whose savepoints take back what was written in them."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.tries = 0

    @asynccontextmanager
    async def begin_nested(self) -> AsyncIterator[None]:
        before = list(self.kept)
        try:
            yield
        except BaseException:
            self.kept = before
            raise

    async def take(self, item: str) -> None:
        self.tries += 1
        self.kept.append(item)
        if item.startswith("bad"):
            raise OpenAmiError(f"{item} cannot be.")
        if item.startswith("broken"):
            raise RuntimeError("a fault of ours")


@pytest.mark.parametrize(
    ("items", "kept", "tries"),
    [
        (["a", "b"], ["a", "b"], 2),  # at once
        (["a", "bad", "b"], ["a", "b"], 2 + 3),  # the others are taken again, alone
        (["bad 1", "a", "bad 2"], ["a"], 1 + 3),
        ([], [], 0),
    ],
)
async def test_one_bad_item_hurts_no_other(items: list[str], kept: list[str], tries: int) -> None:
    books = Books()
    await take_each(cast("Any", books), items, books.take)
    assert (books.kept, books.tries) == (kept, tries)


@pytest.mark.parametrize(("items", "tries"), [(["bad 1"], 1), (["bad 1", "bad 2"], 1 + 2)])
async def test_a_message_without_a_good_item_is_refused_for_the_first_reason(items: list[str], tries: int) -> None:
    books = Books()
    with pytest.raises(OpenAmiError, match="bad 1 cannot be"):
        await take_each(cast("Any", books), items, books.take)
    assert (books.kept, books.tries) == ([], tries)


async def test_a_fault_of_ours_is_no_verdict_on_an_item() -> None:
    """The inbox tries the whole message again; nothing of it may be half done."""
    books = Books()
    with pytest.raises(RuntimeError):
        await take_each(cast("Any", books), ["a", "broken"], books.take)
    assert books.kept == []
